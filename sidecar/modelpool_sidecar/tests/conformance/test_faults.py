"""Every row of the table of faults, in every dialect, through a whole gateway whose only engine fails."""

import json
from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio

from modelpool_sidecar.dialects.dialect import Dialect

from ..gateway.scenes import CHAT, Scene, backend, document, scene
from ..gateway.scripted import Engine, Received, engine
from .faults import FAULTS, Death, Fault

pytestmark = pytest.mark.conformance
on_stage = pytest.mark.asyncio(loop_scope="module")
PATHS = {
    Dialect.OLLAMA: "/api/chat",
    Dialect.OPENAI: "/v1/chat/completions",
    Dialect.ANTHROPIC: "/v1/messages",
}
BEGUN = b'data: {"choices":[{"index":0,"delta":{"content":"hel"},"finish_reason":null}]}\n\n'
BEGUN_ANTHROPIC = b'event: content_block_delta\ndata: {"type":"content_block_delta"}\n\n'
ERROR = b'data: {"error":{"message":"EngineCore died","type":"x","code":500}}\n\n'
ERROR_ANTHROPIC = b'event: error\ndata: {"type":"error","error":{"type":"x","message":"EngineCore died"}}\n\n'
ABORTED = b'{"choices":[{"index":0,"message":{"content":"x"},"finish_reason":"abort"}]}'
ABORTED_STREAM = b'data: {"choices":[{"index":0,"delta":{"content":"x"},"finish_reason":"abort"}]}\n\n'


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def staged(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Scene, Engine]]:
    async def nothing(request: Received) -> None:
        raise AssertionError(request.path)

    async with (
        engine(nothing) as vllm,
        scene(tmp_path_factory.mktemp("faults"), document(backend("vllm", vllm.url))) as gate,
    ):
        yield gate, vllm


async def fails(request: Received, fault: Fault) -> None:
    anthropic = request.path == "/v1/messages"
    if isinstance(fault.engine, int):
        await request.answer(fault.body, status=fault.engine)
        return
    if fault.engine is Death.SILENT:
        request.die()
        return
    if request.json.get("stream"):
        await request.begin()
        if fault.begun:
            await request.chunk(BEGUN_ANTHROPIC if anthropic else BEGUN)
    match fault.engine:
        case Death.MIDWAY:
            if not request.json.get("stream"):
                await request.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{")
            request.die()
        case Death.TOLD:
            await request.chunk(ERROR_ANTHROPIC if anthropic else ERROR)
            await request.end()
        case Death.ABORTED if request.json.get("stream"):
            await request.chunk(ABORTED_STREAM)
            await request.end()
        case Death.ABORTED:
            await request.answer(ABORTED)
        case _:
            await request.end()


@on_stage
@pytest.mark.parametrize("dialect", Dialect)
@pytest.mark.parametrize(
    ("fault", "stream"),
    [(fault, stream) for fault in FAULTS for stream in (False, True) if fault.stream in (None, stream)],
    ids=lambda value: value.id if isinstance(value, Fault) else f"asked={value}",
)
async def test_fault(staged: tuple[Scene, Engine], fault: Fault, stream: bool, dialect: Dialect) -> None:
    gate, vllm = staged
    vllm.behave = lambda request: fails(request, fault)
    await gate.until_ready(True)
    async with gate.post(PATHS[dialect], CHAT | {"stream": stream}) as response:
        body = b""
        try:
            async for piece in response.content.iter_any():
                body += piece
        except aiohttp.ClientError:
            assert fault.begun  # cut off, after the error was told
    assert response.status == fault.status[list(Dialect).index(dialect)], body
    assert ("Retry-After" in response.headers) == (fault.retry_after or response.status == 503)
    if fault.untouched and dialect is not Dialect.OLLAMA:
        assert body == fault.body
        return
    last = body.rstrip().rsplit(b"\n", 1)[-1].removeprefix(b"data: ")
    error = json.loads(last)["error"]
    if dialect is Dialect.OLLAMA:
        assert fault.text in error
    else:
        assert error["message"]
        assert error["type"]
    if fault.begun:
        kind = "application/x-ndjson" if dialect is Dialect.OLLAMA else "text/event-stream"
        assert response.headers["Content-Type"].startswith(kind)
        assert b'done":true' not in body
        assert b"[DONE]" not in body
