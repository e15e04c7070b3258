"""Transformers by the numbers of their `config.json`: how many parameters, how large in which format, what KV cache.

Nothing here is measured or copied from a table of sizes: counts follow from the layers' dimensions. A test compares
them with the counts that the models' makers publish.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final

BLOCK: Final = 16
"""Tokens of a block of vLLM's cache (`--block-size`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """The part of a model's architecture that its KV cache depends on (`config.json`)."""

    layers: int
    """With full attention (`num_hidden_layers`, less the sliding ones)."""
    kv_heads: int
    head_size: int
    sliding_layers: int = 0
    window: int = 0
    """Tokens that a token of a sliding layer looks back upon, itself included (`sliding_window`)."""

    @property
    def padded_sliding_layers(self) -> int:
        """Sliding layers as they are stored: in groups as large as that of the layers with full attention, or less."""
        group = min(self.layers, self.sliding_layers) or 1
        return -(-self.sliding_layers // group) * group

    def kv_bytes(self, tokens: int, element_bytes: int = 2, *, batched: int = 0, cards: int = 1) -> int:
        """Return the bytes that vLLM sets aside on each card for one sequence's keys and values.

        A sliding layer keeps the window, one step, and a block more (`SlidingWindowSpec.max_memory_usage_bytes`).

        Args:
            tokens: of the sequence.
            element_bytes: of a cached number.
            batched: tokens that one step may add, `--max-num-batched-tokens`.
            cards: over which the heads are divided; beyond one head for each card there is nothing to divide.
        """
        heads = -(-self.kv_heads // max(1, cards))
        kept = -(-min(self.window - 1 + batched, tokens) // BLOCK) + 1 if tokens and self.sliding_layers else 0
        slots = self.layers * tokens + self.padded_sliding_layers * kept * BLOCK
        return 2 * heads * self.head_size * element_bytes * slots


class Format(Enum):
    """How linear layers are stored. Embeddings, heads and vision towers stay at 16 bit in all of them."""

    BF16 = "BF16"
    FP8 = "FP8"
    AWQ = "AWQ"
    W4A16 = "W4A16"
    MXFP4 = "MXFP4"

    @property
    def bits(self) -> float:
        """Bits of a parameter with its share of scales: groups of 128 with 16-bit scales, AWQ's zero points too."""
        return {"BF16": 16.0, "FP8": 8.0, "AWQ": 4 + 20 / 128, "W4A16": 4 + 16 / 128, "MXFP4": 4 + 8 / 32}[self.value]


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """A decoder with gated feed-forward layers, as all models here are."""

    shape: Shape
    hidden: int
    intermediate: int
    """Of one expert, where there are several."""
    heads: int
    vocabulary: int
    context: int
    """Tokens that the model was trained for (`max_position_embeddings`)."""
    tied: bool = False
    """Whether the head is the embedding (`tie_word_embeddings`)."""
    experts: int = 1
    vision: int = 0
    """Parameters of a vision tower, at 16 bit."""
    only_experts: bool = False
    """Whether formats below 16 bit are used for the experts alone."""

    @property
    def embedding(self) -> int:
        """Parameters of embedding and head."""
        return self.vocabulary * self.hidden * (1 if self.tied else 2)

    @property
    def attention(self) -> int:
        """Parameters of all projections of attention."""
        layers = self.shape.layers + self.shape.sliding_layers
        return layers * 2 * self.hidden * self.shape.head_size * (self.heads + self.shape.kv_heads)

    @property
    def feed_forward(self) -> int:
        """Parameters of all feed-forward layers, routers included."""
        layers = self.shape.layers + self.shape.sliding_layers
        router = self.hidden * self.experts if self.experts > 1 else 0
        return layers * (3 * self.hidden * self.intermediate * self.experts + router)

    @property
    def adapter_numbers(self) -> int:
        """Numbers of a LoRA adapter of rank 1 on every projection: an input and an output side for each matrix."""
        layers = self.shape.layers + self.shape.sliding_layers
        query, key = self.heads * self.shape.head_size, self.shape.kv_heads * self.shape.head_size
        attention = 4 * self.hidden + 2 * query + 2 * key
        return layers * (attention + self.experts * 3 * (self.hidden + self.intermediate))

    @property
    def parameters(self) -> int:
        """All of them; norms and biases, less than a thousandth, are left out."""
        return self.embedding + self.attention + self.feed_forward + self.vision

    def weights(self, stored: Format) -> int:
        """Return the bytes of the weights in GPU memory."""
        narrow = self.feed_forward if self.only_experts else self.feed_forward + self.attention
        return int(narrow * stored.bits / 8 + (self.parameters - narrow) * 2)


def _qwen3(hidden: int, intermediate: int, layers: int, heads: int, *, tied: bool) -> Architecture:
    shape = Shape(layers=layers, kv_heads=8, head_size=128)
    return Architecture(
        shape=shape,
        hidden=hidden,
        intermediate=intermediate,
        heads=heads,
        vocabulary=151936,
        context=40960,
        tied=tied,
    )


def _qwen25(hidden: int, intermediate: int, layers: int, heads: int, kv_heads: int) -> Architecture:
    tied = hidden < 3584
    return Architecture(
        shape=Shape(layers=layers, kv_heads=kv_heads, head_size=hidden // heads),
        hidden=hidden,
        intermediate=intermediate,
        heads=heads,
        vocabulary=151936 if tied else 152064,
        context=32768,
        tied=tied,
    )


def _llama(hidden: int, intermediate: int, layers: int, heads: int, *, tied: bool = False) -> Architecture:
    return Architecture(
        shape=Shape(layers=layers, kv_heads=8, head_size=hidden // heads),
        hidden=hidden,
        intermediate=intermediate,
        heads=heads,
        vocabulary=128256,
        context=131072,
        tied=tied,
    )


def _mistral(hidden: int, intermediate: int, layers: int, vocabulary: int, context: int) -> Architecture:
    return Architecture(
        shape=Shape(layers=layers, kv_heads=8, head_size=128),
        hidden=hidden,
        intermediate=intermediate,
        heads=32,
        vocabulary=vocabulary,
        context=context,
    )


def _gemma3(
    hidden: int, intermediate: int, layers: int, heads: int, kv_heads: int, head_size: int, full: int
) -> Architecture:
    small = hidden < 2560
    shape = Shape(
        layers=full,
        kv_heads=kv_heads,
        head_size=head_size,
        sliding_layers=layers - full,
        window=512 if small else 1024,
    )
    return Architecture(
        shape=shape,
        hidden=hidden,
        intermediate=intermediate,
        heads=heads,
        vocabulary=262144 if small else 262208,
        context=32768 if small else 131072,
        tied=True,
        vision=0 if small else 417_000_000,
    )


def _gpt_oss(layers: int, experts: int) -> Architecture:
    shape = Shape(layers=layers // 2, kv_heads=8, head_size=64, sliding_layers=layers // 2, window=128)
    return Architecture(
        shape=shape,
        hidden=2880,
        intermediate=2880,
        heads=64,
        vocabulary=201088,
        context=131072,
        experts=experts,
        only_experts=True,
    )


QWEN3_06B: Final = _qwen3(1024, 3072, 28, 16, tied=True)
QWEN3_17B: Final = _qwen3(2048, 6144, 28, 16, tied=True)
QWEN3_4B: Final = _qwen3(2560, 9728, 36, 32, tied=True)
QWEN3_8B: Final = _qwen3(4096, 12288, 36, 32, tied=False)
QWEN3_14B: Final = _qwen3(5120, 17408, 40, 40, tied=False)
QWEN3_32B: Final = _qwen3(5120, 25600, 64, 64, tied=False)
QWEN3_30B_A3B: Final = Architecture(
    shape=Shape(layers=48, kv_heads=4, head_size=128),
    hidden=2048,
    intermediate=768,
    heads=32,
    vocabulary=151936,
    context=40960,
    experts=128,
)
QWEN25_05B: Final = _qwen25(896, 4864, 24, 14, 2)
QWEN25_15B: Final = _qwen25(1536, 8960, 28, 12, 2)
QWEN25_3B: Final = _qwen25(2048, 11008, 36, 16, 2)
QWEN25_7B: Final = _qwen25(3584, 18944, 28, 28, 4)
QWEN25_14B: Final = _qwen25(5120, 13824, 48, 40, 8)
QWEN25_32B: Final = _qwen25(5120, 27648, 64, 40, 8)
QWEN25_72B: Final = _qwen25(8192, 29568, 80, 64, 8)
LLAMA32_1B: Final = _llama(2048, 8192, 16, 32, tied=True)
LLAMA32_3B: Final = _llama(3072, 8192, 28, 24, tied=True)
LLAMA31_8B: Final = _llama(4096, 14336, 32, 32)
LLAMA31_70B: Final = _llama(8192, 28672, 80, 64)
MISTRAL_7B: Final = _mistral(4096, 14336, 32, 32768, 32768)
MISTRAL_NEMO_12B: Final = _mistral(5120, 14336, 40, 131072, 131072)
MISTRAL_SMALL_24B: Final = _mistral(5120, 32768, 40, 131072, 32768)
PHI4_14B: Final = Architecture(
    shape=Shape(layers=40, kv_heads=10, head_size=128),
    hidden=5120,
    intermediate=17920,
    heads=40,
    vocabulary=100352,
    context=16384,
)
GEMMA3_1B: Final = _gemma3(1152, 6912, 26, 4, 1, 256, 4)
GEMMA3_4B: Final = _gemma3(2560, 10240, 34, 8, 4, 256, 5)
GEMMA3_12B: Final = _gemma3(3840, 15360, 48, 16, 8, 256, 8)
GEMMA3_27B: Final = _gemma3(5376, 21504, 62, 32, 16, 128, 10)
GPT_OSS_20B: Final = _gpt_oss(24, 32)
GPT_OSS_120B: Final = _gpt_oss(36, 128)
