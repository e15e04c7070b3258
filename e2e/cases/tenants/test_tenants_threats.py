"""The threat model in docs/concepts/security.md names tests: each is there, and each threat and each limit has one."""

import re
from pathlib import Path

from modelpool_sidecar.http.limits import Limit

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "concepts" / "security.md"
BEGIN = "| Who | Tries | What stops it | Test |\n"
NAMED = re.compile(r"`(test_\w+\.py)::(test_\w+)`")
FOLDERS = ("operator", "sidecar", "cli", "simulators", "e2e", "bench")


def rows() -> list[list[str]]:
    """Return the cells of each threat, of all tables."""
    _, *tables = PAGE.read_text(encoding="utf-8").split(BEGIN)
    lines = [line for table in tables for line in table.split("\n\n", 1)[0].splitlines()[1:]]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_every_threat_names_tests_that_exist() -> None:
    files: dict[str, list[Path]] = {}
    for folder in FOLDERS:
        for file in (ROOT / folder).rglob("test_*.py"):
            files.setdefault(file.name, []).append(file)
    missing = []
    for row in rows():
        assert len(row) == 4, row
        named = NAMED.findall(row[3])
        assert named, f"no test for: {row[1]}"
        assert ", ".join(f"`{file}::{test}`" for file, test in named) == row[3], row
        for file, test in named:
            texts = [found.read_text(encoding="utf-8") for found in files.get(file, ())]
            if not any(re.search(rf"^(async )?def {test}\(", text, re.MULTILINE) for text in texts):
                missing.append(f"{file}::{test}")
    assert not missing, missing


def test_everybody_who_is_not_trusted_has_a_threat() -> None:
    _, _, table = PAGE.read_text(encoding="utf-8").partition("| Who | Has | Must not get |\n")
    named = set(re.findall(r"^\| \*\*(\w+)\*\* ", table, re.MULTILINE))
    assert named == {row[0] for row in rows()}


def test_every_limit_stops_something() -> None:
    told = {word for row in rows() for word in re.findall(r"`(\w+)`", row[2])}
    assert {limit.value for limit in Limit} <= told


def test_no_threat_is_told_twice() -> None:
    tried = [(row[0], row[1]) for row in rows()]
    assert len(set(tried)) == len(tried)
