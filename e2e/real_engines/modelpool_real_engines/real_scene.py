"""Published models at both engines, and the gateway before vLLM: the same weights and the same template at either."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from . import places, running, scene
from .running import Program

CHAT: Final = "smollm2:latest"
"""SmolLM2-135M-Instruct: talks, and was trained for no tools."""
EMBED: Final = "minilm:latest"
CONTEXT: Final = 1024
"""Less than the model has, so that a conversation of forty turns outgrows it at once."""
SYSTEM: Final = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"
"""What the model's template says where a conversation says nothing; Ollama's form of that template leaves it out."""
EMBED_CONTEXT: Final = 256
"""What all-MiniLM-L6-v2 was trained for."""
AT_ONCE: Final = 8

_CACHE: Final = 1024 * 1024 * 1024
_SETTINGS: Final = {
    "OLLAMA_CONTEXT_LENGTH": str(CONTEXT),
    "OLLAMA_NUM_PARALLEL": str(AT_ONCE),
    "OLLAMA_MAX_LOADED_MODELS": "2",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RealScene:
    """The running programs."""

    ollama: Program
    gateway: Program
    started: float
    """Seconds until all were ready."""


def routes(vllm: str, embedder: str) -> dict[str, Any]:
    """The gateway's document."""

    def model(name: str, url: str, context: int, *abilities: str) -> dict[str, Any]:
        backend = {"engine": "vllm", "url": url, "model": name, "maxConcurrency": 16}
        return {"name": name, "capabilities": list(abilities), "contextLength": context, "backends": [backend]}

    return {
        "version": 1,
        "pool": {"namespace": "real", "name": "weights", "created": "2026-01-01T00:00:00Z", "generation": 1},
        "queue": {"maxPending": 64, "timeoutSeconds": 120},
        "models": [
            model(CHAT, vllm, CONTEXT, "completion"),
            model(EMBED, embedder, EMBED_CONTEXT, "embedding"),
        ],
    }


@contextmanager
def running_scene(folder: Path) -> Iterator[RealScene]:
    """All of it, ready; ended on the way out."""
    models = places.real_models()
    with ExitStack() as stack:
        ollama = stack.enter_context(running.ollama(folder, **_SETTINGS))
        started = running.ready(ollama, "/")
        running.create(ollama.url, CHAT, models / "smollm2.gguf", system=SYSTEM)
        running.create(ollama.url, EMBED, models / "minilm", parameters={"num_ctx": EMBED_CONTEXT})
        vllm = running.vllm(folder, CHAT, weights=models / "smollm2", context=CONTEXT, cache=_CACHE)
        embedder = running.vllm(
            folder, EMBED, *scene.EMBEDS, weights=models / "minilm", context=EMBED_CONTEXT, cache=_CACHE
        )
        engines = [stack.enter_context(engine) for engine in (vllm, embedder)]
        gateway = stack.enter_context(running.gateway(folder, routes(*(engine.url for engine in engines))))
        started += running.ready(gateway, "/")
        started += sum(running.ready(engine, "/health") for engine in engines)
        scene.until_ready(gateway)
        yield RealScene(ollama=ollama, gateway=gateway, started=started)
