"""How fast vLLM computes the pool's quantised weights on a 24 GB card: published shares times bytes and operations.

Nobody publishes speeds of these very weights on one card with their prompts. What is published says which share of a
card's bandwidth and arithmetic vLLM reaches; the rest is counting. The card is the RTX 4090. Pure.

Sources, read in November 2026:

- card: NVIDIA's data sheet, 1008 GB/s and 165.2 TFLOP/s (bfloat16 in, 32 bit sums).
- bandwidth: vLLM writes 175 tokens/s of a 7B AWQ model, 3.9 GB, on an RTX 3090 of 936 GB/s: 0.73
  (github.com/mlc-ai/llm-perf-bench/pull/35). With 8 bit weights it reaches 0.60: 138.5 tokens/s of
  Qwen3-4B-Instruct-2507-FP8, 4.4 GB, on an RTX 4090 (github.com/noonghunna/club-3090/issues/697).
- arithmetic: prompts of 2048 to 4096 tokens of Llama-3.1-8B AWQ are read at 7308 to 7684 tokens/s on an RTX 4090: 0.65
  (github.com/casper-hansen/AutoAWQ/pull/656).
- batches: one answer of Qwen3-8B takes 1.66 s alone and 1.78 s among eight, vLLM on an H100: 0.01 for each further
  sequence (docs.gpustack.ai, performance lab, Qwen3-8B on H100). A 24 GB card has less arithmetic to spare: 0.02 here.
  The 4 bit kernel is made for batches of 16 to 32 (github.com/IST-DASLab/marlin), and the layers alone cost 4 % for
  64 sequences (`bench/card_sharing.py`, 16 bit, on an H100). The cache of each sequence is read on top.
- speculation: 1.4 to 1.6 times the speed for one request, EAGLE-3 and draft models of Llama-3.1-8B in vLLM
  (docs.jarvislabs.ai, speculative decoding in vLLM); "up to 2.5" is Red Hat's figure, and a systematic study finds that
  gains shrink with the batch (specdecode-bench.github.io). 1.6 here, with 2.35 tokens for each step of 1.47.
"""

from dataclasses import dataclass
from typing import Final

BANDWIDTH: Final = 1008e9
"""Bytes per second."""
ARITHMETIC: Final = 165.2e12
"""Operations per second."""
BANDWIDTH_SHARE: Final = 0.73
ARITHMETIC_SHARE: Final = 0.65
BATCH_SLOWDOWN: Final = 0.02
DRAFT_TOKENS: Final = 3
DRAFT_ACCEPTANCE: Final = 0.45
DRAFT_SLOWDOWN: Final = 0.47


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """What one model costs, from its architecture."""

    source: str
    read_bytes: float
    """For each token written: all weights but the input embeddings and the vision tower."""
    cache_bytes: float
    """Keys and values of one token of context, 8 bit."""
    operations: float
    """For each token read: twice the parameters of its layers. A picture's tokens carry the vision tower's part."""
    attention_operations: float
    """For each token read and each token before it: 4 x layers x width of the heads."""

    @property
    def reading(self) -> float:
        """Seconds per token of a prompt, as its first."""
        return self.operations / (ARITHMETIC_SHARE * ARITHMETIC)

    @property
    def reading_slowdown(self) -> float:
        """Share by which each token before it lengthens reading a token."""
        return self.attention_operations / self.operations

    @property
    def writing(self) -> float:
        """Seconds per token of an answer, without context."""
        return self.read_bytes / (BANDWIDTH_SHARE * BANDWIDTH)

    @property
    def cache_reading(self) -> float:
        """Seconds by which each token of context lengthens writing a token."""
        return self.cache_bytes / (BANDWIDTH_SHARE * BANDWIDTH)


def attention(layers: int, heads: int, width: int) -> float:
    """Return the operations of attention for each token and each token before it."""
    return 4.0 * layers * heads * width


def cache(layers: int, heads: int, width: int) -> float:
    """Return the bytes of keys and values of a token, 8 bit each."""
    return 2.0 * layers * heads * width


WEIGHTS: Final = {
    # 6.1 GB, of them 151,936 x 4096 embeddings at 16 bit; 6.95e9 parameters in 36 layers.
    "qwen3:8b": Weights(
        source="Qwen/Qwen3-8B-AWQ",
        read_bytes=6.1e9 - 151_936 * 4096 * 2,
        cache_bytes=cache(36, 8, 128),
        operations=2 * 6.95e9,
        attention_operations=attention(36, 32, 128),
    ),
    # 6.9 GB, of them 152,064 x 3584 embeddings and 0.68e9 of vision tower at 16 bit; 6.53e9 parameters in 28 layers.
    # The tower computes 4 patches for each of the 1280 tokens of a picture, among the 1500 of a prompt.
    "qwen2.5-vl:7b": Weights(
        source="Qwen/Qwen2.5-VL-7B-Instruct-AWQ",
        read_bytes=6.9e9 - 152_064 * 3584 * 2 - 0.68e9 * 2,
        cache_bytes=cache(28, 4, 128),
        operations=2 * 6.53e9 + 2 * 0.68e9 * 4 * 1280 / 1500,
        attention_operations=attention(28, 28, 128),
    ),
    # 2.7 GB with embeddings that serve as output layer too; 3.6e9 parameters in 36 layers.
    "qwen3:4b-instruct-2507-q8_0": Weights(
        source="cpatonn/Qwen3-4B-Instruct-2507-AWQ-4bit",
        read_bytes=2.7e9,
        cache_bytes=cache(36, 8, 128),
        operations=2 * 3.6e9,
        attention_operations=attention(36, 32, 128),
    ),
    # 3.5 GB, of them 0.42e9 of vision tower at 16 bit; embeddings serve as output layer too. 3.2e9 parameters in 34
    # layers, of which 5 see the whole context; the others' window adds nothing that grows.
    "gemma3:4b": Weights(
        source="gaunernst/gemma-3-4b-it-int4-awq",
        read_bytes=3.5e9 - 0.42e9 * 2,
        cache_bytes=cache(5, 4, 256),
        operations=2 * 3.2e9,
        attention_operations=attention(5, 8, 256),
    ),
    # 5.36 GiB made with llm-compressor, of them 128,256 x 4096 embeddings at 16 bit; 6.98e9 parameters in 32 layers.
    "cogito:8b": Weights(
        source="cogito-v1-preview-llama-8B, W4A16",
        read_bytes=5.36 * 2**30 - 128_256 * 4096 * 2,
        cache_bytes=cache(32, 8, 128),
        operations=2 * 6.98e9,
        attention_operations=attention(32, 32, 128),
    ),
}
"""By the name that the pools give them."""
