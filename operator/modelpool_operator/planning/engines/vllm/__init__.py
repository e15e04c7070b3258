"""vLLM: a Deployment for each model, started behind the locks of its cards."""
