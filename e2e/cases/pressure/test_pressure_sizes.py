"""Large requests pass, and a stream costs the gateway the same memory however long it is."""

import asyncio
import base64
import io
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from pressure_world import MODEL, resident_bytes, routes, said

from modelpool_sidecar.tests.gateway import processes
from modelpool_sidecar.tests.gateway.processes import Program
from modelpool_sidecar.tests.gateway.scripted import Engine, Received, engine

MIB = 1024 * 1024
CHUNKS = 100_000
EARLY = CHUNKS // 5
PNG = b"\x89PNG\r\n\x1a\n"
DONE = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'


def event(text: str) -> bytes:
    choice = {"index": 0, "delta": {"content": text}, "logprobs": None, "finish_reason": None}
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": MODEL}
    return b"data: " + json.dumps({**head, "choices": [choice]}).encode() + b"\n\n"


@asynccontextmanager
async def world(folder: Path, played: Engine) -> AsyncIterator[tuple[Program, aiohttp.ClientSession]]:
    """The gateway before a scripted engine, which must go on playing while the gateway starts."""
    starting = processes.gateway(folder, routes(played.url))
    program = await asyncio.to_thread(starting.__enter__)
    try:
        async with aiohttp.ClientSession(program.url, read_bufsize=65536) as session:
            yield program, session
    finally:
        await asyncio.to_thread(starting.__exit__, None, None, None)


async def answers(request: Received) -> None:
    assert request.json["messages"]
    if request.json.get("stream"):
        await request.begin()
        await request.chunk(event(str(len(request.body))) + DONE)
        await request.end()
    else:
        await request.answer(b'{"choices":[{"message":{"content":"ok"}}]}')


def image(path: str, data: bytes) -> dict[str, Any]:
    text = base64.b64encode(data).decode()
    if path == "/api/chat":
        return {"model": MODEL, "stream": False, "messages": [{"role": "user", "content": "?", "images": [text]}]}
    url = {"url": f"data:image/png;base64,{text}"}
    return {"model": MODEL, "messages": [{"role": "user", "content": [{"type": "image_url", "image_url": url}]}]}


@pytest.mark.parametrize("path", ["/api/chat", "/v1/chat/completions"])
async def test_a_long_prompt_and_a_large_image_pass(tmp_path: Path, path: str) -> None:
    async with engine(answers) as played, world(tmp_path, played) as (_, session):
        for body in (said("word " * 40_000, stream=False), image(path, PNG + os.urandom(20 * MIB))):
            async with session.post(path, data=io.BytesIO(json.dumps(body).encode())) as response:
                assert response.status == 200, await response.text()
            sent = played.received[-1]
            assert len(sent.body) > 200_000
            text = json.dumps(body["messages"][0])
            proof = body["messages"][0].get("images", [text])[0][-1000:-10]
            assert proof.encode() in sent.body


async def test_a_simulated_vllm_takes_a_long_prompt_and_a_large_image(tmp_path: Path) -> None:
    limits = {"FAKE_VLLM_UNPROFILED_CACHE_TOKENS": "400000", "FAKE_VLLM_PREFILL_TOKENS_PER_SECOND": "1e7"}
    with (
        processes.vllm(tmp_path, MODEL, "--max-model-len", "131072", weights="google/gemma-3-4b-it", **limits) as vllm,
        processes.gateway(tmp_path, routes(vllm.url)) as gate,
    ):
        async with aiohttp.ClientSession(gate.url) as session:
            for body in (said("word " * 40_000), image("/api/chat", PNG + os.urandom(20 * MIB))):
                data = io.BytesIO(json.dumps(body | {"stream": False}).encode())
                async with session.post("/api/chat", data=data) as response:
                    told = await response.json()
                    assert response.status == 200, told
                    assert told["done"]


@pytest.mark.parametrize(
    ("path", "model"), [("/api/chat", MODEL), ("/v1/chat/completions", MODEL), ("/v1/chat/completions", "alias")]
)
async def test_memory_is_constant_over_a_long_stream(tmp_path: Path, path: str, model: str) -> None:
    piece = b"".join(event(f"token {number}") for number in range(10))

    async def endless(request: Received) -> None:
        await request.begin()
        for _ in range(CHUNKS // 10):
            await request.chunk(piece)
        await request.chunk(DONE)
        await request.end()

    async with engine(endless) as played, world(tmp_path, played) as (gate, session):
        marks: dict[int, int] = {}
        async with session.post(path, json=said("x", stream=True) | {"model": model}) as response:
            count = 0
            async for line in response.content:
                count += b"token" in line
                if count in (EARLY, CHUNKS) and count not in marks:
                    marks[count] = resident_bytes(gate.process.pid)
        assert count == CHUNKS
    grown = marks[CHUNKS] - marks[EARLY]
    print(f"{path} {model}: {marks[EARLY] / MIB:.1f} MiB after {EARLY} chunks, {grown / MIB:+.2f} MiB at {CHUNKS}")
    assert grown < 2 * MIB


async def test_a_caller_that_reads_slowly_holds_the_engine_back(tmp_path: Path) -> None:
    piece = event("x" * 10_000)
    sent = 0

    async def floods(request: Received) -> None:
        nonlocal sent
        await request.begin()
        while not request.gone.is_set():
            await request.chunk(piece)
            sent += len(piece)

    async with engine(floods) as played, world(tmp_path, played) as (gate, session):
        before = resident_bytes(gate.process.pid)
        async with session.post("/api/chat", json=said("x", stream=True)) as response:
            await response.content.readline()
            still = -1
            while still != sent:  # until nothing moves any more
                still = sent
                await asyncio.sleep(0.5)
            grown = resident_bytes(gate.process.pid) - before
        print(f"the engine sent {sent / MIB:.1f} MiB, the gateway grew by {grown / MIB:.1f} MiB")
        assert sent < 32 * MIB
        assert grown < 16 * MIB
