"""The gateway: clients of Ollama, OpenAI and Anthropic in front, vLLM and Ollama behind, by model name and readiness.

`serving` carries out what `routing` decides: it takes requests from `http`, understands them by `dialects` and
`translation`, and asks the engines that `discovery` knows as `engines` describe them. `telemetry` has the metrics and
log lines; `app` puts all together and `__main__` runs it.
"""
