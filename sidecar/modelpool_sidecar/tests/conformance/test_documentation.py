"""The reference is written from the tables that are tested here, and is what is committed."""

import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[4]


@pytest.mark.parametrize(("page", "function"), [("DIALECTS", "dialects"), ("ERRORS", "failures")])
def test_the_reference_is_current(page: str, function: str) -> None:
    tool = runpy.run_path(str(ROOT / "tools" / "dialect_docs.py"))
    assert tool[page].read_text() == tool[function](), "run python tools/dialect_docs.py"


def test_what_the_reference_names_is_there() -> None:
    text = (ROOT / "docs/reference/dialects.md").read_text() + (ROOT / "docs/reference/errors.md").read_text()
    for name, test in (
        ("test_fields.py", "test_field"),
        ("test_translated.py", "test_answer_is_as_ollamas"),
        ("test_faults.py", "test_fault"),
    ):
        assert f"{name}::{test}" in text
        assert f"def {test}(" in (Path(__file__).parent / name).read_text()
