"""Training, exporting and checking the models that Entrepot serves. Needs the extra ``models``;
serving code never imports it."""
