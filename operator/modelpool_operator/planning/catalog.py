"""Known models: how large their weights are and what their KV cache costs, so that a plan can say whether they fit.

Small on purpose: what is not here is unchecked, and the plan says so; a user states `weights` instead. Weights are
computed from parameter counts (quantised layers at their width, embeddings and vision towers in 16 bit) and compared
with the repositories' file sizes; shapes are those of each repository's `config.json`. Nothing is fetched.
"""

from dataclasses import dataclass
from typing import Final

from modelpool_operator.planning.sources import Hub


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """The part of a model's architecture that its KV cache depends on (`config.json`)."""

    layers: int
    """With full attention (`num_hidden_layers`, less the sliding ones)."""
    kv_heads: int
    head_size: int
    sliding_layers: int = 0
    window: int = 0
    """Tokens that a sliding layer keeps (`sliding_window`)."""

    def kv_bytes(self, tokens: int, element_bytes: int = 2) -> int:
        """Return the bytes of one sequence's keys and values."""
        per_layer_and_token = 2 * self.kv_heads * self.head_size * element_bytes
        return per_layer_and_token * (self.layers * tokens + self.sliding_layers * min(tokens, self.window))


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownModel:
    """One repository."""

    shape: Shape
    weights: int
    """Bytes in GPU memory."""
    parameters: str
    """As Ollama shows it: `8.2B`."""
    quantization: str
    source: str
    """Where the weights' size comes from."""


QWEN3_8B: Final = Shape(layers=36, kv_heads=8, head_size=128)
QWEN3_4B: Final = Shape(layers=36, kv_heads=8, head_size=128)
QWEN3_SMALL: Final = Shape(layers=28, kv_heads=8, head_size=128)
LLAMA31_8B: Final = Shape(layers=32, kv_heads=8, head_size=128)
QWEN25_VL_7B: Final = Shape(layers=28, kv_heads=4, head_size=128)
GEMMA3_4B: Final = Shape(layers=5, kv_heads=4, head_size=256, sliding_layers=29, window=1024)

_COMPUTED: Final = "computed from the parameter count"
_CARD: Final = "the repository's model card"


def _known(
    shape: Shape, gigabytes: float, parameters: str, quantization: str = "BF16", source: str = _COMPUTED
) -> KnownModel:
    return KnownModel(
        shape=shape, weights=int(gigabytes * 1e9), parameters=parameters, quantization=quantization, source=source
    )


KNOWN: Final = {
    "Qwen/Qwen3-8B": _known(QWEN3_8B, 16.4, "8.2B"),
    "Qwen/Qwen3-8B-AWQ": _known(QWEN3_8B, 6.1, "8.2B", "AWQ"),
    "Qwen/Qwen3-8B-FP8": _known(QWEN3_8B, 9.4, "8.2B", "FP8"),
    "pytorch/Qwen3-8B-INT4": _known(QWEN3_8B, 6.27, "8.2B", "INT4", _CARD),
    "Qwen/Qwen3-4B-Instruct-2507": _known(QWEN3_4B, 8.05, "4.0B"),
    "Qwen/Qwen3-4B-Instruct-2507-FP8": _known(QWEN3_4B, 5.2, "4.0B", "FP8"),
    "Qwen/Qwen3-4B-AWQ": _known(QWEN3_4B, 2.7, "4.0B", "AWQ"),
    "Qwen/Qwen3-0.6B": _known(QWEN3_SMALL, 1.2, "0.6B"),
    "Qwen/Qwen3-0.6B-FP8": _known(QWEN3_SMALL, 0.75, "0.6B", "FP8"),
    "deepcogito/cogito-v1-preview-llama-8B": _known(LLAMA31_8B, 16.1, "8.0B"),
    "google/gemma-3-4b-it": _known(GEMMA3_4B, 8.6, "4.3B"),
    "unsloth/gemma-3-4b-it": _known(GEMMA3_4B, 8.6, "4.3B"),
    "RedHatAI/gemma-3-4b-it-quantized.w4a16": _known(GEMMA3_4B, 3.9, "4.3B", "W4A16"),
    "gaunernst/gemma-3-4b-it-int4-awq": _known(GEMMA3_4B, 3.5, "4.3B", "AWQ"),
    "RedHatAI/gemma-3-4b-it-FP8-dynamic": _known(GEMMA3_4B, 5.4, "4.3B", "FP8"),
    "Qwen/Qwen2.5-VL-7B-Instruct": _known(QWEN25_VL_7B, 16.6, "8.3B"),
    "Qwen/Qwen2.5-VL-7B-Instruct-AWQ": _known(QWEN25_VL_7B, 6.9, "8.3B", "AWQ"),
    "RedHatAI/Qwen2.5-VL-7B-Instruct-quantized.w4a16": _known(QWEN25_VL_7B, 6.9, "8.3B", "W4A16"),
}
"""By repository, spelled as the Hub spells it."""


def known(source: object) -> KnownModel | None:
    """Return what is known of a source, or None; only repositories of the Hub can be known."""
    return KNOWN.get(source.repository) if isinstance(source, Hub) else None
