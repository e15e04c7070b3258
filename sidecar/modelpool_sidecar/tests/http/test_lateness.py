"""Callers that are slow to say what they want, at a real socket."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest

from modelpool_sidecar.http.errors import TooLateError
from modelpool_sidecar.http.inline_task import in_task
from modelpool_sidecar.http.limits import Limits
from modelpool_sidecar.http.server.request import ServerRequest
from modelpool_sidecar.http.server.server import Server
from modelpool_sidecar.serving import refusals

from .application import Application


async def told(visitor: ServerRequest) -> None:
    try:
        body = await visitor.read()
    except TooLateError as error:
        visitor.writer.whole(408, b"", str(error).encode())
        return
    text = f"{visitor.head.method} {visitor.head.path} {body.decode()}\n"
    visitor.writer.whole(200, b"Content-Type: text/plain\r\n", text.encode())


def refused(visitor: ServerRequest, wrong: Exception) -> None:
    visitor.writer.whole(refusals.of_caller(wrong).status or 413, b"", str(wrong).encode())


@asynccontextmanager
async def server(
    head_seconds: float,
    body_seconds: float = 60,
    answer: Callable[[ServerRequest], Coroutine[Any, None, None]] = told,
    idle_seconds: float = 75,
) -> AsyncIterator[int]:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.setblocking(False)
    async with asyncio.TaskGroup() as group:
        limits = Limits(
            max_body_bytes=1000, head_timeout=head_seconds, body_timeout=body_seconds, idle_timeout=idle_seconds
        )
        front = Server(Application(answer, refused), group, limits)
        await front.listen(listener)
        try:
            yield listener.getsockname()[1]
        finally:
            await front.close(5)


async def talk(port: int, *pieces: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for piece in pieces:
        writer.write(piece)
        await writer.drain()
    async with asyncio.timeout(20):
        answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


REQUEST = b"POST /api/chat HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi"
OLD = REQUEST.replace(b"1.1", b"1.0")
IN_CHUNKS = REQUEST.replace(b"Content-Length: 2", b"Transfer-Encoding: chunked")[:-2] + b"2\r\nhi\r\n0\r\n\r\n"
CUTS = ("whole", "byte by byte", "blank line apart")
DOORS = {"common": REQUEST, "old": OLD, "in chunks": IN_CHUNKS}


def cut(request: bytes, how: str) -> list[bytes]:
    if how == "byte by byte":
        return [request[place : place + 1] for place in range(len(request))]
    place = len(request) if how == "whole" else request.index(b"\r\n\r\n") + 2
    return [request[:place], request[place:]]


@pytest.mark.parametrize("how", CUTS)
@pytest.mark.parametrize("request_bytes", DOORS.values(), ids=DOORS.keys())
async def test_a_request_arrives_in_whatever_pieces(request_bytes: bytes, how: str) -> None:
    async with server(head_seconds=20) as port:
        answer = await talk(port, *cut(request_bytes, how))
    assert answer.split(b" ", 1)[1].startswith(b"200 OK\r\n")
    assert answer.endswith(b"POST /api/chat hi\n")


@pytest.mark.parametrize("how", CUTS)
async def test_requests_sent_ahead_are_answered_in_their_order_at_both_doors(how: str) -> None:
    stays = REQUEST.replace(b"Connection: close\r\n", b"")
    other = IN_CHUNKS.replace(b"Connection: close\r\n", b"").replace(b"/api/chat", b"/v1/completions")
    async with server(head_seconds=20) as port:
        answer = await talk(port, *cut(stays + stays + other + REQUEST, how))
    assert answer.count(b"HTTP/1.1 200 OK") == 4
    assert answer.count(b"POST /api/chat hi\n") == 3
    assert answer.index(b"POST /v1/completions hi") > answer.index(b"/api/chat", answer.index(b"/api/chat") + 1)


@pytest.mark.parametrize("begun", [b"", b"POST /a HTTP/1.1\r\nHost: x\r\n"], ids=["nothing", "half a head"])
async def test_who_sends_no_head_in_time_is_shown_out(begun: bytes) -> None:
    async with server(head_seconds=0.1) as port:
        answer = await talk(port, begun)
    assert answer.startswith(b"HTTP/1.1 408 Request Timeout\r\n")


async def test_a_later_request_has_no_more_time_for_its_head() -> None:
    async with server(head_seconds=0.2) as port:
        answer = await talk(port, REQUEST.replace(b"Connection: close\r\n", b"") + REQUEST[:30])
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"\nHTTP/1.1 408 Request Timeout\r\n" in answer


async def test_a_head_that_is_lent_half_read_has_no_more_time() -> None:
    """Up to some size the front door waits for a head, and the side door for the rest."""
    loop = asyncio.get_running_loop()
    async with server(head_seconds=2.0) as port:
        began = loop.time()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(REQUEST[:25] + b"X: " + b"y" * 7000 + b"\r\nX: ")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1.2):
                await reader.read(1)
        writer.write(b"z" * 2000)
        async with asyncio.timeout(20):
            assert (await reader.read()).startswith(b"HTTP/1.1 408 ")
        writer.close()
        assert 1.9 < loop.time() - began < 3.0


@pytest.mark.parametrize(("line", "passed"), [(b"X: y", [31]), (b"Upgrade: none", [])], ids=["front", "side"])
async def test_a_head_that_begins_when_a_connection_is_nearly_too_old_has_its_time(
    line: bytes, passed: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`passed`: seconds until since when it is idle has been seen."""
    loop, ahead = asyncio.get_running_loop(), 0.0
    time = loop.time
    monkeypatch.setattr(loop, "time", lambda: time() + ahead)
    stays = REQUEST.replace(b"Connection: close", line)
    async with server(head_seconds=30) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(stays)
        await reader.readuntil(b"hi\n")
        for seconds in (*passed, Limits().idle_timeout - 0.5):
            ahead += seconds
            await asyncio.sleep(0.1)
        writer.write(stays[:30])
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1.0):
                await reader.read(1)
        writer.write(stays[30:])
        async with asyncio.timeout(20):
            assert (await reader.readuntil(b"hi\n")).startswith(b"HTTP/1.1 200 ")
        writer.close()


async def test_a_caller_between_requests_is_not_late() -> None:
    async with server(head_seconds=0.1) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(2):
            writer.write(REQUEST.replace(b"Connection: close\r\n", b""))
            async with asyncio.timeout(20):
                assert (await reader.readuntil(b"POST /api/chat hi\n")).startswith(b"HTTP/1.1 200")
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.3):
                    await reader.read(1)
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize("behind", [b"", b"\r\n"], ids=["nothing", "an empty line"])
@pytest.mark.parametrize("request_bytes", [REQUEST, IN_CHUNKS], ids=["front", "side"])
async def test_a_connection_on_which_nothing_more_is_asked_is_closed(request_bytes: bytes, behind: bytes) -> None:
    """Without a word: a caller that is just about to ask asks again on another one."""
    async with server(head_seconds=0.5, idle_seconds=0.1) as port:
        answer = await talk(port, request_bytes.replace(b"Connection: close\r\n", b""), behind)
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.endswith(b"POST /api/chat hi\n")


async def test_a_body_may_take_its_time() -> None:
    async with server(head_seconds=0.1) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(REQUEST[:-2])
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await reader.read(1)
        writer.write(b"hi")
        async with asyncio.timeout(20):
            answer = await reader.read()
        writer.close()
        await writer.wait_closed()
    assert answer.endswith(b"POST /api/chat hi\n")


@pytest.mark.parametrize("begun", [b"", b"h"])
@pytest.mark.parametrize("later", [False, True])
async def test_a_body_that_does_not_go_on_is_given_up(begun: bytes, later: bool) -> None:
    stays = REQUEST.replace(b"Connection: close\r\n", b"")
    async with server(head_seconds=20, body_seconds=0.1) as port:
        answer = await talk(port, *([stays] if later else []), stays[:-2] + begun)
    assert answer.count(b"HTTP/1.1 200 OK\r\n") == later
    assert answer.endswith(b"the request body did not come in time")


async def test_a_body_that_goes_on_is_waited_for() -> None:
    whole = REQUEST.replace(b"Content-Length: 2", b"Content-Length: 8")[:-2]
    async with server(head_seconds=20, body_seconds=20) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(whole)
        for _ in range(8):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await reader.read(1)
            writer.write(b"x")
        async with asyncio.timeout(20):
            answer = await reader.read()
        writer.close()
        await writer.wait_closed()
    assert answer.endswith(b"POST /api/chat xxxxxxxx\n")


async def test_a_head_without_end_is_too_large() -> None:
    async with server(head_seconds=20) as port:
        answer = await talk(port, b"POST /a HTTP/1.1\r\nX: " + b"a" * 70_000)
    assert answer.startswith((b"HTTP/1.0 400", b"HTTP/1.1 400"))


async def test_leaving_before_the_head_is_whole_leaves_nothing_behind() -> None:
    async with server(head_seconds=0.1) as port:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET")
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize("later", [False, True])
async def test_a_caller_that_waits_is_told_to_go_on(later: bool) -> None:
    asks = REQUEST.replace(b"Connection", b"Expect: 100-continue\r\nConnection")
    async with server(head_seconds=20) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        if later:  # on a connection that was lent
            writer.write(IN_CHUNKS.replace(b"Connection: close\r\n", b""))
            async with asyncio.timeout(20):
                await reader.readuntil(b"hi\n")
        writer.write(asks[:-2])
        async with asyncio.timeout(20):
            assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
            writer.write(b"hi")
            answer = await reader.read()
        writer.close()
        await writer.wait_closed()
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")


async def test_a_long_answer_is_not_looked_at_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    loop, looks, begun, enough = asyncio.get_running_loop(), [0.0], asyncio.Event(), asyncio.Event()
    call_at = loop.call_at

    def counted(when: float, *words: Any, **context: Any) -> asyncio.TimerHandle:
        looks.append(when)
        return call_at(when, *words, **context)

    async def slowly(visitor: ServerRequest) -> None:
        begun.set()
        await in_task()
        await enough.wait()
        await told(visitor)

    async with server(head_seconds=0.05, answer=slowly) as port, asyncio.TaskGroup() as group:
        asking = group.create_task(talk(port, REQUEST), name="asking")
        await begun.wait()
        with monkeypatch.context() as patched:
            patched.setattr(loop, "call_at", counted)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.5):
                    await asyncio.shield(asking)
        enough.set()
    assert len(looks) < 10, looks
    assert asking.result().endswith(b"POST /api/chat hi\n")
