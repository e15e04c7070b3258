"""The gateway against the recordings of real engines: `python -m pytest -m conformance`.

`calls` says which recorded call of Ollama is answered from which recorded answer of vLLM, and every known difference
with its reason; the documentation is written from it too. `shapes` compares, `stage` runs a whole gateway before a
scripted engine that plays recordings.
"""
