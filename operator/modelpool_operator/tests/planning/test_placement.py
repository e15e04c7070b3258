"""Where models go, with the numbers of cards that people have; and what they are told when models go nowhere."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelpool_operator.api.quantity import GIB, gib
from modelpool_operator.planning.memory.refusals import Refusal
from modelpool_operator.planning.placement import packing
from modelpool_operator.planning.placement.layout import place
from modelpool_operator.planning.sharing.cards import cards_of
from modelpool_operator.planning.sharing.shares import Placement
from modelpool_operator.tests.planning.pools import attempted, placed, refused, spec_of, two_cards, vllm

THREE = (vllm("gemma3:4b", 0.25), vllm("qwen3:8b", 0.35), vllm("cogito:8b", 0.30))
AWQ = {"source": "hf://Qwen/Qwen3-8B-AWQ"}


def layout(found: Placement) -> dict[str, tuple[int, ...]]:
    return {share.model: share.gpus for share in found.shares}


def test_three_models_share_a_card_of_24_gib() -> None:
    (card,) = placed(*THREE).cards
    assert (gib(card.memory), gib(card.planned), gib(card.free)) == ("24.0Gi", "23.1Gi", "0.9Gi")


def test_the_largest_starts_first() -> None:
    found = placed(*THREE)
    assert [(share.model, share.start) for share in found.shares] == [
        ("qwen3:8b", 0),
        ("cogito:8b", 1),
        ("gemma3:4b", 2),
    ]


def test_start_order_counts_per_card() -> None:
    models = (
        vllm("a", 0.4, gpu=0),
        vllm("b", 0.4, gpu=1),
        vllm("c", 0.3, gpu=0),
        vllm("wide", 0.1, tensorParallelSize=2),
    )
    starts = {share.model: share.start for share in placed(*models, **two_cards()).shares}
    assert starts == {"a": 0, "b": 0, "c": 1, "wide": 2}


def test_the_fullest_card_is_as_little_full_as_possible() -> None:
    models = (vllm("a", 0.4), vllm("b", 0.3), vllm("c", 0.3), vllm("d", 0.2))
    assert layout(placed(*models, **two_cards())) == {"a": (0,), "d": (0,), "b": (1,), "c": (1,)}


def test_pack_uses_as_few_cards_as_possible() -> None:
    models = (vllm("a", 0.4), vllm("b", 0.3), vllm("c", 0.2), vllm("d", 0.5))
    spec = two_cards()
    gpus = {**spec["gpus"], "count": 4, "placement": "pack"}
    assert layout(placed(*models, **{**spec, "gpus": gpus})) == {"d": (0,), "a": (0,), "b": (1,), "c": (1,)}


def test_a_pin_comes_before_balance() -> None:
    models = (vllm("a", 0.4, gpu=1), vllm("b", 0.3, gpu=1), vllm("c", 0.1))
    assert layout(placed(*models, **two_cards())) == {"a": (1,), "b": (1,), "c": (0,)}


def test_a_wide_model_takes_its_share_of_each_card() -> None:
    found = placed(vllm("wide", 0.5, tensorParallelSize=2), vllm("small", 0.3), **two_cards())
    assert layout(found)["wide"] == (0, 1)
    assert [gib(card.planned) for card in found.cards] == ["11.2Gi", "7.1Gi"]


def test_an_amount_is_a_fraction_rounded_down() -> None:
    (share,) = placed(vllm("a", gpuMemory="8Gi")).shares
    assert (share.bytes, share.fraction) == (8 * GIB, 0.3333)


def test_the_reserve_is_kept_free() -> None:
    (card,) = placed(vllm("a", 0.5), gpus={"reserve": "2Gi"}).cards
    assert (gib(card.planned), gib(card.reserve), gib(card.free)) == ("12.5Gi", "2.0Gi", "9.5Gi")


def test_ollama_takes_a_share_and_a_context_only_when_it_has_one() -> None:
    assert placed(vllm("a", 0.5)).ollama is None
    found = placed(vllm("a", 0.5), ollama={"gpuMemory": "6Gi"})
    assert found.ollama is not None
    assert gib(found.cards[0].planned) == "19.0Gi"
    assert found.shares[-1] is found.ollama


def test_a_model_that_runs_stays_on_its_card() -> None:
    spec = spec_of(vllm("a", 0.4), vllm("b", 0.3), vllm("new", 0.4), **two_cards())
    cards = cards_of(spec, None)
    assert isinstance(cards, tuple)
    found = place(spec, cards, {"a": (1,), "b": (1,)})
    assert isinstance(found, Placement)
    assert layout(found) == {"a": (1,), "b": (1,), "new": (0,)}


def test_a_model_that_runs_moves_when_nothing_fits_otherwise() -> None:
    spec = spec_of(vllm("a", 0.4), vllm("b", 0.3), vllm("new", 0.9), **two_cards())
    cards = cards_of(spec, None)
    assert isinstance(cards, tuple)
    found = place(spec, cards, {"a": (0,), "b": (1,)})
    assert isinstance(found, Placement)
    assert layout(found)["a"] == layout(found)["b"] != layout(found)["new"]


REFUSALS: dict[str, tuple[tuple[dict[str, Any], ...], dict[str, Any], str, str]] = {
    "one card too small": (
        (vllm("a", 0.6), vllm("b", 0.39)),
        {},
        "CardOverfull",
        "the card has 24.00Gi, but the pool takes 24.76Gi (14.40Gi a + 9.36Gi b + 1.00Gi for 2 CUDA contexts)",
    ),
    "the contexts are what is too much": (
        (vllm("a", 1.0),),
        {},
        "CardOverfull",
        "the card has 24.00Gi, but the pool takes 24.50Gi (24.00Gi a + 0.50Gi for 1 CUDA context)",
    ),
    "the reserve is what is too much": (
        (vllm("a", 0.9),),
        {"gpus": {"reserve": "2Gi"}},
        "CardOverfull",
        "the card has 24.00Gi, but the pool takes 24.10Gi (21.60Gi a + 0.50Gi for 1 CUDA context + 2.00Gi reserve)",
    ),
    "pins overfill a card": (
        (vllm("a", 0.6, gpu=1), vllm("b", 0.6, gpu=1)),
        two_cards(),
        "CardOverfull",
        "card 1 has 12.00Gi, but what is pinned to it takes 15.40Gi (7.20Gi a + 7.20Gi b + 1.00Gi for 2 CUDA contexts)",
    ),
    "all cards together are too small": (
        (vllm("a", 0.8), vllm("b", 0.8), vllm("c", 0.4)),
        two_cards(),
        "CardsOverfull",
        (
            "the 2 cards have 24.00Gi together, but the pool takes 25.50Gi"
            " (9.60Gi a + 9.60Gi b + 4.80Gi c + 1.50Gi for 3 CUDA contexts)"
        ),
    ),
    "enough memory, in the wrong places": (
        (vllm("a", 0.5), vllm("b", 0.5), vllm("c", 0.5)),
        two_cards(),
        "NoPlacement",
        (
            "no way to spread 19.50Gi (6.00Gi a + 6.00Gi b + 6.00Gi c + 1.50Gi for 3 CUDA contexts)"
            " over 2 cards of 12.00Gi leaves every card within its memory"
        ),
    ),
    "a pin beyond the cards": (
        (vllm("a", 0.5, gpu=2),),
        two_cards(),
        "PinBeyondCards",
        "`gpu` of a must be from 0 to 1, got 2",
    ),
    "wider than the cards": (
        (vllm("a", 0.5, tensorParallelSize=4),),
        two_cards(),
        "TooFewCards",
        "`tensorParallelSize` of a must be at most `gpus.count` 2, got 4",
    ),
    "weights and one sequence do not fit the share": (
        (vllm("qwen3:8b", 0.3, contextLength=8192, **AWQ),),
        {},
        "ModelTooLarge",
        (
            "qwen3:8b needs 8.01Gi (5.68Gi weights + 1.20Gi runtime + 1.13Gi KV cache for one sequence of 8192 tokens),"
            " but its share is 7.20Gi (0.3 of 24.00Gi)"
        ),
    ),
    "stated weights count for more than known ones": (
        (vllm("qwen3:8b", 0.35, weights="8Gi", **AWQ),),
        {},
        "ModelTooLarge",
        "qwen3:8b needs 9.20Gi (8.00Gi weights + 1.20Gi runtime), but its share is 8.40Gi (0.35 of 24.00Gi)",
    ),
    "a stated cache counts, known model or not": (
        (vllm("a", 0.35, weights="5Gi", kvCacheMemory="3Gi"),),
        {},
        "ModelTooLarge",
        (
            "a needs 9.20Gi (5.00Gi weights + 1.20Gi runtime + 3.00Gi KV cache as stated),"
            " but its share is 8.40Gi (0.35 of 24.00Gi)"
        ),
    ),
    "a draft model counts within the share": (
        (
            vllm(
                "qwen3:8b",
                0.35,
                contextLength=4096,
                speculative={"method": "draftModel", "model": "hf://Qwen/Qwen3-0.6B"},
                **AWQ,
            ),
        ),
        {},
        "ModelTooLarge",
        (
            "qwen3:8b needs 9.00Gi (5.68Gi weights + 1.20Gi runtime + 0.56Gi KV cache for one sequence of 4096 tokens"
            " + 1.56Gi draft model), but its share is 8.40Gi (0.35 of 24.00Gi)"
        ),
    ),
}


@pytest.mark.parametrize(("models", "spec", "reason", "message"), REFUSALS.values(), ids=REFUSALS.keys())
def test_a_refusal_names_the_model_and_adds_up(
    models: tuple[dict[str, Any], ...], spec: dict[str, Any], reason: str, message: str
) -> None:
    assert refused(*models, **spec) == Refusal(reason=reason, message=message)


def test_a_cache_of_eight_bit_halves_what_a_sequence_needs() -> None:
    model = vllm("qwen3:8b", 0.32, contextLength=8192, **AWQ)
    assert refused(model).reason == "ModelTooLarge"
    assert placed({**model, "args": ["--kv-cache-dtype", "fp8"]}).notes == ()
    assert placed(model, vllm={"args": ["--kv-cache-dtype=fp8_e4m3"]}).notes == ()


def test_a_wide_model_splits_its_weights() -> None:
    model = vllm("big", 0.5, weights="8Gi", tensorParallelSize=2)
    (share,) = placed(model, **two_cards()).shares
    assert [(term.label, gib(term.bytes)) for term in share.lines] == [("weights", "4.0Gi"), ("runtime", "1.2Gi")]


NOTES = {
    "unknown weights": (
        vllm("a", 0.5),
        "a: the size of its weights is not known, so their fit is unchecked; set `weights`",
    ),
    "unknown context": (
        vllm("a", 0.5, weights="4Gi"),
        "a: the cost of its context is not known, so only its weights are checked",
    ),
    "unknown draft": (
        vllm("a", 0.5, speculative={"method": "eagle3", "model": "hf://someone/head"}, **AWQ),
        "a: the size of its draft model hf://someone/head is not known, so it is not counted",
    ),
}


@pytest.mark.parametrize(("model", "note"), NOTES.values(), ids=NOTES.keys())
def test_what_is_unchecked_is_said(model: dict[str, Any], note: str) -> None:
    assert placed(model).notes == (note,)


def test_a_known_model_leaves_nothing_unchecked() -> None:
    assert placed(vllm("a", 0.5, contextLength=4096, **AWQ)).notes == ()


CONTEXTS: dict[str, tuple[dict[str, Any], int | None]] = {
    "what the share leaves": (vllm("qwen3:8b", 0.35, **AWQ), 11059),
    "twice as much in 8 bit": (vllm("qwen3:8b", 0.35, args=["--kv-cache-dtype", "fp8"], **AWQ), 22118),
    "no more than the model knows": (vllm("qwen3:8b", 0.9, **AWQ), 40960),
    "a draft keeps a cache as well": (
        vllm("qwen3:8b", 0.5, speculative={"method": "draftModel", "model": "hf://Qwen/Qwen3-0.6B"}, **AWQ),
        16388,
    ),
    "what the user says is not looked for": (vllm("qwen3:8b", 0.35, contextLength=4096, **AWQ), None),
    "of a model that nobody knows": (vllm("a", 0.35), None),
}


@pytest.mark.parametrize(("model", "tokens"), CONTEXTS.values(), ids=CONTEXTS.keys())
def test_how_long_an_automatic_context_can_be(model: dict[str, Any], tokens: int | None) -> None:
    assert placed(model).shares[0].longest_context == tokens


def test_the_node_says_how_large_a_card_is_when_the_pool_does_not() -> None:
    spec = spec_of(vllm("a", 0.5), gpus={"memory": None})
    assert isinstance(cards_of(spec, None), Refusal)
    cards = cards_of(spec, 8 * GIB)
    assert isinstance(cards, tuple)
    assert [card.memory for card in cards] == [8 * GIB]


def test_a_pool_without_cards_is_refused() -> None:
    found = cards_of(spec_of(vllm("a", 0.5), gpus={"count": 0}), None)
    assert isinstance(found, Refusal)
    assert found.reason == "NoCards"


def test_a_search_that_gives_up_claims_no_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "spread", lambda items, bins: packing.Packing(cards=None, proven=False))
    found = refused(vllm("a", 0.5), **two_cards())
    assert found.reason == "NoPlacementFound"
    assert found.message.startswith("found no way to spread 6.50Gi")


@st.composite
def pools(draw: st.DrawFn) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    count = draw(st.integers(1, 4))
    models = []
    for number in range(draw(st.integers(1, 8))):
        width = draw(st.integers(1, count))
        pin = {"gpu": draw(st.integers(0, count - width))} if draw(st.booleans()) else {}
        models.append(vllm(f"m{number}", draw(st.integers(1, 60)) / 100, tensorParallelSize=width, **pin))
    gpus = {"memory": "16Gi", "count": count, "reserve": draw(st.sampled_from(["0", "1Gi"]))}
    return models, {"gpus": gpus, "ollama": {"gpuMemory": draw(st.sampled_from(["0", "3Gi"]))}}


@settings(deadline=None, max_examples=200)
@given(pools())
def test_no_card_is_overfull_pins_hold_and_numbers_add_up(drawn: tuple[list[dict[str, Any]], dict[str, Any]]) -> None:
    models, spec = drawn
    found = attempted(*models, **spec)
    assert found == attempted(*models, **spec)
    if isinstance(found, Refusal):
        return
    for card in found.cards:
        assert card.planned == sum(share.bytes + share.overhead for share in card.shares)
        assert card.planned + card.reserve + card.free == card.memory
        assert card.free >= 0
    for model in models:
        share = found.share_of(model["name"])
        assert share is not None
        assert len(set(share.gpus)) == model["tensorParallelSize"]
        assert share.gpus[0] == model.get("gpu", share.gpus[0])
    for card in found.cards:
        assert [share.start for share in card.shares] == sorted(share.start for share in card.shares)
