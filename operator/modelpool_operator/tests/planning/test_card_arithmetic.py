"""The lines of a card: they add up, as numbers and as they are read."""

import re
from decimal import Decimal

import pytest

from modelpool_operator.planning.memory.refusals import Refusal
from modelpool_operator.planning.placement.card_arithmetic import Line, lines_of
from modelpool_operator.planning.sharing.shares import Placement
from modelpool_operator.tests.planning.pools import placed, two_cards, vllm
from modelpool_operator.tests.planning.test_layouts import LAYOUTS, Layout, verdict

every_layout = pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS.keys())
AWQ = {"source": "hf://Qwen/Qwen3-8B-AWQ"}


def hundredths(text: str) -> int:
    return int(Decimal(text.removesuffix("Gi")) * 100)


def gib(amount: int) -> str:
    return f"{amount / 1024**3:.2f}Gi"


def read(*lines: Line) -> list[tuple[str, str, str | None]]:
    return [(line.shown, line.label, line.spelled) for line in lines]


def test_a_card_line_by_line() -> None:
    draft = {"method": "draftModel", "model": "hf://Qwen/Qwen3-0.6B"}
    found = placed(
        vllm("qwen3:8b", 0.4, contextLength=4096, speculative=draft, **AWQ),
        vllm("auto", 0.3, source="hf://Qwen/Qwen3-4B-AWQ"),
        vllm("unknown", 0.05),
        gpus={"reserve": "1Gi"},
        ollama={"gpuMemory": "2Gi"},
    )
    assert read(*lines_of(found.cards[0])) == [
        (
            "9.60Gi",
            "qwen3:8b: 0.4 of 24.00Gi",
            (
                "5.68Gi weights + 1.20Gi runtime + 0.56Gi KV cache for one sequence of 4096 tokens"
                " + 1.56Gi draft model + 0.60Gi more KV cache"
            ),
        ),
        ("0.50Gi", "qwen3:8b: CUDA context", None),
        ("7.20Gi", "auto: 0.3 of 24.00Gi", "2.49Gi weights + 1.20Gi runtime + 3.51Gi KV cache"),
        ("0.50Gi", "auto: CUDA context", None),
        ("1.20Gi", "unknown: 0.05 of 24.00Gi", None),
        ("0.50Gi", "unknown: CUDA context", None),
        ("2.00Gi", "Ollama: 0.0833 of 24.00Gi", None),
        ("0.50Gi", "Ollama: CUDA context", None),
        ("1.00Gi", "reserve", None),
        ("1.00Gi", "free", None),
    ]


def test_a_wide_engine_says_that_it_takes_its_share_of_each_card() -> None:
    found = placed(vllm("wide", 0.5, tensorParallelSize=2), **two_cards())
    assert lines_of(found.cards[1])[0].label == "wide: 0.5 of 12.00Gi on each of cards 0, 1"


def test_a_stated_cache_leaves_the_rest_unused() -> None:
    found = placed(vllm("a", 0.5, kvCacheMemory="2Gi", **AWQ))
    assert lines_of(found.cards[0])[0].spelled == (
        "5.68Gi weights + 1.20Gi runtime + 2.00Gi KV cache as stated + 3.12Gi to spare"
    )


@every_layout
def test_the_lines_of_every_card_add_up_to_its_memory(layout: Layout) -> None:
    found = verdict(layout)
    for card in found.cards if isinstance(found, Placement) else ():
        lines = lines_of(card)
        assert sum(line.bytes for line in lines) == card.memory
        assert sum(hundredths(line.shown) for line in lines) == round(card.memory * 100 / 1024**3)
        for line in lines:
            if line.parts:
                assert sum(part.bytes for part in line.parts) == line.bytes
                assert sum(hundredths(part.shown) for part in line.parts) == hundredths(line.shown)


@every_layout
def test_the_numbers_of_every_refusal_add_up(layout: Layout) -> None:
    found = verdict(layout)
    if not isinstance(found, Refusal):
        return
    # As numbers: what is wanted is more than what there is, or it is all in the wrong places.
    need = sum(term.bytes for term in found.need)
    assert found.have is not None
    assert need > found.have or found.reason == "NoPlacement"
    # As they are read: the sum, its summands in brackets, and what there is.
    total, summands = re.search(r"([\d.]+)Gi \(([^)]+)\)", found.message).groups()  # type: ignore[union-attr]
    parts = [Decimal(amount) for amount in re.findall(r"(?:^|\+ )([\d.]+)Gi ", summands)]
    assert len(parts) == len(found.need)
    assert sum(parts) == Decimal(total)
    assert f"{total}Gi" == gib(need)
    if found.reason == "ModelTooLarge":
        share, fraction, card = re.search(r"share is ([\d.]+)Gi \(([\d.]+) of ([\d.]+)Gi\)", found.message).groups()  # type: ignore[union-attr]
        assert f"{share}Gi" == gib(found.have)
        assert abs(Decimal(fraction) * Decimal(card) - Decimal(share)) <= Decimal("0.01")


def test_enough_layouts_are_refused_to_tell() -> None:
    assert sum(isinstance(verdict(layout), Refusal) for layout in LAYOUTS.values()) >= 7
