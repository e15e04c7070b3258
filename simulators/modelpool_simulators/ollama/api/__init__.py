"""Ollama's HTTP API, one module per family of routes.

`errors` and `reading` are what all share; `session` turns a request into pieces of an answer; `native`, `openai`,
`responses` and `messages` frame them; `models`, `transfers` and `embed` are the rest of the native API.
"""
