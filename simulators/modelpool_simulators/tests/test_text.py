"""Tokens join to the text they came from, and numbers lead back."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelpool_simulators import text, vectors


@given(st.text())
def test_tokens_join_to_the_text(written: str) -> None:
    assert "".join(text.split(written)) == written
    assert text.count(written) == len(text.split(written))


@given(st.text())
def test_numbers_lead_back_to_the_text(written: str) -> None:
    vocabulary = text.Vocabulary()
    assert vocabulary.text(vocabulary.numbers(written)) == written


def test_recorded_numbers_mean_the_recorded_text() -> None:
    assert text.Vocabulary().text([39, 68, 75]) == "Hel"


def test_the_recorded_sentence_has_the_recorded_number_of_tokens() -> None:
    assert text.count("Hello! I am a tiny test model.") == 9


@pytest.mark.parametrize("seed", [0, 1])
def test_made_up_text_depends_on_topic_and_seed_only(seed: int) -> None:
    def beginning(topic: str, seed: int) -> list[str]:
        return list(itertools.islice(text.sentences(topic, seed), 5))

    assert beginning("cats", seed) == beginning("cats", seed)
    assert beginning("cats", seed) != beginning("dogs", seed)
    assert beginning("cats", seed) != beginning("cats", seed + 1)


def test_similar_texts_have_similar_vectors() -> None:
    def likeness(left: str, right: str) -> float:
        return sum(a * b for a, b in zip(vectors.embed(left, 128), vectors.embed(right, 128), strict=True))

    assert abs(likeness("a red cat", "a red cat") - 1) < 1e-6
    assert likeness("a red cat", "the red cat") > likeness("a red cat", "quarterly revenue report")
