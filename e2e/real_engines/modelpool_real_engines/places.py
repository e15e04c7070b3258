"""Where the engines lie, and which versions they are. The environment is read here alone."""

import hashlib
import os
import shutil
import sys
from pathlib import Path
from typing import Final

VLLM: Final = "0.32.0"
TORCH: Final = "2.13.0"
OLLAMA: Final = "v0.33.0"
GGUF: Final = "0.19.0"
XLLAMACPP: Final = "2026.10.11549"
"""The package that carries llama.cpp's server, Ollama's runner."""

_HERE: Final = Path(__file__).parent
MODEL_MAKER: Final = _HERE.parent / "tiny_models.py"
REAL_MODEL_MAKER: Final = _HERE.parent / "real_models.py"
WEIGHTS_LOCK: Final = _HERE.parent / "weights.lock"
LLAMA_SERVER: Final = _HERE.parent / "llama_server.py"


def root() -> Path:
    """The user's cache; MODELPOOL_ENGINES_CACHE names another place."""
    given = os.environ.get("MODELPOOL_ENGINES_CACHE")
    if given:
        return Path(given)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "modelpool" / "engines"


def vllm() -> Path:
    """VLLM's own environment."""
    return root() / f"vllm-{VLLM}-py{sys.version_info.major}{sys.version_info.minor}"


def ollama() -> Path:
    """Laid out as Ollama's own packages are: bin/ollama finds its runner in lib/ollama."""
    return root() / f"ollama-{OLLAMA}"


def ollama_program() -> Path:
    """The Ollama to run: the one on the PATH, else ours."""
    found = shutil.which("ollama")
    return Path(found) if found else ollama() / "bin" / "ollama"


def models() -> Path:
    """The tiny models, made anew when their maker changes."""
    return root() / f"models-{_key(MODEL_MAKER)}"


def weights() -> Path:
    """The packages that carry published weights."""
    return root() / f"weights-{_key(WEIGHTS_LOCK)}"


def real_models() -> Path:
    """What is made of the published weights, anew when they or their maker change."""
    return root() / f"real-models-{_key(REAL_MODEL_MAKER, WEIGHTS_LOCK)}"


def _key(*files: Path) -> str:
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:12]


def done(folder: Path) -> bool:
    """Whether an installation was finished."""
    return (folder / ".complete").exists()


def finish(folder: Path) -> None:
    """Mark an installation as finished."""
    (folder / ".complete").touch()
