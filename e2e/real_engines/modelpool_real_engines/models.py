"""Makes the tiny models, with the Python of vLLM's environment, which has what that takes."""

from pathlib import Path

from . import places
from .commands import run


def make() -> Path:
    """The folder with `chat`, `chat.gguf` and `embed.gguf`. Raises CommandError."""
    folder = places.models()
    if not places.done(folder):
        python = places.vllm() / "bin" / "python"
        run([python, places.MODEL_MAKER, folder], told="tiny models")
        places.finish(folder)
    return folder
