"""Requests go where their needs are met, or are refused by name; what an engine thinks reaches the caller."""

import json
from pathlib import Path
from typing import Any

import pytest

from .scenes import CHAT, backend, document, scene
from .scripted import Received, engine

IMAGE = "iVBORw0KGgo="
NEEDS: dict[str, tuple[str, dict[str, Any]]] = {
    "vision": ("/api/chat", {"messages": [{"role": "user", "content": "?", "images": [IMAGE]}]}),
    "vision of generate": ("/api/generate", {"prompt": "?", "images": [IMAGE]}),
    "vision of openai": (
        "/v1/chat/completions",
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:,"}}]}]},
    ),
    "vision of anthropic": (
        "/v1/messages",
        {"messages": [{"role": "user", "content": [{"type": "image", "source": {}}]}], "max_tokens": 1},
    ),
    "thinking": ("/api/chat", {"messages": CHAT["messages"], "think": True}),
    "tools": ("/api/chat", {"messages": CHAT["messages"], "tools": [{"type": "function"}]}),
}


async def serves(request: Received) -> None:
    await request.answer(b'{"model":"qwen3:8b","message":{"role":"assistant","content":"x"},"done":true}')


@pytest.mark.parametrize("need", NEEDS)
async def test_the_fallback_takes_what_the_first_cannot(tmp_path: Path, need: str) -> None:
    path, body = NEEDS[need]
    able = ["completion", need.split(" ")[0]]
    async with engine(serves) as vllm, engine(serves, models=["qwen3:8b"]) as ollama:
        first = backend("vllm", vllm.url, capabilities=["completion"])
        async with scene(tmp_path, document(first, backend("ollama", ollama.url, capabilities=able))) as gate:
            await gate.until_ready(True, True)
            async with gate.post(path, {"model": "qwen3:8b", "stream": False, **body}) as response:
                assert response.status == 200
                assert response.headers["X-ModelPool-Backend"] == "ollama"
        assert not vllm.received


@pytest.mark.parametrize("need", NEEDS)
async def test_nobody_can_so_it_is_refused_by_name(tmp_path: Path, need: str) -> None:
    path, body = NEEDS[need]
    async with engine(serves) as vllm:
        routes = document(backend("vllm", vllm.url), capabilities=["completion"])
        async with scene(tmp_path, routes) as gate:
            await gate.until_ready(True)
            async with gate.post(path, {"model": "qwen3:8b", "stream": False, **body}) as response:
                error = json.loads(await response.read())["error"]
                assert response.status == 400
        told = error if path.startswith("/api") else error["message"]
        named = '"qwen3:8b"' if path.startswith("/api") else "model 'qwen3:8b'"
        assert told == f"{named} does not support {need.split(' ')[0]}"
        assert not vllm.received


@pytest.mark.parametrize("field", ["reasoning", "reasoning_content"])
@pytest.mark.parametrize("stream", [True, False])
async def test_both_spellings_of_reasoning_survive(tmp_path: Path, field: str, stream: bool) -> None:
    async def thinks(request: Received) -> None:
        kind = "delta" if request.json["stream"] else "message"
        choice = {"index": 0, kind: {field: "hm", "content": "x"}, "finish_reason": "stop"}
        document = json.dumps({"model": "qwen3:8b", "choices": [choice]}).encode()
        if request.json["stream"]:
            await request.begin()
            await request.chunk(b"data: " + document + b"\n\ndata: [DONE]\n\n")
            await request.end()
        else:
            await request.answer(document)

    async with engine(thinks) as vllm, scene(tmp_path, document(backend("vllm", vllm.url))) as gate:
        await gate.until_ready(True)
        async with gate.post("/v1/chat/completions", CHAT | {"stream": stream}) as response:
            assert f'"{field}": "hm"'.encode() in await response.read()
        async with gate.post("/api/chat", CHAT | {"stream": stream}) as response:
            assert b'"thinking":"hm"' in await response.read()


@pytest.mark.parametrize(
    "path",
    [
        "/v1/rerank",
        "/v2/rerank",
        "/rerank",
        "/v1/score",
        "/score",
        "/tokenize",
        "/detokenize",
        "/v1/messages/count_tokens",
    ],
)
async def test_calls_that_one_engine_lacks(tmp_path: Path, path: str) -> None:
    async with engine(serves) as vllm, engine(serves, models=["o"]) as ollama:
        routes = document(backend("vllm", vllm.url))
        routes["models"] += document(backend("ollama", ollama.url, model="o"), name="o")["models"]
        async with scene(tmp_path, routes) as gate:
            await gate.until_ready(True)
            await gate.until_ready(True, model="o")
            async with gate.post(path, {"model": "qwen3:8b"}) as response:
                assert response.status == 200
            async with gate.post(path, {"model": "o"}) as response:
                error = json.loads(await response.read())["error"]
                assert response.status == 404
                assert error["message"] == f"the engine that serves model 'o' does not offer {path}"
        assert vllm.received[0].path == path
        assert not ollama.received


async def test_the_planned_memory_is_told(tmp_path: Path) -> None:
    async with engine(serves) as vllm:
        routes = document(backend("vllm", vllm.url), memoryBytes=8 << 30, sizeBytes=6 << 30, contextLength=8192)
        async with scene(tmp_path, routes) as gate:
            await gate.until_ready(True)
            async with gate.get("/api/ps") as response:
                (model,) = json.loads(await response.read())["models"]
            assert (model["size"], model["size_vram"], model["context_length"]) == (8 << 30, 8 << 30, 8192)
            async with gate.get("/api/tags") as response:
                assert json.loads(await response.read())["models"][0]["size"] == 6 << 30
