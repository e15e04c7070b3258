"""The examples and the documentation's YAML: valid, parsed, and true in what they say of memory."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from modelpool_operator.api.parsing import from_body
from modelpool_operator.api.quantity import GIB
from modelpool_operator.planning.memory.refusals import Refusal
from modelpool_operator.planning.placement.layout import place
from modelpool_operator.planning.sharing import mode_of
from modelpool_operator.planning.sharing.cards import Card, cards_of
from modelpool_operator.planning.sharing.shares import Placement
from modelpool_operator.tests.api.crd import ROOT, SCHEMA, objections

EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))
REFUSED = "does-not-fit.yaml"
example = pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
fitting = pytest.mark.parametrize("path", [one for one in EXAMPLES if one.name != REFUSED], ids=lambda path: path.name)


def prose(path: Path) -> str:
    """Return the comments of a file as one line of text."""
    lines = [line.strip() for line in path.read_text().splitlines()]
    return " ".join(line.removeprefix("#").strip() for line in lines if line.startswith("#"))


def answer(path: Path) -> Placement | Refusal:
    spec = from_body(yaml.safe_load(path.read_text())).spec
    cards = cards_of(spec, None)
    assert not isinstance(cards, Refusal), cards.message
    return mode_of(spec).objection(spec) or place(spec, cards)


def test_there_are_examples() -> None:
    assert REFUSED in [path.name for path in EXAMPLES]
    assert len(EXAMPLES) >= 4


@example
def test_an_example_is_valid(path: Path) -> None:
    assert objections(SCHEMA, yaml.safe_load(path.read_text())) == []


@example
def test_an_example_is_parsed(path: Path) -> None:
    body = yaml.safe_load(path.read_text())
    assert [model.name for model in from_body(body).spec.models] == [model["name"] for model in body["spec"]["models"]]


@fitting
def test_an_example_fits_and_says_by_how_much(path: Path) -> None:
    placement = answer(path)
    assert isinstance(placement, Placement), placement
    said = prose(path)
    for share in placement.shares:
        counted = [term.bytes for term in share.lines if term.label in ("weights", "runtime")]
        figures = {f"{amount / GIB:.2f}" for amount in [share.bytes, *counted]}
        rows = [set(line.split()) for line in path.read_text().splitlines() if f" {share.model} " in line.lower()]
        assert any(figures <= row for row in rows), (share.model, figures)
    for card in placement.cards:
        assert f"{card.planned / GIB:.2f}" in said
        assert f"{card.free / GIB:.2f}" in said


@fitting
def test_an_example_fits_the_memory_that_programs_see(path: Path) -> None:
    """PyTorch finds 23.65 GiB on a "24 GiB" card, 11.76 on a "12 GiB" one."""
    spec = from_body(yaml.safe_load(path.read_text())).spec
    assert spec.gpus.memory is not None
    seen = {24 * GIB: 23.65, 12 * GIB: 11.76}[spec.gpus.memory.bytes]
    cards = tuple(Card(index=index, memory=int(seen * GIB)) for index in range(spec.gpus.count))
    assert isinstance(place(spec, cards), Placement)


def test_the_example_for_long_prompts_takes_the_longest_recorded_one() -> None:
    calls = yaml.safe_load((ROOT / "bench" / "pipeline.yaml").read_text())["steps"]
    longest = max((call for call in calls if "tokensIn" in call), key=lambda call: call["tokensIn"])
    spec = from_body(yaml.safe_load((ROOT / "examples" / "consolidated.yaml").read_text())).spec
    (model,) = (model for model in spec.models if longest["model"] in model.names)
    assert (model.context_length or 0) >= longest["tokensIn"] + longest["tokensOut"] > 40960


def test_the_wish_that_does_not_fit_is_refused_in_the_words_it_quotes() -> None:
    path = ROOT / "examples" / REFUSED
    refusal = answer(path)
    assert isinstance(refusal, Refusal)
    assert refusal.message in prose(path)


def yaml_blocks(text: str) -> Iterator[str]:
    """Yield the YAML blocks of a Markdown text."""
    for indent, block in re.findall(r"^([ \t]*)```ya?ml\n(.*?)^\1```", text, re.MULTILINE | re.DOTALL):
        yield "\n".join(line.removeprefix(indent) for line in block.splitlines())


def complaints(block: str) -> list[str]:
    """Return what is wrong with a block: a whole ModelPool has to be valid, a `spec` alone may leave things out."""
    found: list[str] = []
    for document in yaml.safe_load_all(block):
        if not isinstance(document, dict):
            continue
        if document.get("kind") == "ModelPool":
            found += objections(SCHEMA, document)
            from_body(document)
        elif set(document) == {"spec"}:
            partial: dict[str, Any] = {**SCHEMA["properties"]["spec"], "required": []}
            found += objections(partial, document["spec"])
    return found


def test_the_documentation_shows_valid_pools() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    wrong = {
        f"{page.relative_to(ROOT)}: {problem}"
        for page in pages
        for block in yaml_blocks(page.read_text())
        for problem in complaints(block)
    }
    assert wrong == set()


def test_a_wrong_block_would_be_found() -> None:
    page = "1. Do:\n\n   ```yaml\n   spec:\n     gpus: {cout: 1}\n   ```\n\n```yaml\nspec:\n  models: 3\n```\n"
    assert [problem for block in yaml_blocks(page) for problem in complaints(block)] == [
        "$.gpus: Additional properties are not allowed ('cout' was unexpected)",
        "$.models: 3 is not of type 'array'",
    ]
