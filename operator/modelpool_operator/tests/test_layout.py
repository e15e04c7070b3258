"""`operator/` shares its name with a module of the standard library: it must stay a folder, never a package."""

import operator
from pathlib import Path

import modelpool_operator


def test_the_operator_folder_does_not_shadow_the_standard_library() -> None:
    folder = Path(modelpool_operator.__file__).parents[1]
    assert sorted(path.name for path in folder.glob("*.py")) == []
    assert operator.itemgetter(0)("x") == "x"
