"""What is known about models without opening them: weights, cache per token, context, abilities.

Pure. Sizes of well-known repositories are listed; anything else is estimated from the name ('8B', 'AWQ', 'FP8'),
which is what a person would do.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from .quantities import GIB

_KIB = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model as far as memory and requests are concerned."""

    weights: int
    """Bytes on the card."""
    cache_per_token: int
    """Bytes of key-value cache per token, in layers that look back upon everything."""
    sliding_per_token: int = 0
    """The same in layers that look back upon a window, as many as vLLM stores: groups of them are filled up."""
    window: int = 0
    """How far those look back, in tokens."""
    heads: int = 8
    """Heads of keys and values: what cards share among them."""
    context: int
    """Longest sequence the model was trained for, in tokens."""
    parameters: str
    """As written in `ollama list`: '8.2B'."""
    vision: bool = False
    thinking: bool = False
    embedding: bool = False


def _known(
    gigabytes: float,
    cache: int,
    context: int,
    parameters: str,
    *,
    sliding: int = 0,
    window: int = 0,
    heads: int = 8,
    vision: bool = False,
    thinking: bool = False,
) -> Model:
    return Model(
        weights=int(gigabytes * 10**9),
        cache_per_token=cache * _KIB,
        sliding_per_token=sliding * _KIB,
        window=window,
        heads=heads,
        context=context,
        parameters=parameters,
        vision=vision,
        thinking=thinking,
    )


def _gemma3_4b(gigabytes: float) -> Model:
    """Five layers that look back upon everything, and 29 that do not, stored in groups of five."""
    return _known(gigabytes, 20, 131072, "4.3B", sliding=120, window=1024, heads=4, vision=True)


_MODELS = {
    "qwen/qwen3-8b": _known(16.4, 144, 40960, "8.2B", thinking=True),
    "qwen/qwen3-8b-awq": _known(6.1, 144, 40960, "8.2B", thinking=True),
    "qwen/qwen3-8b-fp8": _known(9.4, 144, 40960, "8.2B", thinking=True),
    "qwen/qwen3-4b-instruct-2507": _known(8.05, 144, 262144, "4.0B"),
    "qwen/qwen3-4b-instruct-2507-fp8": _known(4.4, 144, 262144, "4.0B"),
    "qwen/qwen3-0.6b": _known(1.2, 112, 40960, "0.6B", thinking=True),
    "redhatai/qwen3-8b-speculator.eagle3": _known(0.8, 4, 40960, "0.4B"),
    "google/gemma-3-4b-it": _gemma3_4b(8.6),
    "redhatai/gemma-3-4b-it-quantized.w4a16": _gemma3_4b(3.9),
    "gaunernst/gemma-3-4b-it-int4-awq": _gemma3_4b(3.5),
    "redhatai/gemma-3-4b-it-fp8-dynamic": _gemma3_4b(5.4),
    "deepcogito/cogito-v1-preview-llama-8b": _known(16.1, 128, 131072, "8.0B", thinking=True),
    "qwen/qwen2.5-vl-7b-instruct": _known(16.6, 56, 128000, "8.3B", heads=4, vision=True),
    "qwen/qwen2.5-vl-7b-instruct-awq": _known(6.9, 56, 128000, "8.3B", heads=4, vision=True),
    "qwen/qwen2.5-vl-3b-instruct-awq": _known(3.4, 36, 128000, "3.8B", heads=2, vision=True),
}

_PARAMETERS = re.compile(r"(?<![\w.])(?P<number>\d+(?:\.\d+)?)(?P<unit>[bm])(?![a-z])")
_BYTES_PER_PARAMETER = (
    (re.compile(r"awq|gptq|int4|w4a16|4bit|q4|nvfp4"), 0.72),
    (re.compile(r"fp8|int8|w8a8|8bit|q8"), 1.12),
)
_VISION = re.compile(r"vl(?![a-z])|vision|gemma-?3|llava|pixtral")
_THINKING = re.compile(r"qwen3(?!.*instruct)|deepseek-r1|cogito|think|gpt-oss")
_EMBEDDING = re.compile(r"embed|bge|minilm|gte")


def look_up(name: str, *, bytes_per_parameter: float = 2.0) -> Model:
    """Return what is known or guessed about a repository, a path or an Ollama name."""
    key = name.lower().removeprefix("hf://").split("@", 1)[0].rstrip("/")
    if key in _MODELS:
        return _MODELS[key]
    short = "/".join(key.split("/")[-2:])
    if short in _MODELS:
        return _MODELS[short]
    return _guess(short, bytes_per_parameter)


def _guess(name: str, bytes_per_parameter: float) -> Model:
    match = _PARAMETERS.search(name.replace("_", "-").replace("-", " ").replace(":", " "))
    billions = 1.0
    if match:
        billions = float(match["number"]) * (1.0 if match["unit"] == "b" else 0.001)
    for pattern, share in _BYTES_PER_PARAMETER:
        if pattern.search(name):
            bytes_per_parameter = share
            break
    return Model(
        weights=int(billions * 10**9 * bytes_per_parameter),
        cache_per_token=int(min(16 * billions + 24, 320)) * _KIB,
        context=40960,
        parameters=f"{billions:.1f}B" if billions >= 1 else f"{billions * 1000:.0f}M",
        vision=bool(_VISION.search(name)),
        thinking=bool(_THINKING.search(name)),
        embedding=bool(_EMBEDDING.search(name)),
    )


CONTEXT_OVERHEAD = GIB // 2
"""What a CUDA process holds on a card before it allocates anything: context, NCCL, cuBLAS."""
