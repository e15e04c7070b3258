"""Variables of engines that `env` must not set: what the plan counts with, and how others reach the engine.

The user's variables come after the operator's and win, so one of these would undo a field, or the plan, without a word.
Names as of vLLM 0.33, Ollama 0.33 and HAMi-core 2.7.
"""

from types import MappingProxyType
from typing import Final

KEY_VARIABLE: Final = "VLLM_API_KEY"
"""The key that vLLM asks for below /v1, /v2 and /inference. Elsewhere, as at /health and /metrics, it asks for none."""
_CARDS: Final = "the plan says which cards it sees"
_SLICE: Final = "HAMi holds the engine to its share by it"
_FIELD: Final = "use `ollama.{}`"

_OF_CARDS: Final = {
    "CUDA_DEVICE_ORDER": _CARDS,
    "CUDA_VISIBLE_DEVICES": _CARDS,
    "NVIDIA_VISIBLE_DEVICES": _CARDS,
    "CUDA_DEVICE_MEMORY_LIMIT": _SLICE,
    "CUDA_DISABLE_CONTROL": _SLICE,
}
OF_ENGINES: Final = MappingProxyType({**_OF_CARDS, "NODE_NAME": "by it engines know the locks of their cards"})
"""Of every engine that starts behind its cards' locks."""
OF_VLLM: Final = MappingProxyType(
    {
        **OF_ENGINES,
        KEY_VARIABLE: "the operator gives each pool a key of its own",
        "VLLM_MEDIA_URL_ALLOW_REDIRECTS": "use `allowedMediaDomains`",
        "VLLM_MEMORY_PROFILER_ESTIMATE_CUDAGRAPHS": "the share has the CUDA graphs in it",
    }
)
"""Each with why, or what to do instead."""
OF_OLLAMA: Final = MappingProxyType(
    {
        **_OF_CARDS,
        "OLLAMA_CONTEXT_LENGTH": _FIELD.format("contextLength"),
        "OLLAMA_GPU_OVERHEAD": "the plan says what it leaves free on its card",
        "OLLAMA_HOST": "gateways, pulls and probes ask it where the operator lets it listen",
        "OLLAMA_KEEP_ALIVE": _FIELD.format("keepAlive"),
        "OLLAMA_MAX_LOADED_MODELS": _FIELD.format("maxLoadedModels"),
        "OLLAMA_MODELS": _FIELD.format("storage"),
        "OLLAMA_NOPRUNE": _FIELD.format("prune"),
        "OLLAMA_NUM_PARALLEL": _FIELD.format("numParallel"),
    }
)
"""The same of Ollama's."""
