"""Everything that the cases need, running: both engines with their models, and the gateway before them."""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from . import calls, places, running
from .running import Program

_TALKS = ("--reasoning-parser", "qwen3", "--enable-auto-tool-choice", "--tool-call-parser", "hermes")
_NO_CHANCE: Final = {"parameters": {"temperature": 0}}
EMBEDS = ("--runner", "pooling", "--convert", "embed")


@dataclass(slots=True, kw_only=True)
class Scene:
    """The running programs."""

    folder: Path
    vllm: Program
    embedder: Program
    ollama: Program
    gateway: Program
    started: dict[str, float]
    """Seconds until each was ready, all starting at once."""


def routes(vllm: str, embedder: str, ollama: str) -> dict[str, Any]:
    """The gateway's document: a model of vLLM's, an embedding model, one of Ollama's, and one of both."""

    def backend(engine: str, url: str, model: str, concurrency: int = 16) -> dict[str, Any]:
        return {"engine": engine, "url": url, "model": model, "maxConcurrency": concurrency}

    talks = {"capabilities": ["completion", "tools", "thinking"], "contextLength": 2048, "parameterSize": "1.47M"}
    swapped = backend("ollama", ollama, calls.ON_OLLAMA)
    guard = backend("ollama", ollama, calls.CHAT)
    return {
        "version": 1,
        "pool": {"namespace": "real", "name": "engines", "created": "2026-01-01T00:00:00Z", "generation": 1},
        "queue": {"maxPending": 64, "timeoutSeconds": 60},
        "models": [
            {"name": calls.CHAT, **talks, "backends": [backend("vllm", vllm, calls.CHAT, 32)]},
            {
                "name": calls.EMBED,
                "capabilities": ["embedding"],
                "contextLength": 2048,
                "backends": [backend("vllm", embedder, calls.EMBED)],
            },
            {"name": calls.ON_OLLAMA, **talks, "backends": [swapped]},
            {"name": calls.GUARDED, **talks, "backends": [backend("vllm", vllm, calls.CHAT), guard]},
        ],
    }


@contextmanager
def running_scene(folder: Path) -> Iterator[Scene]:
    """All of it, ready; ended on the way out."""
    with ExitStack() as stack:
        vllm = stack.enter_context(running.vllm(folder, calls.CHAT, *_TALKS))
        embedder = stack.enter_context(running.vllm(folder, calls.EMBED, *EMBEDS))
        ollama = stack.enter_context(running.ollama(folder))
        started = {"ollama": running.ready(ollama, "/")}
        running.create(ollama.url, calls.CHAT, places.models() / "chat.gguf", **_NO_CHANCE)
        running.create(ollama.url, calls.EMBED, places.models() / "embed.gguf", **_NO_CHANCE)
        running.copy(ollama.url, calls.CHAT, calls.ON_OLLAMA)
        gateway = stack.enter_context(running.gateway(folder, routes(vllm.url, embedder.url, ollama.url)))
        started["gateway"] = running.ready(gateway, "/")
        started["vllm"] = started["ollama"] + running.ready(vllm, "/health")
        started["vllm for embeddings"] = started["vllm"] + running.ready(embedder, "/health")
        until_ready(gateway)
        yield Scene(folder=folder, vllm=vllm, embedder=embedder, ollama=ollama, gateway=gateway, started=started)


def until_ready(gateway: Program) -> float:
    """Wait until the gateway has found every engine ready; the seconds that took."""

    def holds() -> bool:
        view = running.text_of(gateway.url + "/modelpool/routes")
        return '"ready": false' not in json.dumps(json.loads(view))

    return running.until("every engine ready for the gateway", holds, 60)


def restarted_vllm(scene: Scene) -> Any:
    """The same vLLM again, on the same port."""
    return running.vllm(scene.folder, calls.CHAT, *_TALKS, port=scene.vllm.port)
