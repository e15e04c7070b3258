"""What known repositories say of themselves beside their dimensions: the name of the architecture, and how to sample.

Architectures are named as in Ollama's `/api/show` (`general.architecture`). Sampling is that of the repository's
`generation_config.json`, in the words of a Modelfile. Where that samples and names no temperature, Transformers
takes 1, and so does Ollama's own library for these models. Penalties are left to the engine, which reads that file.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

Sampling = Mapping[str, float | int]

NOTHING: Final[Sampling] = MappingProxyType({})

_FAMILIES: Final = (
    (r"Qwen3-(Coder-)?30B-A3B", "qwen3moe"),
    (r"Qwen3-", "qwen3"),
    (r"Qwen2\.5-VL-", "qwen25vl"),
    (r"Qwen2\.5-|Distill-Qwen-|-qwen-", "qwen2"),
    (r"Llama-|-llama-", "llama"),
    (r"gemma-3-", "gemma3"),
    (r"Mistral-", "llama"),
    (r"phi-4", "phi3"),
    (r"gpt-oss-", "gptoss"),
)
"""The first that is found in a repository's name counts."""

_THINKING: Final[Sampling] = MappingProxyType({"temperature": 0.6, "top_k": 20, "top_p": 0.95})
_INSTRUCT: Final[Sampling] = MappingProxyType({"temperature": 0.7, "top_k": 20, "top_p": 0.8})
_SAMPLING: Final[tuple[tuple[str, Sampling], ...]] = (
    (r"Embedding", NOTHING),
    (r"Qwen3-.*Instruct", _INSTRUCT),
    (r"Qwen3-", _THINKING),
    (r"Qwen2\.5-VL-", MappingProxyType({"temperature": 0.000001})),
    (r"Qwen2\.5-", _INSTRUCT),
    (r"R1-Distill-", MappingProxyType({"temperature": 0.6, "top_p": 0.95})),
    (r"Llama-3", MappingProxyType({"temperature": 0.6, "top_p": 0.9})),
    (r"gemma-3-", MappingProxyType({"temperature": 1.0, "top_k": 64, "top_p": 0.95})),
    (r"gpt-oss-", MappingProxyType({"temperature": 1.0})),
)
"""Likewise. Of a repository that is not here nothing is known, or it says nothing."""


def family_of(repository: str) -> str | None:
    """Return the architecture of a repository's model by its name, or None."""
    return next((family for pattern, family in _FAMILIES if re.search(pattern, repository)), None)


def sampling_of(repository: str) -> Sampling:
    """Return how the repository says that its model samples; empty where it does not, or nobody knows."""
    return next((sampling for pattern, sampling in _SAMPLING if re.search(pattern, repository)), NOTHING)
