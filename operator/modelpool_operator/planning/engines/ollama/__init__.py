"""Ollama: one server for all models of a pool, which also stands in for engines that cannot answer."""

from modelpool_operator.planning.engines.ollama.profile import PROFILE

__all__ = ["PROFILE"]
