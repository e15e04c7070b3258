"""Ollama: one server for all models of a pool, which also stands in for engines that cannot answer."""
