"""The gateway's names are words of HTTP, Kubernetes, vLLM and Ollama: these, which only an author knows, are none."""

import io
import re
import tokenize
from pathlib import Path

PACKAGE = Path(__file__).parents[1]
NONE = {
    *("visitor", "visit", "visiting", "opening", "errand", "bell", "house", "aside", "carrier", "doorman"),
    *("usual", "utterance", "lean", "told", "door", "front"),
}
PARTS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")


def words(name: str) -> set[str]:
    return {part.lower() for part in PARTS.findall(name)}


def test_no_name_is_one_of_these_words() -> None:
    found = set()
    for path in PACKAGE.rglob("*.py"):
        if "tests" in path.relative_to(PACKAGE).parts:
            continue
        found |= {(path.stem, word) for word in words(path.stem) & NONE}
        for token in tokenize.generate_tokens(io.StringIO(path.read_text()).readline):
            if token.type == tokenize.NAME and (words(token.string) & NONE or "way_back" in token.string.lower()):
                found.add((path.stem, token.string))
    assert not found
