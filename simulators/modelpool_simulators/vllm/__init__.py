"""A simulated vLLM server: `vllm serve`'s flags, start-up, HTTP API, metrics and shutdown, as recorded from vLLM
0.32.

`flags` and `settings` say what was asked for, `startup` whether it fits the card, `server` is the HTTP API; `api`
holds one module per dialect. Nothing here knows Ollama or Kubernetes.
"""

VERSION = "0.32.0"
