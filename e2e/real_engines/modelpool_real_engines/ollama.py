"""Installs Ollama, when the PATH has none: its Go module built with this machine's Go, and two programs of llama.cpp
that it looks for in ../lib/ollama, seen from its own folder.

The server, which is the runner of every model, comes as a library in a package; a script makes it a program. The
quantizer only has to copy, because the models that are made here are in their last form already.
"""

import os
import shutil
import sys
from pathlib import Path
from typing import Final

import uv

from . import places
from .commands import run

_MODULE: Final = "github.com/ollama/ollama"
_COPY: Final = (
    '#!/bin/sh\n# Called as: llama-quantize --allow-requantize FROM TO COPY\n[ "$4" = COPY ] && exec cp "$2" "$3"\n'
)


def install() -> Path:
    """The program. Raises CommandError."""
    program = places.ollama_program()
    folder = places.ollama()
    if program.parent != folder / "bin":
        return program
    if not places.done(folder):
        shutil.rmtree(folder, ignore_errors=True)
        _build(folder / "bin")
        _runner(folder / "runner")
        run([program, "--version"], told="ollama --version")
    _write_helpers(folder)
    places.finish(folder)
    return program


def _build(into: Path) -> None:
    into.mkdir(parents=True)
    flags = f"-X {_MODULE}/version.Version={places.OLLAMA.removeprefix('v')}"
    environ = {**os.environ, "GOBIN": str(into), "CGO_ENABLED": "1", "GOFLAGS": "-trimpath"}
    told = f"ollama {places.OLLAMA}, built by go"
    run(["go", "install", "-ldflags", flags, f"{_MODULE}@{places.OLLAMA}"], told=told, environ=environ)


def _runner(folder: Path) -> None:
    program = uv.find_uv_bin()
    run([program, "venv", "--quiet", "--python", sys.executable, folder], told="environment for the runner")
    wanted = f"xllamacpp=={places.XLLAMACPP}"
    run([program, "pip", "install", "--quiet", "--python", folder / "bin" / "python", wanted], told=wanted)


def _write_helpers(folder: Path) -> None:
    """Each time anew, for they are part of this tree and not of the packages."""
    into = folder / "lib" / "ollama"
    into.mkdir(parents=True, exist_ok=True)
    server = f"#!{folder / 'runner' / 'bin' / 'python'}\n{places.LLAMA_SERVER.read_text()}"
    for name, text in (("llama-server", server), ("llama-quantize", _COPY)):
        (into / name).write_text(text)
        (into / name).chmod(0o755)
