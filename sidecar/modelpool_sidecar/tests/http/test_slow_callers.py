"""Callers that do not read, read slowly, or leave without being seen: at both doors, for streams and documents."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from modelpool_sidecar.http.limits import Limit, Limits
from modelpool_sidecar.http.server.caller_socket import CallerSocket
from modelpool_sidecar.http.server.socket_state import Unread

from ..gateway.scenes import CHAT, Scene, backend, document, scene, until
from ..gateway.scripted import Received, engine

DOORS = {"front": "X: y", "side": "Upgrade: none"}
EVENT = b'data: {"id":"1","choices":[{"index":0,"delta":{"content":"%b"},"finish_reason":null}]}\n\n' % (b"x" * 20_000)
PATIENCE = 0.4
"""Seconds that a caller may read nothing, in these tests."""


async def streams_for_ever(request: Received) -> None:
    await request.begin()
    with contextlib.suppress(ConnectionError):
        while not request.gone.is_set():
            await request.chunk(EVENT)


async def long_document(request: Received) -> None:
    """One document, larger than what the gateway holds back and any system's buffers."""
    size = 64 * 1024 * 1024
    with contextlib.suppress(ConnectionError):
        await request.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % size)
        for _ in range(size // 65536):
            await request.send(b"x" * 65536)


async def never_answers(request: Received) -> None:
    await asyncio.wait_for(request.gone.wait(), 30)


ANSWERS: dict[str, tuple[Any, str, bool]] = {
    "stream": (streams_for_ever, "/v1/chat/completions", True),
    "translated stream": (streams_for_ever, "/api/chat", True),
    "document": (long_document, "/v1/chat/completions", False),
}


def post(path: str, body: object, line: str) -> bytes:
    data = json.dumps(body).encode()
    return f"POST {path} HTTP/1.1\r\nHost: localhost\r\n{line}\r\nContent-Length: {len(data)}\r\n\r\n".encode() + data


@asynccontextmanager
async def caller(gate: Scene, sent: bytes) -> AsyncIterator[socket.socket]:
    """A bare socket that has sent something, and reads nothing by itself."""
    loop = asyncio.get_running_loop()
    with socket.socket() as made:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        made.setblocking(False)
        await loop.sock_connect(made, tuple(gate.running.listening[0]))
        await loop.sock_sendall(made, sent)
        yield made


def reached(gate: Scene, limit: Limit) -> int:
    return gate.running.limits.counts[limit.value]


@pytest.mark.parametrize("line", DOORS.values(), ids=DOORS.keys())
@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS.keys())
async def test_who_reads_nothing_is_cut_off(tmp_path: Path, line: str, answer: tuple[Any, str, bool]) -> None:
    behave, path, stream = answer
    async with (
        engine(behave) as vllm,
        scene(tmp_path, document(backend("vllm", vllm.url, room=1)), write_timeout=PATIENCE) as gate,
    ):
        await gate.until_ready(True)
        async with caller(gate, post(path, CHAT | {"stream": stream}, line)):
            await until(lambda: vllm.received, seen=lambda: gate.log.lines)
            await until(lambda: vllm.received[0].gone.is_set(), seen=lambda: gate.log.lines)
            await gate.until_idle()  # its slot is free
            await until(lambda: gate.log.lines, seen=lambda: gate.log.lines)
        [told] = gate.log.lines
        assert (told.status, told.error) == (499, "the caller read nothing for 0.4 s")
        assert reached(gate, Limit.WRITE_SECONDS) == 1


@pytest.mark.parametrize("line", DOORS.values(), ids=DOORS.keys())
@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS.keys())
async def test_who_reads_slowly_is_served(tmp_path: Path, line: str, answer: tuple[Any, str, bool]) -> None:
    """A little at a time, so that for many times the limit nothing leaves our buffer: the system's takes it up."""
    behave, path, stream = answer
    async with (
        engine(behave) as vllm,
        scene(tmp_path, document(backend("vllm", vllm.url, room=1)), write_timeout=2 * PATIENCE) as gate,
    ):
        await gate.until_ready(True)
        async with caller(gate, post(path, CHAT | {"stream": stream}, line)) as reads:
            loop = asyncio.get_running_loop()
            ends = loop.time() + 8 * PATIENCE
            while loop.time() < ends:
                async with asyncio.timeout(20):
                    assert await loop.sock_recv(reads, 16384)
                with contextlib.suppress(TimeoutError):  # the system tells of room when 64 KiB are free
                    async with asyncio.timeout(PATIENCE / 16):
                        await vllm.received[0].gone.wait()
            assert not vllm.received[0].gone.is_set()
            assert not reached(gate, Limit.WRITE_SECONDS)


@pytest.mark.parametrize("line", DOORS.values(), ids=DOORS.keys())
async def test_a_last_answer_that_is_not_read_holds_no_connection(tmp_path: Path, line: str) -> None:
    """It is the last one, so the connection is closing already."""

    async def large(request: Received) -> None:
        await request.answer(b'{"x":"' + b"y" * 900_000 + b'"}')

    sent = post("/v1/chat/completions", CHAT, line) * 20 + post(
        "/v1/chat/completions", CHAT, line + "\r\nConnection: close"
    )
    async with (
        engine(large) as vllm,
        scene(tmp_path, document(backend("vllm", vllm.url, room=1)), write_timeout=PATIENCE) as gate,
    ):
        await gate.until_ready(True)
        async with caller(gate, sent):
            await until(lambda: reached(gate, Limit.WRITE_SECONDS), seen=lambda: gate.log.lines)
            await until(lambda: not gate.running.server.callers, seen=lambda: gate.running.server.callers)


@pytest.mark.parametrize("line", DOORS.values(), ids=DOORS.keys())
@pytest.mark.parametrize("ahead", [0, 30_000, 200_000])
@pytest.mark.parametrize("how", ["closes", "resets"])
async def test_who_leaves_is_noticed_whatever_was_sent_ahead(tmp_path: Path, line: str, ahead: int, how: str) -> None:
    async with (
        engine(never_answers) as vllm,
        scene(tmp_path, document(backend("vllm", vllm.url, room=1))) as gate,
    ):
        await gate.until_ready(True)
        one = post("/v1/chat/completions", CHAT | {"fill": "x" * 3000}, line)
        async with caller(gate, post("/v1/chat/completions", CHAT, line) + one * (ahead // len(one))) as leaves:
            await until(lambda: vllm.received, seen=lambda: gate.log.lines)
            if how == "resets":
                leaves.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        took = await until(vllm.received[0].gone.is_set, seen=lambda: gate.log.lines)
        assert took < 5
        await gate.until_idle()
        await until(lambda: gate.log.lines, seen=lambda: gate.log.lines)
        assert [(line.status, line.error) for line in gate.log.lines] == [(499, "the caller left")]


@pytest.mark.parametrize("line", DOORS.values(), ids=DOORS.keys())
async def test_a_full_caller_holds_its_engine_back(tmp_path: Path, line: str) -> None:
    """And its engine goes on when it reads again."""

    sent = [0]

    async def counted(request: Received) -> None:
        await request.begin()
        with contextlib.suppress(ConnectionError):
            while not request.gone.is_set():
                await request.chunk(EVENT)
                sent[0] += len(EVENT)

    async with (
        engine(counted) as vllm,
        scene(tmp_path, document(backend("vllm", vllm.url, room=1)), write_timeout=30.0) as gate,
    ):
        await gate.until_ready(True)
        loop = asyncio.get_running_loop()
        async with caller(gate, post("/v1/chat/completions", CHAT | {"stream": True}, line)) as reads:
            for _ in range(3):
                seen, still = -1, 0
                while still < 30:
                    await asyncio.sleep(0.01)
                    still = still + 1 if seen == sent[0] else 0
                    seen = sent[0]
                assert seen < 40_000_000, "the engine is not held back"
                had = 0
                async with asyncio.timeout(30):
                    while had < 12_000_000:  # more than all systems together hold
                        had += len(await loop.sock_recv(reads, 1 << 20))
                await until(lambda: sent[0] > seen, seen=lambda: sent)  # noqa: B023


@pytest.mark.parametrize("line", DOORS.values(), ids=DOORS.keys())
async def test_a_full_caller_holds_nobody_elses_engine_back(tmp_path: Path, line: str) -> None:
    """The connection to the engine on which it had a stream before is another caller's by now."""

    async def behave(request: Received) -> None:
        if request.json.get("user") == "many":  # so few that its own caller is never full
            await request.begin()
            while not request.gone.is_set():
                await request.chunk(b"data: {}\n\n")
                await asyncio.sleep(0.002)
        elif request.json.get("stream"):
            await request.begin()
            await request.chunk(EVENT + b"data: [DONE]\n\n")
            await request.end()
        else:
            await request.answer(b'{"x":"' + b"y" * 900_000 + b'"}')

    path = "/v1/chat/completions"
    async with engine(behave) as vllm, scene(tmp_path, document(backend("vllm", vllm.url)), write_timeout=30.0) as gate:
        await gate.until_ready(True)
        loop = asyncio.get_running_loop()
        async with caller(gate, post(path, CHAT | {"stream": True}, line)) as full:
            told = b""
            async with asyncio.timeout(20):
                while not told.endswith(b"0\r\n\r\n"):
                    told += await loop.sock_recv(full, 1 << 20)
            async with caller(gate, post(path, CHAT | {"stream": True, "user": "many"}, line)) as other:
                await until(lambda: len(vllm.received) == 2, seen=lambda: vllm.received)
                assert vllm.received[1].writer is vllm.received[0].writer
                await loop.sock_sendall(full, post(path, CHAT, line) * 40)
                seen, still = -1, 0
                while still < 30:  # until it is full
                    await asyncio.sleep(0.01)
                    still = still + 1 if seen == len(vllm.received) else 0
                    seen = len(vllm.received)
                assert seen < 40
                had = 0
                async with asyncio.timeout(20):
                    while had < 5_000:
                        had += len(await loop.sock_recv(other, 1 << 20))


def test_how_long_nothing_was_taken() -> None:
    unread = Unread()
    assert [unread.seconds(waiting, now) for waiting, now in ((10, 1.0), (10, 2.0), (12, 3.0))] == [0, 1, 2]
    assert [unread.seconds(waiting, now) for waiting, now in ((9, 4.0), (9, 6.0))] == [0, 2]
    unread.forget()
    assert unread.seconds(100, 7.0) == 0
    # Something is added, and something of that is taken: more waits than at first, but the caller reads.
    assert [unread.seconds(waiting, now) for waiting, now in ((900, 9.0), (500, 11.0), (500, 12.0))] == [2, 0, 1]


class Source:
    """What an answer is drawn from, as far as a line sees it."""

    def __init__(self) -> None:
        self.paused = False

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        self.paused = False


class Pipe(asyncio.Transport):
    """A transport that says nothing by itself."""

    def is_closing(self) -> bool:
        return False

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def write(self, data: bytes | bytearray | memoryview) -> None:
        pass


async def test_a_line_holds_back_the_source_that_it_draws_from_and_no_other() -> None:
    line, one, other = CallerSocket(Limits()), Source(), Source()
    line.use(Pipe())
    line.draws_from(one)
    line.pause_writing()
    assert (line.full, one.paused) == (True, True)
    line.draws_from(other)  # while it is full
    assert other.paused
    line.resume_writing()
    assert (line.full, other.paused) == (False, False)
    line.draws_from(None)
    line.pause_writing()
    assert not other.paused
