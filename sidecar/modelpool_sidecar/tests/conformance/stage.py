"""A whole gateway with two scripted engines behind it, and recordings to play."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..dialects import recordings
from ..dialects.recordings import Recorded
from ..gateway.scenes import Scene, backend, document, scene
from ..gateway.scripted import Engine, Received, engine

CAPABILITIES = {
    "qwen3:8b": ["completion", "tools", "thinking"],
    "scripted-think": ["completion", "thinking"],
    "scripted-tool-p": ["completion", "tools"],
    "plain": ["completion", "tools"],
    "embed:tiny": ["embedding"],
}
_CUT = 37
"""Bytes after which a played stream is cut, so that lines and characters come in pieces."""


@dataclass
class Stage:
    """The gateway, the vLLM that serves the models by their names, and the Ollama that serves `ollama/NAME`."""

    gate: Scene
    vllm: Engine
    ollama: Engine

    def plays(self, recorded: Recorded) -> None:
        """Both engines answer the next requests with this."""

        async def play(request: Received) -> None:
            if "event-stream" not in recorded.content_type and "x-ndjson" not in recorded.content_type:
                await request.answer(recorded.body, status=recorded.status, kind=recorded.content_type)
                return
            await request.begin(recorded.content_type)
            for begin in range(0, len(recorded.body), _CUT):
                await request.chunk(recorded.body[begin : begin + _CUT])
            await request.end()

        self.vllm.behave = self.ollama.behave = play


@asynccontextmanager
async def stage(folder: Path, **settings: Any) -> AsyncIterator[Stage]:
    """Run it; the models are ready."""

    async def silent(request: Received) -> None:
        raise AssertionError(f"nothing was to be asked, got {request.path}")

    async with engine(silent) as vllm, engine(silent, models=list(CAPABILITIES)) as ollama:
        routes: dict[str, Any] = document()
        routes["models"] = [
            {"name": prefix + name, "capabilities": can, "contextLength": 2048, "parameterSize": "1.84M"}
            | {"quantization": "F16", "family": "qwen3", "embeddingLength": 128, "sizeBytes": 3806773}
            | {"memoryBytes": 2621440, "backends": [backend(kind, one.url, model=name)]}
            for name, can in CAPABILITIES.items()
            for prefix, kind, one in (("", "vllm", vllm), ("ollama/", "ollama", ollama))
        ]
        (tag,) = load("ollama/03-tags").document["models"]
        ollama.tags = {name: {**tag, "name": name, "model": name} for name in CAPABILITIES}
        async with scene(folder, routes, **settings) as gate:
            for model in routes["models"]:
                await gate.until_ready(True, model=model["name"])
            yield Stage(gate=gate, vllm=vllm, ollama=ollama)


def whole_request(recorded: Recorded) -> bytes:
    """The body that was sent; those that are cut on file repeat two words."""
    body, cut, _ = recorded.request.partition(b"\n>>> ...(body cut")
    if not cut:
        return body
    model = json.loads(body.split(b',"messages"')[0] + b"}")["model"]
    text = "hello world " * 3000
    return json.dumps({"model": model, "messages": [{"role": "user", "content": text}]}).encode()


def load(name: str) -> Recorded:
    """A recording, `ollama/20-chat-stream`."""
    return recordings.load(name)
