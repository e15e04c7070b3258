"""The test cluster serves whatever is installed on it: nothing in its code is a name of ModelPool's."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1]
FILES = [path for path in sorted(PACKAGE.rglob("*")) if path.suffix in {".py", ".yaml"} and "tests" not in path.parts]
OURS = re.compile(
    r"modelpool_(?!cluster\b)|\bmodelpools\b|\bmodelpool\.dev/|\b(charts|crds|sidecar|simulators)/|vllm|ollama"
    r"|\bmodelpool/|\bgateways?\b"
)
"""Its packages, kind, labels, folders, images and programs. `kwok.modelpool.dev/held` is the cluster's own."""


def code(path: Path) -> str:
    """Return what a file says without its comments and, of a module, without docstrings."""
    if path.suffix != ".py":
        return "\n".join(line.partition("#")[0] for line in path.read_text().splitlines())
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(body := getattr(node, "body", None), list):
            body[:] = [one for one in body if not is_docstring(one)] or [ast.Pass()]
    return ast.unparse(tree)


def is_docstring(one: ast.stmt) -> bool:
    return isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant) and isinstance(one.value.value, str)


def names(text: str) -> list[str]:
    return [found[0] for found in OURS.finditer(text.replace("kwok.modelpool.dev/", ""))]


@pytest.mark.parametrize("path", FILES, ids=[str(path.relative_to(PACKAGE)) for path in FILES])
def test_no_name_of_modelpool_is_in_its_code(path: Path) -> None:
    assert names(code(path)) == []


@pytest.mark.parametrize(
    "line",
    [
        "from modelpool_sidecar import settings",
        "api.get('/apis/modelpool.dev/v1alpha1/modelpools')",
        "LABEL = 'modelpool.dev/pool'",
        "ROOT / 'charts/modelpool'",
        "name = f'modelpool/{target}:test'",
    ],
)
def test_such_a_name_is_found(line: str) -> None:
    assert names(line) != []
