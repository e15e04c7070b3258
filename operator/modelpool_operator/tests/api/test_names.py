"""Names of children: valid for every pool and model, and steady when models come and go."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelpool_operator.api import names
from modelpool_operator.tests.api.crd import ROOT

MODEL = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,95}", fullmatch=True)
POOL = st.from_regex(r"[a-z]([-a-z0-9]{0,38}[a-z0-9])?", fullmatch=True)
DNS_LABEL = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
LABEL_VALUE = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")


@given(POOL, st.lists(MODEL, unique=True, max_size=8))
def test_every_child_has_a_name_of_its_own_that_a_service_can_have(pool: str, models: list[str]) -> None:
    chosen = [names.engine_names(pool, model).child for model in models]
    labels = {names.engine_names(pool, model).label for model in models}
    assert len(labels) == len(models)
    own = [names.ollama_name(pool), names.cache_name(pool), names.routes_name(pool), names.scripts_name(pool)]
    pulls = [names.pull_name(pool, model, "uid") for model in models]
    assert len({*chosen, *own, *pulls}) == len(chosen) + len(own) + len(pulls)
    for label in labels:
        assert LABEL_VALUE.fullmatch(label), label
        assert len(label) <= names.LABEL_LENGTH
    for name in (*chosen, *own, *pulls):
        assert DNS_LABEL.fullmatch(name), name
        assert len(name) <= names.LABEL_LENGTH


@given(POOL, st.text("b8:-.", min_size=1, max_size=5), st.text("b8:-.", min_size=1, max_size=5))
def test_two_names_of_one_slug_have_children_and_labels_of_their_own(pool: str, ending: str, other: str) -> None:
    first, second = f"q{ending}", f"q{other}"
    mine, theirs = names.engine_names(pool, first), names.engine_names(pool, second)
    assert (mine.child != theirs.child) is (mine.label != theirs.label) is (first != second)


@given(POOL, MODEL)
def test_no_name_can_be_made_to_look_like_what_another_one_gets(pool: str, model: str) -> None:
    taken = names.engine_names(pool, model)
    for forged in (taken.child.removeprefix(f"{pool}-"), taken.label):
        for text in {forged, names._as_in_a_library(forged), forged.replace("-", ":")} - {model}:
            found = names.engine_names(pool, text)
            assert (found.child, found.label) != (taken.child, taken.label)
            assert found.child != taken.child
            assert found.label != taken.label


NAMES = {
    "qwen3:8b": ("p-qwen3-8b", "qwen3-8b-801dcad0"),
    "qwen3-8b": ("p-qwen3-8b-f9b30c0d", "qwen3-8b"),
    "Qwen3:8b": ("p-qwen3-8b-6a61f9c5", "qwen3-8b-6a61f9c5"),
    "qwen2.5-vl:7b": ("p-qwen2-5-vl-7b", "qwen2-5-vl-7b-4d6396c7"),
    "nomic-embed-text": ("p-nomic-embed-text", "nomic-embed-text"),
    "phi-4": ("p-phi-4", "phi-4"),
    "qwen3-8b-801dcad0": ("p-qwen3-8b-801dcad0-a572dd76", "qwen3-8b-801dcad0-a572dd76"),
    "ollama": ("p-ollama-76e3c7bf", "ollama"),
}


@pytest.mark.parametrize("model", NAMES)
def test_the_name_as_in_ollamas_library_has_the_plain_slug(model: str) -> None:
    assert names.engine_names("p", model) == NAMES[model]


SAME: list[tuple[str, str, bool]] = json.loads((ROOT / "docs" / "reference" / "names.json").read_text())


@pytest.mark.parametrize(("one", "other", "same"), SAME)
def test_names_that_clients_mean_alike_are_one(one: str, other: str, same: bool) -> None:
    assert (names.folded(one) == names.folded(other)) is same


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
