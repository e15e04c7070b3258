"""Layouts that people run or wish for, on the cards they have: what the planner says of each, and with which numbers.

Card sizes are those that drivers report (`nvidia-smi`), in MiB: a "24 GB" L4 has 23034, an RTX 4090 24564.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest

from modelpool_operator.api.quantity import gib
from modelpool_operator.planning.memory.refusals import Refusal
from modelpool_operator.planning.sharing.shares import Placement
from modelpool_operator.tests.planning.pools import attempted

RTX_4090, RTX_3090, L4, RTX_3060, T4, RTX_4080 = "24564Mi", "24576Mi", "23034Mi", "12288Mi", "15360Mi", "16376Mi"
A6000, L40S, A100_80, H100 = "49140Mi", "46068Mi", "81920Mi", "81559Mi"

GEMMA = "RedHatAI/gemma-3-4b-it-quantized.w4a16"
VISION = "Qwen/Qwen2.5-VL-7B-Instruct-AWQ"
QWEN_8B, QWEN_4B = "Qwen/Qwen3-8B-AWQ", "Qwen/Qwen3-4B-AWQ"
LLAMA_8B = "hugging-quants/Meta-Llama-3.1-8B-Instruct-AWQ-INT4"


def on(repository: str, fraction: float, context: int | None = None, **fields: Any) -> dict[str, Any]:
    """Return a model that is called as its repository, without the owner."""
    length = {} if context is None else {"contextLength": context}
    source = {"source": f"hf://{repository}", "gpuMemoryFraction": fraction}
    return {"name": repository.partition("/")[2], "engine": "vllm", **source, **length, **fields}


class Layout(NamedTuple):
    card: str
    models: tuple[dict[str, Any], ...]
    says: str
    """What is free on each card, or the reason and a part of the message."""
    gpus: Mapping[str, Any] = MappingProxyType({})
    ollama: str = "0"


LAYOUTS = {
    "three chat models on a 4090": Layout(
        RTX_4090,
        (on(GEMMA, 0.25, 8192), on(QWEN_8B, 0.35, 8192), on(LLAMA_8B, 0.30, 2048)),
        "0.9Gi",
    ),
    "the same on a 3090": Layout(
        RTX_3090, (on(GEMMA, 0.25, 8192), on(QWEN_8B, 0.35, 8192), on(LLAMA_8B, 0.30, 2048)), "0.9Gi"
    ),
    "the same on an L4, where a fraction is less": Layout(
        L4,
        (on(GEMMA, 0.25, 8192), on(QWEN_8B, 0.35, 8192), on(LLAMA_8B, 0.30, 2048)),
        "ModelTooLarge: Qwen3-8B-AWQ needs 8.01Gi (5.68Gi weights + 1.20Gi runtime + 1.13Gi KV cache for one sequence"
        " of 8192 tokens), but its share is 7.87Gi (0.35 of 22.49Gi)",
    ),
    "the same on an L4 with 4096 tokens": Layout(
        L4, (on(GEMMA, 0.25, 8192), on(QWEN_8B, 0.35, 4096), on(LLAMA_8B, 0.30, 1024)), "0.7Gi"
    ),
    "an FP8 8B in a third of a 4090": Layout(
        RTX_4090, (on("Qwen/Qwen3-8B-FP8", 0.35),), "ModelTooLarge: Qwen3-8B-FP8 needs 9.99Gi"
    ),
    "an FP8 8B in half of a 4090": Layout(RTX_4090, (on("Qwen/Qwen3-8B-FP8", 0.5, 8192),), "11.5Gi"),
    "a 16 bit 8B on a 4090": Layout(RTX_4090, (on("Qwen/Qwen3-8B", 0.9, 8192),), "1.9Gi"),
    "a 16 bit 8B with its whole context": Layout(
        RTX_4090, (on("Qwen/Qwen3-8B", 0.9, 40960),), "ModelTooLarge: Qwen3-8B needs 22.09Gi"
    ),
    "a 32B in 4 bit on a 4090": Layout(RTX_4090, (on("Qwen/Qwen3-32B-AWQ", 0.92, 8192),), "1.4Gi"),
    "a mixture of experts in 4 bit beside a small one": Layout(
        RTX_4090, (on("openai/gpt-oss-20b", 0.7, 16384), on("Qwen/Qwen3-1.7B-FP8", 0.22, 8192)), "0.9Gi"
    ),
    "a 14B and an embedding model": Layout(
        RTX_4090, (on("Qwen/Qwen3-14B-AWQ", 0.72, 16384), on("Qwen/Qwen3-Embedding-0.6B", 0.2, 8192)), "0.9Gi"
    ),
    "an 8B alone on a 3060": Layout(RTX_3060, (on(QWEN_8B, 0.9, 16384),), "0.7Gi"),
    "an 8B and Ollama's share on a 3060": Layout(
        RTX_3060,
        (on(QWEN_8B, 0.75, 8192),),
        "CardOverfull: the card has 12.00Gi, but the pool takes 14.00Gi (9.00Gi Qwen3-8B-AWQ + 4.00Gi ollama + 1.00Gi"
        " for 2 CUDA contexts)",
        ollama="4Gi",
    ),
    "two cards of 12, four models that fit": Layout(
        RTX_3060,
        (on(GEMMA, 0.45, 8192), on(QWEN_4B, 0.42, 4096), on(QWEN_8B, 0.75, 8192)),
        "2.5Gi, 0.6Gi",
        gpus={"count": 2},
    ),
    "two cards of 12, two 8B on each": Layout(
        RTX_3060,
        (on(QWEN_8B, 0.6), on(LLAMA_8B, 0.56), on(VISION, 0.65)),
        "NoPlacement: no way to spread",
        gpus={"count": 2},
    ),
    "a 16 bit 8B over two cards of 12": Layout(
        RTX_3060,
        (on("meta-llama/Llama-3.1-8B-Instruct", 0.9, 8192, tensorParallelSize=2),),
        "0.1Gi, 0.1Gi",
        gpus={"count": 2},
    ),
    "a 4B on a T4": Layout(T4, (on(QWEN_4B, 0.5, 8192), on("Qwen/Qwen3-1.7B", 0.4, 8192)), "0.5Gi"),
    "a 16 bit 7B on a T4": Layout(
        T4, (on("Qwen/Qwen2.5-7B-Instruct", 0.92),), "ModelTooLarge: Qwen2.5-7B-Instruct needs 15.39Gi"
    ),
    "vision and chat on a 4080": Layout(RTX_4080, (on(VISION, 0.55, 8192), on(QWEN_4B, 0.35, 8192)), "0.6Gi"),
    "a 12B of Gemma on a 4080": Layout(RTX_4080, (on("RedHatAI/gemma-3-12b-it-quantized.w4a16", 0.9, 8192),), "1.1Gi"),
    "a 70B in 4 bit on an A6000": Layout(
        A6000, (on("hugging-quants/Meta-Llama-3.1-70B-Instruct-AWQ-INT4", 0.92, 8192),), "3.1Gi"
    ),
    "a 70B in 4 bit on an L40S": Layout(
        L40S, (on("hugging-quants/Meta-Llama-3.1-70B-Instruct-AWQ-INT4", 0.92, 8192),), "2.8Gi"
    ),
    "three models on an L40S": Layout(
        L40S,
        (
            on("Qwen/Qwen3-14B-FP8", 0.45, 16384),
            on("Qwen/Qwen2.5-Coder-14B-Instruct-AWQ", 0.33, 16384),
            on("Qwen/Qwen3-Embedding-0.6B", 0.1, 8192),
        ),
        "3.1Gi",
    ),
    "a 27B and a 24B on an A100": Layout(
        A100_80,
        (on("RedHatAI/gemma-3-27b-it-FP8-dynamic", 0.45, 16384), on("mistralai/Mistral-Small-24B-Instruct-2501", 0.45)),
        "ModelTooLarge: Mistral-Small-24B-Instruct-2501 needs 45.11Gi",
    ),
    "three engines on an H100": Layout(
        H100,
        (
            on("Qwen/Qwen3-32B-FP8", 0.5, 16384),
            on("Qwen/Qwen3-8B-FP8", 0.2, 16384),
            on("openai/gpt-oss-20b", 0.25, 16384),
        ),
        "1.7Gi",
    ),
    "a large mixture of experts on an H100": Layout(H100, (on("openai/gpt-oss-120b", 0.92, 16384),), "5.6Gi"),
    "a 70B over two H100": Layout(
        H100,
        (on("meta-llama/Llama-3.3-70B-Instruct", 0.92, 16384, tensorParallelSize=2),),
        "5.1Gi, 5.1Gi",
        gpus={"count": 2},
    ),
    "a 16 bit 32B with a long context on an A100": Layout(A100_80, (on("Qwen/Qwen3-32B", 0.92, 40960),), "5.7Gi"),
}


def verdict(layout: Layout) -> Placement | Refusal:
    gpus = {"sharing": "dra", "memory": layout.card, **layout.gpus}
    return attempted(*layout.models, gpus=gpus, ollama={"gpuMemory": layout.ollama})


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS.keys())
def test_the_verdict_on_a_layout(layout: Layout) -> None:
    found = verdict(layout)
    if isinstance(found, Placement):
        assert ", ".join(gib(card.free) for card in found.cards) == layout.says
        assert found.notes == ()
    else:
        assert f"{found.reason}: {found.message}".startswith(layout.says)


def test_there_are_two_dozen() -> None:
    assert len(LAYOUTS) >= 24
    assert {layout.card for layout in LAYOUTS.values()} >= {RTX_4090, RTX_3060, RTX_4080, L4, A6000, A100_80}
