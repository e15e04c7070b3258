"""A caller that does not read makes its engine wait, whatever it asked and through whichever door; nothing is lost.

What the engine could send is counted at the engine: it is what the sockets hold and little more. They are made small,
but for that on which the gateway sends, for which the kernel takes 4 MiB.
"""

import asyncio
import contextlib
import json
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, cast
from unittest import mock

import pytest

from modelpool_sidecar.dialects.bounds import Bounds
from modelpool_sidecar.http.client.connection import ClientConnection
from modelpool_sidecar.http.client.pool import ConnectionPool
from modelpool_sidecar.http.client.read_timeout import ReadPausing, ReadTimeout
from modelpool_sidecar.http.client.request_sender import ClientRequest
from modelpool_sidecar.http.client.response import Enough, Receiver
from modelpool_sidecar.http.limits import Limits
from modelpool_sidecar.http.server.request import ServerRequest
from modelpool_sidecar.http.server.server import Server
from modelpool_sidecar.serving.translating import Gathering
from modelpool_sidecar.translation import Reply

from ..compiled import patches_what_is_compiled
from ..gateway.scenes import CHAT, Scene, backend, document, scene, until
from ..gateway.scripted import Received, engine
from .application import Application

MEBIBYTE = 1024 * 1024
FLOOD = 32 * MEBIBYTE
BOUND = 16 * MEBIBYTE
"""More than the sockets of both ways hold, and half of a flood."""
BUFFER = 64 * 1024
LOOKS, PAUSE = 16, 0.025
DOORS = {"front": "", "side": "Upgrade: none\r\n"}
WORD = b'data: {"id":"1","model":"served","choices":[{"index":0,"delta":{"content":"%b"},"finish_reason":null}]}\n\n'
EVENT = WORD % (b"w" * 16_000)
END = b'data: {"id":"1","model":"served","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
LINE = b'{"model":"served","message":{"role":"assistant","content":"' + b"w" * 16_000 + b'"},"done":false}\n'
SAID = b'{"model":"served","done":true,"done_reason":"stop"}\n'


class Flood:
    """An engine that sends as much as is taken of it: streams and documents of `FLOOD` bytes."""

    def __init__(self) -> None:
        self.sent = 0

    async def __call__(self, request: Received) -> None:
        request.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)
        asked = request.json
        if asked.get("user") == "short":
            await request.answer(b'{"x":"' + b"y" * 900_000 + b'"}')
        elif request.path == "/api/chat":
            await self._stream(request, "application/x-ndjson", LINE, SAID)
        elif asked.get("stream"):
            await self._stream(request, "text/event-stream", EVENT, END)
        else:
            head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {FLOOD}\r\n\r\n"
            await request.send(head.encode())
            for place in range(0, FLOOD, BUFFER):
                ends = (b'["', b"") if not place else (b"", b'"]') if place + BUFFER == FLOOD else (b"", b"")
                await request.send(b"%b".join(ends) % (b"x" * (BUFFER - len(b"".join(ends)))))
                self.sent += BUFFER

    async def _stream(self, request: Received, kind: str, piece: bytes, last: bytes) -> None:
        await request.begin(kind)
        while self.sent < FLOOD:
            await request.chunk(piece)
            self.sent += len(piece)
        await request.chunk(last)
        await request.end()


async def stands_still(count: Callable[[], int]) -> int:
    """Wait until no more comes; what it is then. One that is only slow is taken for still: that fails no test."""
    before, looks = -1, 0
    while looks < LOOKS:
        before, looks = count(), looks + 1 if count() == before else 0
        await asyncio.sleep(PAUSE)
    return before


class Caller:
    """Reads when it is told to, and has little room for what it has not read."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer

    def ask(self, path: str, body: Mapping[str, object], more: str = "") -> None:
        data = json.dumps(body).encode()
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\n{more}Content-Length: {len(data)}\r\n\r\n"
        self.writer.write(head.encode() + data)

    async def answer(self) -> tuple[bytes, int]:
        """The next answer: its end, and how many bytes its body has."""
        async with asyncio.timeout(60):
            head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
            assert head.startswith(b"http/1.1 200"), head
            if b"content-length: " in head:
                size = int(head.partition(b"content-length: ")[2].partition(b"\r")[0])
                return (await self._reader.readexactly(size))[-100:], size
            size, last = 0, b""
            while length := int(await self._reader.readline(), 16):
                last = (last + await self._reader.readexactly(length))[-100:]
                size += length
                await self._reader.readline()
            await self._reader.readline()
            return last, size


@asynccontextmanager
async def caller(gate: Scene) -> AsyncIterator[Caller]:
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
    made.setblocking(False)
    await asyncio.get_running_loop().sock_connect(made, gate.running.listening[0])
    reader, writer = await asyncio.open_connection(sock=made, limit=BUFFER)
    try:
        yield Caller(reader, writer)
    finally:
        writer.transport.abort()


@contextmanager
def small_sockets() -> Iterator[None]:
    """The gateway's connections to engines hold little: else the kernel would give each of them up to 32 MiB."""
    loop = asyncio.get_running_loop()
    connect = loop.create_connection

    async def small(make: Any, *where: Any, **named: Any) -> Any:
        if named.get("sock") is None:
            made = named["sock"] = socket.socket()
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
            made.setblocking(False)
            await loop.sock_connect(made, where)
            where = ()
        return await connect(make, *where, **named)

    with mock.patch.object(loop, "create_connection", small):
        yield


@pytest.fixture(autouse=True)
async def _small_sockets() -> AsyncIterator[None]:
    with small_sockets():
        yield


@asynccontextmanager
async def flooded(folder: Path, *, ollama: bool = False) -> AsyncIterator[tuple[Scene, Flood]]:
    flood = Flood()
    async with engine(flood, models=["served"]) as played:
        kind = "ollama" if ollama else "vllm"
        routes = document(backend(kind, played.url, model="served"), name="served", aliases=["alias"])
        async with scene(folder, routes) as gate:
            await gate.until_ready(True, model="served")
            yield gate, flood


ASKED: dict[str, tuple[str, dict[str, object], bytes]] = {
    "stream": ("/v1/chat/completions", {"model": "served", "stream": True}, b"data: [DONE]\n\n"),
    "renamed stream": ("/v1/chat/completions", {"model": "alias", "stream": True}, b"data: [DONE]\n\n"),
    "translated stream": ("/api/chat", {"model": "served"}, b"}\n"),
    "document": ("/v1/chat/completions", {"model": "served"}, b'x"]'),
    "Ollama's lines": ("/api/chat", {"model": "served"}, SAID),
}


@pytest.mark.parametrize("door", DOORS.values(), ids=DOORS.keys())
@pytest.mark.parametrize("asked", ASKED)
async def test_an_engine_waits_for_a_caller_that_does_not_read(tmp_path: Path, asked: str, door: str) -> None:
    path, body, last = ASKED[asked]
    async with flooded(tmp_path, ollama=asked == "Ollama's lines") as (gate, flood), caller(gate) as slow:
        slow.ask(path, CHAT | body, door)
        await until(lambda: flood.sent, seen=lambda: gate.log.lines)
        assert await stands_still(lambda: flood.sent) < BOUND
        end, size = await slow.answer()
        assert end.endswith(last)
        assert flood.sent >= FLOOD
        assert size > FLOOD * 0.9  # Ollama's lines are a little shorter than vLLM's events


@pytest.mark.parametrize("door", DOORS.values(), ids=DOORS.keys())
async def test_an_engine_waits_for_a_caller_that_had_not_read_the_answers_before(tmp_path: Path, door: str) -> None:
    """The caller is full before the stream begins."""
    async with flooded(tmp_path) as (gate, flood), caller(gate) as slow:
        for _ in range(8):
            slow.ask("/v1/chat/completions", CHAT | {"model": "served", "user": "short"}, door)
        slow.ask("/v1/chat/completions", CHAT | {"model": "served", "stream": True}, door)
        await stands_still(lambda: len(gate.log.lines))
        assert await stands_still(lambda: flood.sent) < BOUND
        for _ in range(8):
            assert (await slow.answer())[0].endswith(b'y"}')
        end, size = await slow.answer()
        assert end.endswith(b"data: [DONE]\n\n")
        assert size >= FLOOD


@pytest.mark.parametrize("door", DOORS.values(), ids=DOORS.keys())
async def test_a_caller_that_is_full_holds_up_no_answer_of_anybody_else(tmp_path: Path, door: str) -> None:
    """Its stream is over, and the engine's connection carries another's; then it does not read its next answer."""
    go_on = asyncio.Event()

    async def behaves(request: Received) -> None:
        if request.json.get("user") == "large":
            await request.answer(b'{"x":"' + b"y" * 900_000 + b'"}')
            return
        await request.begin()
        if request.json.get("user") == "other":
            for _ in range(100):
                await request.chunk(EVENT)
            await go_on.wait()
        await request.chunk(END)
        await request.end()

    async with engine(behaves) as vllm, scene(tmp_path, document(backend("vllm", vllm.url, room=100))) as gate:
        await gate.until_ready(True)
        async with caller(gate) as full:
            full.ask("/v1/chat/completions", CHAT | {"stream": True}, door)
            assert (await full.answer())[0].endswith(b"data: [DONE]\n\n")
            async with gate.post("/v1/chat/completions", CHAT | {"stream": True, "user": "other"}) as other:
                await other.content.readexactly(100 * len(EVENT))
                connections = [request.writer for request in vllm.received]
                assert connections[0] is connections[1]
                for _ in range(8):
                    full.ask("/v1/chat/completions", CHAT | {"user": "large"}, door)
                await stands_still(lambda: len(vllm.received))
                go_on.set()
                assert await asyncio.wait_for(other.read(), 20) == END


class Counting:
    """As much of a reply as counts what comes, and a receiver that gives it that."""

    over = False

    def __init__(self) -> None:
        self.size = 0
        self.receiver = Gathering(cast("Reply", self), lambda: 0, Bounds(answer_bytes=FLOOD))

    def feed(self, raw: bytes, now_ns: int) -> bytes:
        self.size += len(raw)
        return b""


@pytest.mark.parametrize("unread", [False, True], ids=["at once", "after what nobody has read"])
async def test_pouring_ends_one_reason_to_wait_and_not_the_other(unread: bool) -> None:
    flood, counting = Flood(), Counting()
    upstream = ConnectionPool(connect_timeout=10, read_timeout=30)
    async with engine(flood) as played:
        response = await upstream.open(
            played.url, ClientRequest(method="POST", path="/v1/chat/completions", body=b'{"stream":true}')
        )
        if unread:
            assert await stands_still(lambda: flood.sent) < BOUND
        response.pause()
        async with asyncio.TaskGroup() as group:
            pouring = group.create_task(response.pour(counting.receiver), name="pour")
            assert await stands_still(lambda: flood.sent) < BOUND
            assert not pouring.done()
            response.resume()
            await asyncio.wait_for(pouring, 60)
        assert counting.size == flood.sent + len(END)
        response.release()
        await upstream.close()


async def test_what_nobody_reads_goes_on_when_it_is_poured() -> None:
    flood, counting = Flood(), Counting()
    upstream = ConnectionPool(connect_timeout=10, read_timeout=30)
    async with engine(flood) as played:
        response = await upstream.open(
            played.url, ClientRequest(method="POST", path="/v1/chat/completions", body=b'{"stream":true}')
        )
        assert await stands_still(lambda: flood.sent) < BOUND
        for _ in range(400):  # that a taker has room is no reason to read what nobody takes, however often it is said
            response.resume()
            await asyncio.sleep(0.001)
        assert await stands_still(lambda: flood.sent) < BOUND
        await asyncio.wait_for(response.pour(counting.receiver), 60)
        assert counting.size == flood.sent + len(END)
        response.release()
        await upstream.close()


class Paused:
    """A source that counts how often it was told to wait."""

    def __init__(self) -> None:
        self.times = 0

    def pause(self) -> None:
        self.times += 1

    def resume(self) -> None:
        pass


@pytest.mark.parametrize("door", DOORS.values(), ids=DOORS.keys())
async def test_a_door_forgets_what_an_answer_was_drawn_from(door: str) -> None:
    """Also where the answer itself has forgotten to say that it ended."""
    source, asked = Paused(), 0

    async def answer(visitor: ServerRequest) -> None:
        nonlocal asked
        asked += 1
        if asked == 1:
            visitor.writer.draws_from(source)
        visitor.writer.whole(200, b"", b"" if asked == 1 else b"x" * FLOOD)

    def refuse(visitor: ServerRequest, wrong: Exception) -> None:
        raise AssertionError(wrong)

    async with asyncio.TaskGroup() as group:
        front = Server(Application(answer, refuse), group, Limits(max_body_bytes=MEBIBYTE))
        bound = socket.create_server(("127.0.0.1", 0))
        bound.setblocking(False)
        await front.listen(bound)
        reader, writer = await asyncio.open_connection(*bound.getsockname())
        for _ in range(2):
            writer.write(f"POST / HTTP/1.1\r\nHost: localhost\r\n{door}Content-Length: 0\r\n\r\n".encode())
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
        assert (asked, source.times) == (2, 0)
        writer.transport.abort()
        await front.close(5)


async def test_a_connection_is_read_again_though_its_last_taker_was_full_at_the_end() -> None:
    go_on = asyncio.Event()

    async def behaves(request: Received) -> None:
        await request.begin()
        await go_on.wait()
        await request.send(b"5\r\nhello\r\n0\r\n\r\n")  # at once, so that the end is here when reading has stopped

    upstream = ConnectionPool(connect_timeout=10, read_timeout=30)
    async with engine(behaves) as played:
        for _ in range(3):
            response = await asyncio.wait_for(upstream.open(played.url, ClientRequest(method="GET", path="/")), 20)
            go_on.set()
            await asyncio.wait_for(response.pour(Gathering(cast("Reply", Full(response)), lambda: 0, Bounds())), 20)
            response.release()
        assert len(played.connections) == 1
        await upstream.close()


class Full(Counting):
    """Has no room from the first byte on."""

    def __init__(self, response: ClientConnection) -> None:
        super().__init__()
        self._response = response

    def feed(self, raw: bytes, now_ns: int) -> bytes:
        self._response.pause()
        return b""


class Slow(Receiver):
    """Takes some milliseconds for what comes, so that more has come then; and counts what comes in one turn."""

    def __init__(self) -> None:
        self.turn = self.most = self.all = 0

    def take(self, piece: bytes, framed: bytes | None) -> None:
        time.sleep(0.002)  # the work that the event loop cannot do meanwhile
        self.all += len(piece)
        self.turn += len(piece)
        self.most = max(self.most, self.turn)
        if self.all >= FLOOD:
            raise Enough

    def finished(self) -> bool:
        return False


def _flood(listening: socket.socket) -> None:
    made, _ = listening.accept()
    with made, contextlib.suppress(OSError):
        made.recv(BUFFER)
        made.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            made.sendall(b"40000\r\n" + b"x" * 0x40000 + b"\r\n")


@patches_what_is_compiled  # its receiver is interpreted
def test_others_have_their_turn_while_an_engine_floods() -> None:
    """libuv reads one socket up to 32 times in a row, 256 KB each time, unless it is told to stop."""
    uvloop = pytest.importorskip("uvloop")

    async def flooded(listening: socket.socket) -> Slow:
        slow = Slow()

        async def turns() -> None:
            while True:
                slow.turn = 0
                await asyncio.sleep(0)

        upstream = ConnectionPool(connect_timeout=2, read_timeout=10)
        host, port = listening.getsockname()
        async with asyncio.TaskGroup() as group:
            turning = group.create_task(turns(), name="turns")
            response = await upstream.open(f"http://{host}:{port}", ClientRequest(method="GET", path="/"))
            await asyncio.wait_for(response.pour(slow), 20)
            response.abort()
            turning.cancel()
        await upstream.close()
        return slow

    with socket.create_server(("127.0.0.1", 0)) as listening:
        playing = threading.Thread(target=_flood, args=(listening,), name="engine")
        playing.start()
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            slow = runner.run(flooded(listening))
        playing.join(20)
    assert slow.all >= FLOOD
    assert slow.most < MEBIBYTE, slow.most


async def test_a_turn_for_others_ends_no_back_pressure() -> None:
    told: list[str] = []
    transport = mock.Mock(is_closing=lambda: False)
    transport.pause_reading.side_effect = lambda: told.append("pause")
    transport.resume_reading.side_effect = lambda: told.append("resume")
    flow = ReadPausing(transport, ReadTimeout(asyncio.get_running_loop(), 10, lambda: None))
    flow.yield_turn()
    flow.yield_turn()
    assert told == ["pause"]
    await asyncio.sleep(0)
    assert told == ["pause", "resume"]
    flow.yield_turn()
    flow.full(True, ended=False)
    await asyncio.sleep(0)
    assert told[-1] == "pause"
    flow.yield_turn()
    await asyncio.sleep(0)
    assert told[-1] == "pause"
    flow.full(False, ended=False)
    assert told[-1] == "resume"
