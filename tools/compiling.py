"""Compiles the gateway's modules with mypyc: for the wheel, as Hatchling's build hook, and for tests and benchmarks.

`pyproject.toml` lists the packages, and their modules that are not compiled. Hatchling runs the hook where
HATCH_BUILD_HOOK_ENABLE_CUSTOM is 1, and its wheel then holds the extension modules beside the sources. As a program,
`compiling.py SOURCES TARGET` writes them below TARGET, and `compiling.py` prints the modules' names. Nothing is ever
written into the sources: an extension module beside a Python file is imported in its place, so one that was left there
would hide each later edit.
"""

from __future__ import annotations

import contextlib
import fnmatch
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import tomllib
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path
from typing import Any, Final

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT: Final = Path(__file__).parents[1]
SOURCES: Final = ROOT / "sidecar"
PACKAGE: Final = "modelpool_sidecar"
NO_COMPILER: Final = 3
"""The program's exit status where there is nothing to compile with."""
OPTIMIZATION: Final = "3"
"""gcc's -O. With 2 it takes as long, and the modules are 1 % smaller and as fast."""
_AT_ONCE: Final = 8
"""Compilers at most, of some 100 MB each."""
_MYPY: Final = ("--strict", "--config-file=", "--ignore-missing-imports")
"""What decides is in the sources, not in the settings of the linter."""


class CompilingError(Exception):
    """The modules could not be compiled; the message carries the last lines of mypyc or of the compiler."""


def modules() -> list[str]:
    """Return the names of the compiled modules, in order."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    hook = project["tool"]["hatch"]["build"]["targets"]["wheel"]["hooks"]["custom"]
    names = (
        ".".join(path.relative_to(SOURCES / PACKAGE).with_suffix("").parts)
        for package in hook["packages"]
        for path in (SOURCES / PACKAGE / package).rglob("*.py")
        if path.name != "__init__.py"
    )
    return sorted(
        f"{PACKAGE}.{name}"
        for name in names
        if not any(fnmatch.fnmatchcase(name, pattern) for pattern in hook["interpreted"])
    )


def lacking() -> Iterator[str]:
    """Yield what is missing to compile here."""
    compiler = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")[0]
    if shutil.which(compiler) is None:
        yield f"the C compiler {compiler} (Debian: gcc libc6-dev)"
    headers = Path(sysconfig.get_path("include"))
    if not (headers / "Python.h").is_file():
        yield f"{headers / 'Python.h'} (Debian: python3-dev)"


def compiled(sources: Path, target: Path) -> list[Path]:
    """Compile the modules below `sources` and return the files written, relative to `target`. Raises CompilingError."""
    program = [sys.executable, __file__, str(sources), str(target)]
    done = subprocess.run(program, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode != 0:
        last = "\n".join(done.stdout.strip().splitlines()[-25:])
        raise CompilingError(f"the gateway could not be compiled, {done.returncode}:\n{last}")
    return sorted(path.relative_to(target) for path in target.rglob("*") if path.is_file())


class CompilingHook(BuildHookInterface[Any]):
    """Puts the extension modules into the wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, unless the wheel is to be an editable one: that imports from the sources."""
        if version == "editable":
            return
        self._scratch = contextlib.ExitStack()
        folder = Path(self._scratch.enter_context(tempfile.TemporaryDirectory(prefix="modelpool-compiled-")))
        files = compiled(SOURCES, folder)
        build_data["pure_python"] = False
        build_data["infer_tag"] = True
        build_data["force_include"].update({str(folder / name): name.as_posix() for name in files})

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Drop what is in the wheel by now."""
        if version != "editable":
            self._scratch.close()


def main(sources: str, target: str) -> int:
    """Compile in this process, which becomes setuptools' own: it changes folder and prints. Returns the exit status."""
    if missing := list(lacking()):
        sys.stderr.write(f"The gateway cannot be compiled without {' and '.join(missing)}\n")
        return NO_COMPILER
    from mypyc.build import mypycify
    from setuptools import setup
    from setuptools.command.build_ext import build_ext

    class BuildOnAllProcessors(build_ext):
        """Compiles the files of an extension at once, where setuptools takes one after the other."""

        def build_extensions(self) -> None:
            one_after_the_other = self.compiler.compile

            def at_once(sources: list[str], **options: Any) -> list[str]:
                with futures.ThreadPoolExecutor(min(os.cpu_count() or 1, _AT_ONCE)) as pool:
                    done = pool.map(lambda source: one_after_the_other([source], **options), sources)
                    return [name for names in done for name in names]

            self.compiler.compile = at_once
            super().build_extensions()

    files = [f"{name.replace('.', '/')}.py" for name in modules()]
    place = Path(target).absolute()
    with tempfile.TemporaryDirectory(prefix="modelpool-c-") as scratch:
        os.chdir(sources)  # mypyc takes a module's name from its path
        extensions = mypycify(
            [*_MYPY, f"--cache-dir={scratch}/mypy", *files],
            opt_level=OPTIMIZATION,
            debug_level="0",
            group_name="modelpool_sidecar",
            multi_file=True,  # as fast as one file, and more than one processor can compile it
            target_dir=f"{scratch}/c",
        )
        for extension in extensions:
            extension.extra_compile_args.append("-Wno-error")  # a newer compiler warns of what mypyc writes
        arguments = ["--quiet", "build_ext", f"--build-lib={place}", f"--build-temp={scratch}/o"]
        setup(
            name="modelpool",
            packages=[],
            py_modules=[],
            ext_modules=extensions,
            cmdclass={"build_ext": BuildOnAllProcessors},
            script_args=arguments,
        )
    return 0


if __name__ == "__main__":
    if len(sys.argv) == 1:
        sys.stdout.write("\n".join(modules()) + "\n")
        sys.exit(0)
    sys.exit(main(*sys.argv[1:]))
