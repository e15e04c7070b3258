"""What bodies may take of the gateway, time and memory, at real sockets and at both doors."""

import asyncio
import contextlib
import gzip
import json
import tracemalloc
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import brotli
import pytest

from modelpool_sidecar.http.server import body_deadline
from modelpool_sidecar.http.server.general.inflating import zstd

from ..compiled import patches_what_is_compiled
from .scenes import CHAT, Scene, backend, document, scene, until
from .scripted import Received, engine
from .test_door_refusals import head, is_refused, message

MEBIBYTE = 1024 * 1024
PATH = "/v1/messages"
BLOB = "/api/blobs/sha256:" + "0" * 64
BODY = json.dumps(CHAT | {"x": "y" * MEBIBYTE}).encode()
CHUNKED = "Transfer-Encoding: chunked"
DOORS: dict[str, tuple[tuple[str, ...], Callable[[bytes], bytes]]] = {
    "front": ((f"Content-Length: {len(BODY)}",), bytes),
    "aside": ((f"Content-Length: {len(BODY)}", "Upgrade: x"), bytes),
    "in chunks": ((CHUNKED,), lambda data: b"%x\r\n" % len(data) + data + b"\r\n"),
}


class Caller:
    """One connection, on which a test says when what is sent."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.sending: asyncio.Task[None] | None = None

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self) -> bytes:
        async with asyncio.timeout(20):
            return await self.reader.read()


@asynccontextmanager
async def caller(gate: Scene) -> AsyncIterator[Caller]:
    reader, writer = await asyncio.open_connection(*gate.running.listening[0])
    try:
        yield Caller(reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


@asynccontextmanager
async def gates(folder: Path, go: asyncio.Event | None = None, **settings: Any) -> AsyncIterator[Scene]:
    async def answers(request: Received) -> None:
        if go is not None:
            await go.wait()
        await request.answer(b'{"x":"%d"}' % len(request.body))

    async with (
        engine(answers) as vllm,
        engine(answers, models=["other"]) as ollama,
        scene(
            folder,
            [document(backend("vllm", vllm.url)), pool_of(ollama.url)],
            open_admin=frozenset({"blobs"}),
            **settings,
        ) as gate,
    ):
        await gate.until_ready(True)
        await gate.until_ready(True, model="other")
        yield gate


def pool_of(url: str) -> dict[str, Any]:
    routes = document(backend("ollama", url, model="other"), name="other")
    return routes | {"pool": routes["pool"] | {"name": "second"}}


async def drip(one: Caller, framed: Callable[[bytes], bytes]) -> None:
    """A byte now and then, for as long as somebody takes it."""
    with contextlib.suppress(ConnectionError):
        while True:
            await one.send(framed(b" "))
            await asyncio.sleep(0.02)


@patches_what_is_compiled
@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("path", [PATH, BLOB])
async def test_a_body_that_drips_is_given_up(
    tmp_path: Path, door: str, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(body_deadline, "GRACE_SECONDS", 0.3)
    lines, framed = DOORS[door]
    async with gates(tmp_path) as gate, caller(gate) as one:
        await one.send(head(path, *lines))
        async with asyncio.TaskGroup() as group:
            dripping = group.create_task(drip(one, framed), name="dripping")
            answer = await one.answer()
            dripping.cancel()
        assert answer.startswith(b"HTTP/1.1 408 Request Timeout\r\n"), answer
        if path == PATH:
            assert "in time" in await is_refused(gate, answer, 408, PATH)
        async with gate.get("/metrics") as metrics:
            assert 'limits_reached_total{limit="body_rate"} 1' in await metrics.text()


@patches_what_is_compiled
async def test_a_blob_may_take_longer_than_a_body_and_its_engine_longer_than_its_rate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is not taken from a caller, because its engine takes nothing, is not the caller's fault."""
    monkeypatch.setattr(body_deadline, "GRACE_SECONDS", 0.3)
    go, got = asyncio.Event(), 0
    blob = b"x" * 32 * MEBIBYTE

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal got
        start = await reader.readuntil(b"\r\n\r\n")
        if not start.startswith(b"POST"):
            tags = b'{"version":"0","models":[{"name":"other"}]}'
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(tags) + tags)
        else:
            await go.wait()
            while (size := int(await reader.readline(), 16)) and await reader.readexactly(size + 2):
                got += size
            writer.write(b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(slow, "127.0.0.1", 0, limit=64 * 1024)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    opened = frozenset({"blobs"})
    async with scene(tmp_path, pool_of(url), open_admin=opened, body_timeout=0.2, min_body_rate=MEBIBYTE) as gate:
        await gate.until_ready(True, model="other")
        async with caller(gate) as one, asyncio.TaskGroup() as group:
            start = head(BLOB, f"Content-Length: {len(blob)}", "Connection: close")
            sending = group.create_task(one.send(start + blob), name="sending")
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(1.5):
                    await one.reader.read(1)
            go.set()
            await sending
            assert (await one.answer()).startswith(b"HTTP/1.1 201 Created\r\n")
        assert got == len(blob)
    server.close()
    await server.wait_closed()


@pytest.mark.parametrize("door", DOORS)
async def test_all_bodies_together_have_a_bound(tmp_path: Path, door: str) -> None:
    """Held for their answers or still being read, and free again afterwards."""
    go = asyncio.Event()
    lines, framed = DOORS[door]
    ends = b"0\r\n\r\n" if CHUNKED in lines else b""
    async with gates(tmp_path, go, max_bodies_bytes=2 * MEBIBYTE + MEBIBYTE // 2) as gate:
        async with caller(gate) as one, caller(gate) as two, caller(gate) as three:
            await one.send(head(PATH, *lines, "Connection: close") + framed(BODY) + ends)
            await until(lambda: gate.running.admission.in_flight.running == 1, seen=lambda: gate.log.lines)
            await two.send(head(PATH, *lines) + framed(BODY[:-5]))
            await asyncio.sleep(0)
            async with caller(gate) as small:
                await small.send(head(PATH, "Content-Length: 2", "Connection: close") + b"hi")
                assert (await small.answer()).startswith(b"HTTP/1.1 400 ")
            assert [line.status for line in gate.log.lines] == [400]
            with contextlib.suppress(ConnectionError):
                await three.send(head(PATH, *lines) + framed(BODY) + ends)
            answer = await three.answer()
            assert b"\r\nRetry-After: 2\r\n" in answer
            assert answer.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
            assert b"\r\nConnection: close\r\n" in answer
            assert "too many large" in message(answer.partition(b"\r\n\r\n")[2], "anthropic")
            go.set()
            assert (await one.answer()).startswith(b"HTTP/1.1 200 OK\r\n")
            async with caller(gate) as four:
                await four.send(head(PATH, *lines, "Connection: close") + framed(BODY) + ends)
                assert (await four.answer()).startswith(b"HTTP/1.1 200 OK\r\n")
        async with gate.get("/metrics") as metrics:
            assert 'limits_reached_total{limit="bodies_bytes"} 1' in await metrics.text()


@pytest.mark.parametrize("door", ["front", "aside"])
async def test_an_announcement_that_does_not_fit_is_refused_before_its_body(tmp_path: Path, door: str) -> None:
    go = asyncio.Event()
    lines, _ = DOORS[door]
    async with gates(tmp_path, go, max_bodies_bytes=MEBIBYTE) as gate, caller(gate) as one:
        await one.send(head(PATH, *lines, "Connection: close") + BODY)  # alone it may be larger than all together
        await until(lambda: gate.running.admission.in_flight.running == 1, seen=lambda: gate.log.lines)
        for expects in ((), ("Expect: 100-continue",)):
            async with caller(gate) as two:
                await two.send(head(PATH, *lines, *expects) + (b"" if expects else b"x"))
                assert (await two.answer()).startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
        go.set()
        assert (await one.answer()).startswith(b"HTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize("door", DOORS)
async def test_who_leaves_takes_the_body_along(tmp_path: Path, door: str) -> None:
    lines, framed = DOORS[door]
    async with gates(tmp_path, max_bodies_bytes=2 * MEBIBYTE) as gate:
        for _ in range(4):
            async with caller(gate) as one:
                await one.send(head(PATH, *lines) + framed(BODY[:-5]))
        answer = b""
        async with asyncio.timeout(20):  # until the gateway has seen all of them leave
            while not answer.startswith(b"HTTP/1.1 200 OK\r\n"):
                async with caller(gate) as one:
                    with contextlib.suppress(ConnectionError):
                        await one.send(head(PATH, f"Content-Length: {len(BODY)}", "Connection: close") + BODY)
                        answer = await one.answer()


BOMBS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "one piece": ("gzip", lambda: gzip.compress(b"x" * 300 * MEBIBYTE, 6)),
    "many members": ("gzip", lambda: gzip.compress(b"x" * MEBIBYTE) * 300),
    "brotli": ("br", lambda: brotli.compress(b"x" * 300 * MEBIBYTE, quality=5)),
    "zstd": ("zstd", lambda: zstd.compress(b"x" * 300 * MEBIBYTE)),
    "many frames": ("zstd", lambda: zstd.compress(b"x" * MEBIBYTE) * 300),
    "empty frames": ("zstd", lambda: zstd.compress(b"") * 20_000 + zstd.compress(b"x" * 300 * MEBIBYTE)),
}


@pytest.mark.parametrize("expands", BOMBS)
async def test_a_small_body_that_becomes_a_large_one_is_never_there(tmp_path: Path, expands: str) -> None:
    most = 4 * MEBIBYTE
    coding, packed = BOMBS[expands]
    bomb = packed()
    assert len(bomb) < MEBIBYTE // 2
    async with gates(tmp_path, max_body_bytes=most) as gate, caller(gate) as one:
        request = head(PATH, f"Content-Encoding: {coding}", f"Content-Length: {len(bomb)}", "Connection: close") + bomb
        tracemalloc.start()
        try:
            with contextlib.suppress(ConnectionError):
                await one.send(request)
            answer = await one.answer()
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert str(most) in await is_refused(gate, answer, 413, PATH)
        assert peak < 3 * most, peak


async def test_a_refusal_arrives_while_its_caller_goes_on_sending(tmp_path: Path) -> None:
    """Many megabytes that nobody reads must not make the operating system throw the answer away."""
    async with gates(tmp_path, max_body_bytes=MEBIBYTE) as gate:
        for path, status in ((PATH, 413), ("/nope", 404), ("/api/pull", 403)):
            async with caller(gate) as one:
                with contextlib.suppress(ConnectionError):
                    await one.send(head(path, f"Content-Length: {24 * MEBIBYTE}") + b"x" * 24 * MEBIBYTE)
                answer = await one.answer()
                assert answer.startswith(b"HTTP/1.1 %d " % status), (path, answer)
