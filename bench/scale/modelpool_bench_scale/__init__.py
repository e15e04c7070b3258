"""What the gateway costs as it grows: with models, with endpoints, with streams, and what follows for many gateways."""
