"""Simulated engines: programs that answer to vLLM's and Ollama's command lines and speak their HTTP APIs.

They stand in for the real engines in tests, in the demo and in the engines image. Shape, framing, errors, memory
accounting and start-up races follow recordings of the real servers (`recordings`); the text is made up.

Shared rooms: `text` (tokens), `schemas` (instances of a JSON Schema), `scripts` (what is going to be answered),
`batching` (pure continuous batching), `engine` (the loop that runs it in time), `cards` (memory of simulated GPUs,
shared between processes), `catalog` (sizes of known models), `quantities`. `vllm` and `ollama` may import these and
never each other.
"""
