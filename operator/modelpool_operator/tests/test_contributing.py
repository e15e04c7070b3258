"""The table of CONTRIBUTING that says where a change of the operator goes names files that are there, and few."""

import re
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1]
PAGE = Path(__file__).parents[3] / "CONTRIBUTING.md"
MOST = 6
FEWER = {"a sharing mode": 2, "an engine": 1}
CHANGES = (
    *("a sharing mode", "an engine", "a CRD field", "a condition", "a second API version"),
    *("a child kind", "an admission rule", "an Event"),
)


def rows() -> dict[str, list[str]]:
    part = PAGE.read_text().split("## Where a change of the operator goes")[1].split("\n## ")[0]
    found = re.findall(r"^\| (an? [^|]+) \| (.*) \|$", part, re.MULTILINE)
    return {change: re.findall(r"`((?:api|planning|cluster|handlers)/[\w/.]+)`", touches) for change, touches in found}


def test_it_has_these_changes() -> None:
    assert tuple(rows()) == ("A change", *CHANGES)[1:]


@pytest.mark.parametrize("change", CHANGES)
def test_it_names_files_that_are_there_and_few(change: str) -> None:
    files = rows()[change]
    assert 0 < len(files) <= FEWER.get(change, MOST)
    assert not [name for name in files if not (PACKAGE / name).exists() and not name.endswith("NAME.py")]
    assert not [name for name in files if name.endswith("NAME.py") and not (PACKAGE / name).parent.is_dir()]
