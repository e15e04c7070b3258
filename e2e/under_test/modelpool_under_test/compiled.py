"""The compiled gateway beside its sources, in a folder to be put in front of PYTHONPATH: for tests and benchmarks.

`tools/compiling.py` compiles it, as it does for the wheel. The folder is made once for each state of the sources, a
minute's work, and kept in the cache; a checkout never holds what was compiled from it.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from modelpool_cluster.binaries.cache import Cache
from modelpool_cluster.controlplane.supervise import die_with
from modelpool_cluster.settings import Settings, current

from .images import context, pruning

PACKAGE: Final = "modelpool_sidecar"
_SOURCES: Final = context.ROOT / "sidecar"
_COMPILING: Final = context.ROOT / "tools" / "compiling.py"
_TOOLS: Final = ("mypy", "setuptools")
_FLAGS: Final = ("CC", "CFLAGS", "CPPFLAGS", "LDFLAGS")
_NO_COMPILER: Final = 3


class CompiledTreeError(Exception):
    """The gateway could not be compiled; the message carries the last lines of what tried."""


class NoCompilerError(CompiledTreeError):
    """There is nothing to compile with; the message names what is missing."""


def compiled_modules() -> list[str]:
    """Return the names of the modules that are compiled, in order."""
    listed = subprocess.run([sys.executable, str(_COMPILING)], stdout=subprocess.PIPE, text=True, check=True)
    return listed.stdout.split()


def compiled_tree(log: Callable[[str], None]) -> Path:
    """Return the folder that holds the package, sources and extension modules, compiled when it is not in the cache.

    Raises:
        NoCompilerError: there is no C compiler, or Python's headers are missing.
        CompiledTreeError: the sources do not compile.
    """
    settings = current()
    cache = Cache(settings.cache / "compiled")
    with cache.locked(log), cache.staging() as staged:
        key = _copy(staged / "tree", settings)
        trees = cache.folder / "trees"
        if (tree := trees / key).is_dir():
            os.utime(tree)
            return tree
        log("Compiling the gateway")
        began = time.monotonic()
        _compile(staged / "tree", settings)
        trees.mkdir(exist_ok=True)
        pruning.drop_old_builds(trees)
        (staged / "tree").rename(tree)
        log(f"Compiled the gateway in {time.monotonic() - began:.0f} s: {tree}")
        return tree


def _copy(target: Path, settings: Settings) -> str:
    """Copy the sources into a folder, and return the key of all that decides what they become."""
    built_with = [f"{name} {importlib.metadata.version(name)}" for name in _TOOLS]
    flags = [f"{name}={settings.environment.get(name)}" for name in _FLAGS]
    python = [sys.version, sys.base_prefix, str(sysconfig.get_config_var("CFLAGS"))]
    facts = [*compiled_modules(), *built_with, *flags, *python, platform.machine(), _COMPILING.read_text()]
    digest = hashlib.sha256("\0".join(facts).encode())
    for path in sorted((_SOURCES / PACKAGE).rglob("*")):
        name = path.relative_to(_SOURCES)
        if path.is_file() and not {"__pycache__", "tests"} & set(name.parts):
            place = target / name
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, place)
            digest.update(f"{name}\0{hashlib.sha256(place.read_bytes()).hexdigest()}\0".encode())
    return digest.hexdigest()[:12]


def _compile(tree: Path, settings: Settings) -> None:
    done = subprocess.run(
        [sys.executable, str(_COMPILING), str(tree), str(tree)], env=dict(settings.environment),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, preexec_fn=die_with(os.getpid()),
    )  # fmt: skip
    last = "\n".join(done.stdout.strip().splitlines()[-25:])
    if done.returncode == _NO_COMPILER:
        raise NoCompilerError(last)
    if done.returncode != 0:
        raise CompiledTreeError(f"the gateway could not be compiled ({done.returncode}):\n{last}")
