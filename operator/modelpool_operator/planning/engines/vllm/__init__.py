"""vLLM: a Deployment for each model, started behind the locks of its cards."""

from modelpool_operator.planning.engines.vllm.profile import PROFILE

__all__ = ["PROFILE"]
