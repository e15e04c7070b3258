"""The pipeline's mix, scaled down, on a real vLLM behind the gateway and on a real Ollama alone, on one CPU."""
