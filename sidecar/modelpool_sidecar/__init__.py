"""The gateway: clients of Ollama, OpenAI and Anthropic in front, vLLM and Ollama behind, by model name and readiness.

`routing` decides without I/O, `protocols` translates without I/O, `proxy` has the sockets, `telemetry` the metrics
and log lines; `app` puts them together and `__main__` runs it.
"""
