"""Why a model stands where it does, in words."""

from typing import Any

import pytest

from modelpool_operator.planning.placement.layout import place
from modelpool_operator.planning.placement.placement_reasons import why
from modelpool_operator.planning.sharing.cards import cards_of
from modelpool_operator.planning.sharing.shares import Placement
from modelpool_operator.tests.planning.pools import placed, spec_of, two_cards, vllm


def said(found: Placement) -> dict[str, str | None]:
    return {share.model: why(share, found) for share in found.shares}


def cards(count: int, **gpus: Any) -> dict[str, Any]:
    spec = two_cards()
    return {**spec, "gpus": {**spec["gpus"], "count": count, **gpus}}


def test_a_card_without_room_is_named_with_both_numbers() -> None:
    models = (vllm("a", 0.8, gpu=0), vllm("qwen3:8b", 0.7))
    assert said(placed(*models, **two_cards())) == {
        "a": "on card 0: pinned by `gpu`",
        "qwen3:8b": "on card 1: card 0 has 1.90Gi free, needs 8.90Gi",
    }


def test_a_card_with_room_is_said_to_be_fuller_then() -> None:
    found = placed(vllm("a", 0.4), vllm("b", 0.3), **two_cards())
    assert said(found)["b"] == "on card 1: card 0 would hold 9.40Gi with it, in place of 4.10Gi here"


def test_under_pack_a_card_with_room_is_filled_later() -> None:
    found = placed(vllm("a", 0.4), vllm("b", 0.3), vllm("c", 0.4), **cards(3, placement="pack"))
    assert said(found) == {
        "a": "on card 0: cards 1 and 2 are filled later",
        "c": "on card 0: cards 1 and 2 are filled later",
        "b": "on card 1: card 0 has 1.40Gi free, needs 4.10Gi, card 2 is filled later",
    }


def test_many_cards_are_spoken_of_together() -> None:
    models = [vllm(f"m{place}", 0.6) for place in range(5)]
    assert said(placed(*models, **cards(5)))["m4"] == (
        "on card 4: cards 0, 1, 2 and 3 have at most 4.30Gi free, needs 7.70Gi"
    )


def test_a_model_as_wide_as_the_pool_has_no_choice() -> None:
    found = placed(vllm("wide", 0.5, tensorParallelSize=2), **two_cards())
    assert said(found) == {"wide": "on cards 0 and 1: as wide as there are cards"}


def test_a_model_that_runs_stays() -> None:
    spec = spec_of(vllm("a", 0.4), vllm("b", 0.3), **two_cards())
    there = cards_of(spec, None)
    assert isinstance(there, tuple)
    found = place(spec, there, {"a": (1,)})
    assert isinstance(found, Placement)
    assert said(found)["a"] == "on card 1: runs there already"


@pytest.mark.parametrize("placement", ["spread", "pack"])
def test_one_card_is_no_choice(placement: str) -> None:
    assert said(placed(vllm("a", 0.4), gpus={"placement": placement})) == {"a": None}
