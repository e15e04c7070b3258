"""What the simulated Ollama reads from its environment: Ollama's own variables and the simulation's.

One frozen value, read once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from . import golang

_PORT = 11434


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The first group is Ollama's (`OLLAMA_<FIELD>`), the second the simulation's (`FAKE_OLLAMA_<FIELD>`)."""

    host: str = "127.0.0.1"
    """From OLLAMA_HOST, with `port`: where to listen, or which server to ask."""
    port: int = _PORT
    models: Path | None = None
    """Folder that keeps the list of models and the blobs; absent: nothing outlives the process."""
    num_parallel: int = 1
    """Requests at the same time per model."""
    max_loaded_models: int = 3
    """Models in memory at the same time; 0 means 3."""
    keep_alive: float = 300.0
    """Seconds an idle model stays in memory."""
    context_length: int = 4096
    """Tokens a request may use when it does not say."""
    gpu_overhead: int = 0
    """Bytes of the card to leave free."""
    max_queue: int = 512
    """Requests that may wait for a model to be loaded."""
    origins: tuple[str, ...] = ()
    """Origins of browsers that may ask, beside local ones; `*` allows all."""

    load_seconds: float = 3.0
    """Time to load a model, so also what a swap costs."""
    prefill_tokens_per_second: float = 1500.0
    """Rate at which prompts are computed."""
    decode_tokens_per_second: float = 30.0
    """Rate of one sequence alone."""
    batch_slowdown: float = 0.5
    """Share by which each further parallel request lengthens a step."""
    pull_seconds: float = 1.0
    """Time to download a model."""
    pull_fails: tuple[str, ...] = ()
    """Names whose download fails as if the registry did not know them; `*` fails all."""
    preloaded: tuple[str, ...] = ()
    """Models that are on disk from the start: 'qwen3:8b,cogito:8b'."""
    reply: str | None = None
    """Answer every request with this text, calling no tools; absent: sentences made up from the prompt."""
    thought: str | None = None
    """Reasoning of models that think; absent: made up; empty: they do not think."""
    sentences: int = 3
    """Natural length of made-up answers."""
    die_after_tokens: int | None = None
    """Each runner dies after so many generated tokens. SIGUSR1 kills all runners at once."""
    embedding_dimensions: int = 128
    """Length of embedding vectors."""
    cache_per_token: int | None = None
    """Bytes of the card for each token of a model's context; absent: known or guessed from the model's name."""
    trained_context: int | None = None
    """Longest sequence that models were trained for; absent: known or guessed from the model's name."""


def from_environment(environment: Mapping[str, str]) -> Settings:
    """Read the settings; raises ValueError that names the variable."""
    ollama: dict[str, Callable[[str], object]] = {
        "models": Path,
        "num_parallel": int,
        "max_loaded_models": lambda text: int(text) or 3,
        "keep_alive": golang.seconds,
        "context_length": lambda text: int(text) or 4096,
        "gpu_overhead": int,
        "max_queue": int,
        "origins": _names,
    }
    simulation: dict[str, Callable[[str], object]] = {
        "pull_fails": _names,
        "preloaded": _names,
        "reply": str,
        "thought": str,
        "sentences": int,
        "die_after_tokens": int,
        "embedding_dimensions": int,
        "cache_per_token": int,
        "trained_context": int,
        "load_seconds": float,
        "prefill_tokens_per_second": float,
        "decode_tokens_per_second": float,
        "batch_slowdown": float,
        "pull_seconds": float,
    }
    values = _read(environment, "OLLAMA_", ollama) | _read(environment, "FAKE_OLLAMA_", simulation)
    unknown = [
        variable
        for variable in environment
        if variable.startswith("FAKE_OLLAMA_") and variable.removeprefix("FAKE_OLLAMA_").lower() not in simulation
    ]
    if unknown:
        raise ValueError(f"{unknown[0]} is no setting of the simulated Ollama")
    host, port = _address(environment.get("OLLAMA_HOST", ""))
    return Settings(host=host, port=port, **values)  # type: ignore[arg-type]


def _read(
    environment: Mapping[str, str], prefix: str, readers: Mapping[str, Callable[[str], object]]
) -> dict[str, object]:
    values = {}
    for field, read in readers.items():
        variable = prefix + field.upper()
        text = environment.get(variable)
        if text is None or (text == "" and field != "thought"):
            continue
        try:
            values[field] = read(text)
        except ValueError as error:
            raise ValueError(f"{variable}={text!r}: {error}") from None
    return values


def _address(text: str) -> tuple[str, int]:
    """Read OLLAMA_HOST: `host`, `host:port`, `:port` or a URL."""
    scheme, separator, rest = text.strip().rpartition("://")
    default = {"http": 80, "https": 443}.get(scheme, _PORT) if separator else _PORT
    host, _, port = rest.split("/", 1)[0].rpartition(":") if ":" in rest else (rest.split("/", 1)[0], "", "")
    try:
        return host.strip("[]") or "127.0.0.1", int(port) if port else default
    except ValueError:
        raise ValueError(f"OLLAMA_HOST must be host:port, got {text!r}") from None


def _names(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())
