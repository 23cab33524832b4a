"""HTTP routes: thin handlers, one module per subject."""
