"""A simulated Ollama: `ollama serve` and its client commands, as recorded from Ollama 0.33.

`settings` says how it behaves, `store` which models are on disk, `runners` which are in memory and who waits for
them; `api` is the HTTP API in its three dialects, `commands` the client side of the binary. Nothing here knows vLLM
or Kubernetes.
"""

VERSION = "0.33.0"
