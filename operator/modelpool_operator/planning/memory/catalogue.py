"""Known models: how large their weights are and what their KV cache costs, so that a plan can say whether they fit.

What is not here is unchecked, and the plan says so; a user states `weights` instead. Weights follow from a model's
dimensions and the format it is stored in (`architectures`), unless an entry names another source. Nothing is fetched.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from modelpool_operator.planning.memory import architectures as of
from modelpool_operator.planning.memory.architectures import Architecture, Format, Shape
from modelpool_operator.planning.memory.sources import Hub


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownModel:
    """One repository."""

    shape: Shape
    weights: int
    """Bytes in GPU memory."""
    parameters: str
    """As Ollama shows it: `8.2B`."""
    quantization: str
    context: int
    """Tokens that the model was trained for."""
    width: int
    """Numbers of a hidden state, and so of an embedding (`hidden_size`)."""
    source: str
    """Where the weights' size comes from."""
    adapter_numbers: int
    """Numbers of a LoRA adapter of rank 1."""


COMPUTED: Final = "computed from the dimensions in config.json"
CARD: Final = "the repository's model card"
FILES: Final = "the reported size of the repository's files"
ROUNDED: Final = 10_000_000
"""Computed weights are rounded up to so many bytes, which is more than norms, biases and scales take."""
LONG: Final = 262144
"""Tokens that the 2507 releases of Qwen3 and Qwen3-Coder are trained for."""


def _computed(architecture: Architecture, stored: Format = Format.BF16, *, context: int | None = None) -> KnownModel:
    return KnownModel(
        shape=architecture.shape,
        weights=-(-architecture.weights(stored) // ROUNDED) * ROUNDED,
        parameters=f"{architecture.parameters / 1e9:.1f}B",
        quantization=stored.value,
        context=context or architecture.context,
        width=architecture.hidden,
        source=COMPUTED,
        adapter_numbers=architecture.adapter_numbers,
    )


def _stated(
    architecture: Architecture, gigabytes: float, parameters: str, quantization: str, source: str, context: int = 0
) -> KnownModel:
    return KnownModel(
        shape=architecture.shape,
        weights=int(gigabytes * 1e9),
        parameters=parameters,
        quantization=quantization,
        context=context or architecture.context,
        width=architecture.hidden,
        source=source,
        adapter_numbers=architecture.adapter_numbers,
    )


def _qwen3() -> Iterator[tuple[str, KnownModel]]:
    sizes = {
        "0.6B": of.QWEN3_06B,
        "1.7B": of.QWEN3_17B,
        "4B": of.QWEN3_4B,
        "8B": of.QWEN3_8B,
        "14B": of.QWEN3_14B,
        "32B": of.QWEN3_32B,
        "30B-A3B": of.QWEN3_30B_A3B,
    }
    for size, architecture in sizes.items():
        yield f"Qwen/Qwen3-{size}", _computed(architecture)
        yield f"Qwen/Qwen3-{size}-FP8", _computed(architecture, Format.FP8)
    for size in ("4B", "8B", "14B", "32B"):
        yield f"Qwen/Qwen3-{size}-AWQ", _computed(sizes[size], Format.AWQ)
    for name in ("4B-Instruct-2507", "4B-Thinking-2507", "30B-A3B-Instruct-2507", "30B-A3B-Thinking-2507"):
        architecture = of.QWEN3_4B if name.startswith("4B") else of.QWEN3_30B_A3B
        yield f"Qwen/Qwen3-{name}", _computed(architecture, context=LONG)
        yield f"Qwen/Qwen3-{name}-FP8", _computed(architecture, Format.FP8, context=LONG)
    for suffix, stored in (("", Format.BF16), ("-FP8", Format.FP8)):
        name = f"Qwen/Qwen3-Coder-30B-A3B-Instruct{suffix}"
        yield name, _computed(of.QWEN3_30B_A3B, stored, context=LONG)
    yield "Qwen/Qwen3-Embedding-0.6B", _computed(of.QWEN3_06B, context=32768)
    yield "Qwen/Qwen3-Embedding-4B", _computed(of.QWEN3_4B, context=40960)


def _qwen25() -> Iterator[tuple[str, KnownModel]]:
    sizes = {
        "0.5B": of.QWEN25_05B,
        "1.5B": of.QWEN25_15B,
        "3B": of.QWEN25_3B,
        "7B": of.QWEN25_7B,
        "14B": of.QWEN25_14B,
        "32B": of.QWEN25_32B,
        "72B": of.QWEN25_72B,
    }
    for size, architecture in sizes.items():
        for family in ("Qwen2.5", *(() if size == "72B" else ("Qwen2.5-Coder",))):
            yield f"Qwen/{family}-{size}-Instruct", _computed(architecture)
            yield f"Qwen/{family}-{size}-Instruct-AWQ", _computed(architecture, Format.AWQ)
    for size in ("7B", "14B", "32B"):
        yield f"deepseek-ai/DeepSeek-R1-Distill-Qwen-{size}", _computed(sizes[size], context=131072)
    for size in ("14B", "32B"):
        yield f"deepcogito/cogito-v1-preview-qwen-{size}", _computed(sizes[size], context=131072)


def _llama() -> Iterator[tuple[str, KnownModel]]:
    for name, architecture in (
        ("meta-llama/Llama-3.2-1B-Instruct", of.LLAMA32_1B),
        ("meta-llama/Llama-3.2-3B-Instruct", of.LLAMA32_3B),
        ("meta-llama/Llama-3.1-8B-Instruct", of.LLAMA31_8B),
        ("meta-llama/Llama-3.1-70B-Instruct", of.LLAMA31_70B),
        ("meta-llama/Llama-3.3-70B-Instruct", of.LLAMA31_70B),
        ("deepseek-ai/DeepSeek-R1-Distill-Llama-8B", of.LLAMA31_8B),
        ("deepseek-ai/DeepSeek-R1-Distill-Llama-70B", of.LLAMA31_70B),
        ("deepcogito/cogito-v1-preview-llama-3B", of.LLAMA32_3B),
        ("deepcogito/cogito-v1-preview-llama-8B", of.LLAMA31_8B),
        ("deepcogito/cogito-v1-preview-llama-70B", of.LLAMA31_70B),
    ):
        yield name, _computed(architecture)
    for size, architecture in (("8B", of.LLAMA31_8B), ("70B", of.LLAMA31_70B)):
        name = f"Meta-Llama-3.1-{size}-Instruct"
        yield f"hugging-quants/{name}-AWQ-INT4", _computed(architecture, Format.AWQ)
        yield f"RedHatAI/{name}-FP8", _computed(architecture, Format.FP8)
        yield f"RedHatAI/{name}-quantized.w4a16", _computed(architecture, Format.W4A16)


def _gemma3() -> Iterator[tuple[str, KnownModel]]:
    sizes = {"1b": of.GEMMA3_1B, "4b": of.GEMMA3_4B, "12b": of.GEMMA3_12B, "27b": of.GEMMA3_27B}
    for size, architecture in sizes.items():
        for owner in ("google", "unsloth"):
            yield f"{owner}/gemma-3-{size}-it", _computed(architecture)
        yield f"RedHatAI/gemma-3-{size}-it-FP8-dynamic", _computed(architecture, Format.FP8)
        yield f"RedHatAI/gemma-3-{size}-it-quantized.w4a16", _computed(architecture, Format.W4A16)


def _others() -> Iterator[tuple[str, KnownModel]]:
    yield "mistralai/Mistral-7B-Instruct-v0.3", _computed(of.MISTRAL_7B)
    yield "mistralai/Mistral-Nemo-Instruct-2407", _computed(of.MISTRAL_NEMO_12B)
    yield "mistralai/Mistral-Small-24B-Instruct-2501", _computed(of.MISTRAL_SMALL_24B)
    yield "microsoft/phi-4", _computed(of.PHI4_14B)
    yield "openai/gpt-oss-20b", _computed(of.GPT_OSS_20B, Format.MXFP4)
    yield "openai/gpt-oss-120b", _computed(of.GPT_OSS_120B, Format.MXFP4)


QWEN25_VL_7B: Final = of.QWEN25_7B
"""The language part; the vision tower is in the stated sizes."""
VISION_CONTEXT: Final = 128000

STATED: Final = {
    "pytorch/Qwen3-8B-INT4": _stated(of.QWEN3_8B, 6.27, "8.2B", "INT4", CARD),
    "Qwen/Qwen3-4B-Instruct-2507-FP8": _stated(of.QWEN3_4B, 5.2, "4.0B", "FP8", FILES, LONG),
    "RedHatAI/gemma-3-4b-it-quantized.w4a16": _stated(of.GEMMA3_4B, 3.9, "4.3B", "W4A16", FILES),
    "gaunernst/gemma-3-4b-it-int4-awq": _stated(of.GEMMA3_4B, 3.5, "4.3B", "AWQ", FILES),
    "Qwen/Qwen2.5-VL-7B-Instruct": _stated(QWEN25_VL_7B, 16.6, "8.3B", "BF16", FILES, VISION_CONTEXT),
    "Qwen/Qwen2.5-VL-7B-Instruct-AWQ": _stated(QWEN25_VL_7B, 6.9, "8.3B", "AWQ", FILES, VISION_CONTEXT),
    "RedHatAI/Qwen2.5-VL-7B-Instruct-quantized.w4a16": _stated(
        QWEN25_VL_7B, 6.9, "8.3B", "W4A16", FILES, VISION_CONTEXT
    ),
}
"""Models whose files differ from what their dimensions say, or that have a part which is not computed."""

KNOWN: Final = {**dict(_qwen3()), **dict(_qwen25()), **dict(_llama()), **dict(_gemma3()), **dict(_others()), **STATED}
"""By repository, spelled as the Hub spells it."""


def known(source: object) -> KnownModel | None:
    """Return what is known of a source, or None; only repositories of the Hub can be known."""
    return KNOWN.get(source.repository) if isinstance(source, Hub) else None
