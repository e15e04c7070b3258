"""The compiled gateway in the cache: made once for its sources, told apart by them, and honest where it cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelpool_under_test import compiled
from modelpool_under_test.compiled import CompiledTreeError, NoCompilerError, compiled_tree

PROGRAM = """
import pathlib, sys
if not sys.argv[1:]:
    sys.exit(print("modelpool_sidecar.a"))
sources, target = map(pathlib.Path, sys.argv[1:])
if "wrong" in (sources / "modelpool_sidecar/a.py").read_text():
    sys.exit("a.py:1: it is wrong")
(target / "modelpool_sidecar/a.so").write_bytes(b"compiled")
"""


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package whose compiler is played."""
    (tmp_path / "compiling.py").write_text(PROGRAM)
    package = tmp_path / "sidecar" / compiled.PACKAGE
    (package / "tests").mkdir(parents=True)
    (package / "a.py").write_text("a = 1\n")
    (package / "tests" / "test_a.py").write_text("")
    monkeypatch.setattr(compiled, "_SOURCES", package.parent)
    monkeypatch.setattr(compiled, "_COMPILING", tmp_path / "compiling.py")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return package


def names(tree: Path) -> set[str]:
    return {str(path.relative_to(tree)) for path in tree.rglob("*") if path.is_file()}


def test_it_is_made_once_and_leaves_the_sources_alone(sources: Path) -> None:
    said: list[str] = []
    tree = compiled_tree(said.append)

    assert names(tree) == {"modelpool_sidecar/a.py", "modelpool_sidecar/a.so"}
    assert names(sources) == {"a.py", "tests/test_a.py"}
    assert said[0] == "Compiling the gateway"
    said.clear()
    assert (compiled_tree(said.append), said) == (tree, [])


def test_other_sources_are_another_folder(sources: Path) -> None:
    tree = compiled_tree(print)
    (sources / "tests" / "test_a.py").write_text("# tests are not compiled")
    assert compiled_tree(print) == tree

    (sources / "a.py").write_text("a = 2\n")
    assert compiled_tree(print) != tree


def test_old_ones_go(sources: Path) -> None:
    trees = []
    for number in range(6):
        (sources / "a.py").write_text(f"a = {number}\n")
        trees.append(compiled_tree(print))

    assert [tree.is_dir() for tree in trees] == [False] * 3 + [True] * 3


def test_what_does_not_compile_is_told_and_not_kept(sources: Path) -> None:
    (sources / "a.py").write_text("wrong\n")
    for _ in range(2):
        with pytest.raises(CompiledTreeError, match="it is wrong"):
            compiled_tree(print)


@pytest.mark.usefixtures("sources")
def test_without_a_compiler_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    real = Path(__file__).parents[4] / "tools" / "compiling.py"
    monkeypatch.setattr(compiled, "_COMPILING", real)
    monkeypatch.setenv("CC", "/absent/gcc -pthread")

    with pytest.raises(NoCompilerError, match="without the C compiler /absent/gcc"):
        compiled_tree(print)
