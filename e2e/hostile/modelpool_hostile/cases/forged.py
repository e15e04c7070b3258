"""Objects on the API server that nobody should believe."""
