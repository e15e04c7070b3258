"""Names of children: valid for every pool and model, and steady when models come and go."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelpool_operator.api import names

MODEL = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,95}", fullmatch=True)
POOL = st.from_regex(r"[a-z]([-a-z0-9]{0,38}[a-z0-9])?", fullmatch=True)
DNS_LABEL = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
LABEL_VALUE = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")


@given(POOL, st.lists(MODEL, unique=True, max_size=8))
def test_every_child_has_a_name_of_its_own_that_a_service_can_have(pool: str, models: list[str]) -> None:
    chosen = list(names.child_names(pool, models).values())
    own = [names.ollama_name(pool), names.cache_name(pool), names.routes_name(pool), names.scripts_name(pool)]
    pulls = [names.pull_name(pool, model, "uid") for model in models]
    assert len({*chosen, *own, *pulls}) == len(chosen) + len(own) + len(pulls)
    for name in (*chosen, *own, *pulls):
        assert DNS_LABEL.fullmatch(name), name
        assert len(name) <= names.LABEL_LENGTH


@given(POOL, st.lists(MODEL, unique=True, min_size=1, max_size=8))
def test_a_model_that_is_added_at_the_end_renames_nothing(pool: str, models: list[str]) -> None:
    assert names.child_names(pool, models[:-1]).items() <= names.child_names(pool, models).items()


@given(st.text(min_size=1, max_size=300))
def test_every_text_has_a_label_value(text: str) -> None:
    value = names.label_value(text)
    assert LABEL_VALUE.fullmatch(value), value
    assert len(value) <= names.LABEL_LENGTH


@pytest.mark.parametrize("text", ["Qwen3-8B.awq_1", "a"])
def test_a_valid_label_value_stays(text: str) -> None:
    assert names.label_value(text) == text


def test_texts_of_one_slug_have_label_values_of_their_own() -> None:
    assert names.label_value("qwen3:8b") == "qwen3-8b-801dcad0"
    assert names.label_value("qwen3/8b") != names.label_value("qwen3:8b")


def test_a_new_volume_gives_a_pull_a_new_name() -> None:
    assert names.pull_name("p", "a", "1") != names.pull_name("p", "a", "2")
