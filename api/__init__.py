"""The HTTP API, the web page and the command line: where the parts are put together."""
