"""Tests of Ollama in front of vLLM."""
