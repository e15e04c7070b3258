"""The operator's names are words of Kubernetes, HTTP, vLLM and Ollama: these, which only an author knows, are none."""

import io
import re
import tokenize
from pathlib import Path

PACKAGE = Path(__file__).parents[1]
PLACES = ("planning", "handlers")
NONE = {
    *("finding", "findings", "sight", "patient", "patients", "standing_of", "standings", "neighbourhood", "remains"),
    *("hindrance", "hindrances", "telling", "ledger", "stray", "strays", "forgetting", "interference"),
}
PARTS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
OF_THE_API = {"_INTERFERENCE"}
"""Named for a reason that people meet in conditions."""
RENAMED = {
    *("sequence", "turns", "start_turns", "choices", "states", "checks", "demand", "claims", "pods", "placement"),
    *("catalog", "manifests"),
}
"""Modules that have a name of the field by now."""


def words(name: str) -> set[str]:
    return {part.lower() for part in PARTS.findall(name)}


def files() -> list[Path]:
    found = [path for place in PLACES for path in (PACKAGE / place).rglob("*.py")]
    assert found
    return found


def test_no_name_is_one_of_these_words() -> None:
    found = {(path.stem, word) for path in files() for word in words(path.stem) & NONE}
    for path in files():
        for token in tokenize.generate_tokens(io.StringIO(path.read_text()).readline):
            if token.type == tokenize.NAME and words(token.string) & NONE and token.string not in OF_THE_API:
                found.add((path.stem, token.string))
    assert not found


def test_no_module_has_its_former_name() -> None:
    assert not [path for path in files() if path.stem in RENAMED and path.parent.name != "engines"]


def test_nobody_but_engines_asks_which_engine_it_is() -> None:
    asked = re.compile(r"Engine\.(VLLM|OLLAMA)\b|engine(\.value)? (==|!=) ")
    outside = [path for path in (PACKAGE / "planning").rglob("*.py") if "engines" not in path.parts]
    assert not [(path.name, line) for path in outside for line in path.read_text().splitlines() if asked.search(line)]
