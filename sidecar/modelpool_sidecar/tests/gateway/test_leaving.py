"""A caller that leaves stops the generation, wherever its request is at that moment."""

import asyncio
import json
from pathlib import Path

import pytest

from .scenes import CHAT, Scene, backend, document, scene, until
from .scripted import Received, engine

ABORT_WITHIN = 0.1
"""Seconds from the caller's leaving to the engine's noticing; the machine's own delays come on top in the check."""
BUSY_MACHINE = 2.0


async def never_answers(request: Received) -> None:
    await asyncio.wait_for(request.gone.wait(), 30)


async def streams_for_ever(request: Received) -> None:
    await request.begin()
    while not request.gone.is_set():
        await request.chunk(b'data: {"choices":[{"index":0,"delta":{"content":"x"},"finish_reason":null}]}\n\n')
        await asyncio.sleep(0.01)


async def leave(gate: Scene, path: str, body: object, *, after: bytes | None) -> asyncio.StreamWriter:
    """A caller on a bare socket that has sent its request and, with `after`, has seen these bytes."""
    host, port = gate.running.listening[0]
    reader, writer = await asyncio.open_connection(host, port)
    data = json.dumps(body).encode()
    writer.write(f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(data)}\r\n\r\n".encode() + data)
    if after is not None:
        await asyncio.wait_for(reader.readuntil(after), 20)
    return writer


WAYS = {
    "stream": ("/v1/chat/completions", True, streams_for_ever, b'"x"'),
    "translated stream": ("/api/chat", True, streams_for_ever, b'"x"'),
    "document": ("/v1/chat/completions", False, never_answers, None),
    "translated document": ("/api/chat", False, streams_for_ever, None),
    "stream that has not begun": ("/api/chat", True, never_answers, None),
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
async def test_leaving_aborts_upstream(tmp_path: Path, way: tuple[str, bool, object, bytes | None]) -> None:
    path, stream, behave, after = way
    async with engine(behave) as vllm, scene(tmp_path, document(backend("vllm", vllm.url))) as gate:  # type: ignore[arg-type]
        await gate.until_ready(True)
        writer = await leave(gate, path, CHAT | {"stream": stream}, after=after)
        await until(lambda: vllm.received, seen=lambda: gate.log.lines)
        request = vllm.received[0]
        writer.close()
        took = await until(request.gone.is_set, seen=lambda: gate.log.lines)
        assert took < ABORT_WITHIN + BUSY_MACHINE
        await gate.until_idle()
        assert [line.status for line in gate.log.lines] == [499]


async def test_leaving_the_queue_frees_the_place(tmp_path: Path) -> None:
    hold = asyncio.Event()

    async def holds(request: Received) -> None:
        await hold.wait()
        await request.answer(b"{}")

    async with engine(holds) as vllm:
        async with scene(tmp_path, document(backend("vllm", vllm.url, room=1))) as gate:
            await gate.until_ready(True)
            queues = gate.running.admission.in_flight.queues
            first = await leave(gate, "/v1/chat/completions", CHAT, after=None)
            await until(lambda: vllm.received, seen=lambda: gate.log.lines)
            second = await leave(gate, "/v1/chat/completions", CHAT, after=None)
            await until(lambda: queues, seen=lambda: gate.log.lines)
            second.close()
            await until(lambda: not queues, seen=lambda: queues)
            hold.set()
            await gate.until_idle()
            first.close()
        assert len(vllm.received) == 1
