"""What mypyc takes otherwise than Python does, and mypy does not tell: a name has one type in a whole function.

Of two `except … as error` in one function the first decides what `error` is, and the second raises TypeError for what
it caught. So each has a name of its own.
"""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from modelpool_under_test.compiled import compiled_modules

SIDECAR = Path(__file__).parents[3] / "sidecar"
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


def within(function: ast.AST) -> Iterator[ast.AST]:
    """What belongs to a function itself, not to those inside it."""
    for node in ast.iter_child_nodes(function):
        if not isinstance(node, FUNCTIONS):
            yield node
            yield from within(node)


def shared(source: str) -> Iterator[str]:
    """Yield the names that catch exceptions of several types in one function."""
    for function in ast.walk(ast.parse(source)):
        if isinstance(function, FUNCTIONS):
            caught = defaultdict(set)
            for node in within(function):
                if isinstance(node, ast.ExceptHandler) and node.name and node.type:
                    caught[node.name].add(ast.unparse(node.type))
            yield from (f"{name} in line {function.lineno}" for name, types in caught.items() if len(types) > 1)


@pytest.mark.parametrize("module", compiled_modules())
def test_what_is_caught_has_a_name_of_its_own(module: str) -> None:
    source = SIDECAR.joinpath(*module.split(".")).with_suffix(".py")
    assert list(shared(source.read_text())) == []


def test_one_name_for_two_types_is_found() -> None:
    function = "def f():\n try: g()\n except A as e: h(e)\n except {} as {}: h(e)"
    assert list(shared(function.format("B", "e"))) == ["e in line 1"]
    assert list(shared(function.format("B", "other"))) == []
    assert list(shared(function.format("A", "e"))) == []
