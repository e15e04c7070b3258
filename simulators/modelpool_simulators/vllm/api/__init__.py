"""vLLM's HTTP API, one module per family of routes.

`state` is what all of them share, `requests` reads and checks bodies, `answering` turns a request into generations;
`chat`, `completions`, `responses`, `messages`, `embeddings` and `tokens` each frame one dialect exactly as recorded.
"""
