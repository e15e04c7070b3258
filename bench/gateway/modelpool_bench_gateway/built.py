"""Which gateway is measured: compiled, as it is where users run it, or its sources where nothing can compile it here.

What a benchmark prints says which it was. The compiled one lies in the cache and is a minute's work when it does not.
"""

import functools
import os
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Final

from modelpool_under_test.compiled import NoCompilerError, compiled_tree

COMPILED: Final = "compiled"
INTERPRETED: Final = "interpreted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """A gateway that can be started."""

    kind: str
    """COMPILED or INTERPRETED."""
    tree: Path | None
    """The folder that holds its package; None: it is the one of this environment."""

    def environ(self) -> dict[str, str]:
        """What is added to the environment of a process that is to import it."""
        if self.tree is None:
            return {}
        return {"PYTHONPATH": os.pathsep.join(filter(None, [str(self.tree), os.environ.get("PYTHONPATH")]))}


@functools.cache
def measured() -> Build:
    """The compiled gateway, compiled now unless it is in the cache; says so on standard error where that cannot be."""
    try:
        return Build(kind=COMPILED, tree=compiled_tree(_say))
    except (NoCompilerError, PackageNotFoundError) as error:
        _say(f"the gateway is measured interpreted, which is slower than where users run it: {error}")
        return Build(kind=INTERPRETED, tree=None)


def kind_of(pid: int) -> str:
    """What a running gateway is, by the libraries that it has loaded. Linux."""
    loaded = Path(f"/proc/{pid}/maps").read_text().splitlines()
    return COMPILED if any("modelpool_sidecar" in line and line.endswith(".so") for line in loaded) else INTERPRETED


def _say(text: str) -> None:
    print(text, file=sys.stderr)
