"""What vLLM puts into a share, by its own arithmetic: windows, steps, heads."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelpool_operator.api.quantity import GIB
from modelpool_operator.planning.engines.vllm import memory as vllm_memory
from modelpool_operator.planning.memory import catalogue
from modelpool_operator.planning.memory.architectures import Shape
from modelpool_operator.planning.memory.arithmetic import CACHE, total
from modelpool_operator.tests.planning.pools import spec_of, vllm

GEMMA = "hf://google/gemma-3-12b-it"
CARD = 48 * GIB


def cache_of(card: int = CARD, *, pool_args: tuple[str, ...] = (), **fields: Any) -> int:
    """Return the bytes on each card of what is kept for one sequence."""
    model = spec_of(vllm("a", 0.5, **{"source": GEMMA, "contextLength": 8192, **fields})).models[0]
    terms, _ = vllm_memory.needs(model, card, pool_args)
    return sum(term.bytes for term in terms if term.label.startswith(CACHE))


ARGUMENTS: dict[str, tuple[list[str], float]] = {
    "the default": ([], 1.44),
    "a larger step": (["--max-num-batched-tokens=8192"], 3.00),
    "a larger step in two words": (["--max-num-batched-tokens", "8K"], 3.00),
    "a larger step with underscores": (["--max_num_batched_tokens=8192"], 3.00),
    "the last one": (["--max-num-batched-tokens=8192", "--max-num-batched-tokens=2048"], 1.44),
    "numbers of eight bit": (["--kv-cache-dtype=fp8"], 0.72),
    "no windows": (["--disable-sliding-window"], 3.00),
    "no manager of windows": (["--disable-hybrid-kv-cache-manager"], 3.00),
    "windows after all": (["--disable-sliding-window", "--no-disable-sliding-window"], 1.44),
}


@pytest.mark.parametrize(("args", "gib"), ARGUMENTS.values(), ids=ARGUMENTS.keys())
def test_arguments_say_what_is_kept(args: list[str], gib: float) -> None:
    assert cache_of(args=args) / GIB == pytest.approx(gib, abs=0.01)
    assert cache_of(pool_args=tuple(args)) == cache_of(args=args)


def test_a_large_card_takes_larger_steps() -> None:
    assert cache_of(80 * GIB) / GIB == pytest.approx(3.0, abs=0.01)


def test_tensor_parallelism_divides_no_head() -> None:
    source = "hf://Qwen/Qwen2.5-7B-Instruct"
    by_cards = [cache_of(source=source, tensorParallelSize=cards) for cards in (1, 4, 8)]
    assert by_cards[0] == 4 * by_cards[1]
    assert by_cards[2] == by_cards[1]


SOURCES = st.sampled_from([f"hf://{name}" for name in sorted(catalogue.KNOWN)])
STEPS = st.sampled_from([[], ["--max-num-batched-tokens=512"], ["--max-num-batched-tokens=16384"]])


@settings(deadline=None, max_examples=60)
@given(SOURCES, st.integers(1, 80), STEPS, st.sampled_from([1, 2, 4]))
def test_the_longest_context_fits_and_one_token_more_does_not(
    source: str, gib: int, args: list[str], cards: int
) -> None:
    fields = {"source": source, "args": args, "tensorParallelSize": cards}
    free = spec_of(vllm("a", 0.5, **fields)).models[0]
    longest = vllm_memory.longest_context(free, gib * GIB, CARD)
    assert longest is not None

    def taken(length: int) -> int:
        model = spec_of(vllm("a", 0.5, **fields, contextLength=length)).models[0]
        return total(vllm_memory.needs(model, CARD)[0])

    assert longest == 0 or taken(longest) <= gib * GIB
    trained = catalogue.KNOWN[source.removeprefix("hf://")].context
    assert longest == trained or taken(longest + 1) > gib * GIB


def test_a_shape_without_windows_costs_the_same_whatever_a_step_is() -> None:
    shape = Shape(layers=2, kv_heads=4, head_size=8)
    assert shape.kv_bytes(100, batched=1) == shape.kv_bytes(100, batched=8192) == 2 * 4 * 8 * 2 * 2 * 100
