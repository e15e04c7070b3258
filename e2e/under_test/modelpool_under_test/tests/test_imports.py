"""Who reaches into tests: no benchmark does, scripts included, and the cases share nothing that is no package."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[4]
CASES = ROOT / "e2e" / "cases"
BENCH = [path for path in sorted((ROOT / "bench").rglob("*.py")) if "tests" not in path.relative_to(ROOT).parts]
FOLDERS = sorted({path.parent for path in CASES.rglob("test_*.py")})
OF_CASES = {path.stem for path in CASES.rglob("*.py")}


def imported(source: str) -> Iterator[str]:
    """Yield the dotted names that a module imports; a relative one begins with its dots, `from a import b` is `a.b`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (one.name for one in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ("." * node.level + ".".join(filter(None, (node.module, one.name))) for one in node.names)


def of_tests(source: str) -> list[str]:
    """Return what a module imports of tests and cases; `sys.path` where it looks for modules elsewhere."""
    found = [name for name in imported(source) if "tests" in name.split(".") or name.partition(".")[0] in OF_CASES]
    return found + ["sys.path"] * ("sys.path" in source)


@pytest.mark.parametrize("path", BENCH, ids=[str(path.relative_to(ROOT)) for path in BENCH])
def test_no_benchmark_imports_a_test(path: Path) -> None:
    assert of_tests(path.read_text()) == []


@pytest.mark.parametrize(
    "source",
    [
        "from modelpool_sidecar.tests.gateway import processes",
        "from .tests import conftest",
        "from . import tests",
        "import test_lifecycle",
        "from chart_helm import Helm",
        "import sys\nsys.path.insert(0, 'e2e/cases')",
    ],
)
def test_an_import_of_a_test_is_found(source: str) -> None:
    assert of_tests(source) != []


@pytest.mark.parametrize("folder", FOLDERS, ids=[path.name for path in FOLDERS])
def test_a_case_imports_nothing_of_another(folder: Path) -> None:
    own = {path.stem for path in folder.rglob("*.py")}
    found = {name.partition(".")[0] for path in folder.rglob("*.py") for name in imported(path.read_text())}
    assert found & OF_CASES <= own


def test_no_module_lies_loose_among_the_cases() -> None:
    assert [path.name for path in CASES.glob("*.py")] == ["conftest.py"]
