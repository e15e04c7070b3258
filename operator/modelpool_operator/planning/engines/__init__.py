"""One module per engine. What an engine's flags, variables and probes are is known here and nowhere else."""
