"""The client for engines, over real sockets: which connection is used, when a request is sent again, who waits."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from typing import Any, cast

import pytest

from modelpool_sidecar.dialects.bounds import Bounds
from modelpool_sidecar.http.client.connection import ClientConnection
from modelpool_sidecar.http.client.errors import BrokenMidStream, ClosedBeforeFirstByte, ConnectFailed, NobodyThere
from modelpool_sidecar.http.client.pool import ConnectionPool
from modelpool_sidecar.http.client.request_sender import ClientRequest
from modelpool_sidecar.http.client.response import Receiver
from modelpool_sidecar.serving.translating import Gathering
from modelpool_sidecar.translation import Reply

from ..gateway.scenes import until
from ..gateway.scripted import Behaviour, Engine, Received, engine

ASK = ClientRequest(method="POST", path="/x?a=b", lines=b"X-A: 1\r\n", body=b"{}")


@asynccontextmanager
async def lean(behave: Behaviour, *, read_timeout: float = 30) -> AsyncIterator[tuple[ConnectionPool, Engine]]:
    upstream = ConnectionPool(connect_timeout=10, read_timeout=read_timeout)
    async with engine(behave) as played:
        try:
            yield upstream, played
        finally:
            await upstream.close()


async def read(response: ClientConnection) -> bytes:
    try:
        return await response.read(1 << 30)
    finally:
        response.release()


class Taken:
    """As much of a reply as hears what comes."""

    over = False

    def __init__(self, take: Callable[[bytes], None]) -> None:
        self._take = take

    def feed(self, raw: bytes, now_ns: int) -> bytes:
        self._take(raw)
        return b""


def into(take: Callable[[bytes], None]) -> Receiver:
    return Gathering(cast("Reply", Taken(take)), lambda: 0, Bounds())


async def says_ok(request: Received) -> None:
    await request.answer(request.body or b"none")


def connections(played: Engine) -> int:
    return len({id(request.writer) for request in played.received})


async def test_a_request_arrives_as_it_was_meant() -> None:
    async with lean(says_ok) as (upstream, played):
        assert await read(await upstream.open(played.url + "/base/", ASK)) == b"{}"
        bare = ClientRequest(method="POST", path="/y")
        assert await read(await upstream.open(played.url, bare)) == b"none"
        got, empty = played.received
        assert (got.method, got.path, got.body) == ("POST", "/base/x?a=b", b"{}")
        host = played.url.removeprefix("http://")
        assert got.headers == {"host": host, "x-a": "1", "content-length": "2"}
        assert empty.headers == {"host": host, "content-length": "0"}


async def test_the_connection_that_became_idle_last_is_used_first() -> None:
    async with lean(says_ok) as (upstream, played):
        first, second = [await upstream.open(played.url, ASK) for _ in range(2)]
        await read(first)
        await read(second)
        await read(await upstream.open(played.url, ASK))
        one, two, three = (request.writer for request in played.received)
        assert (one is two, two is three) == (False, True)


async def test_a_body_that_was_not_read_costs_its_connection() -> None:
    async with lean(says_ok) as (upstream, played):
        response = await upstream.open(played.url, ClientRequest(method="POST", path="/", body=b"x" * 1_000_000))
        response.release()
        await until(played.received[0].writer.transport.is_closing, seen=lambda: played.received)
        await read(await upstream.open(played.url, ASK))
        assert connections(played) == 2


@pytest.mark.parametrize("body", [b"{}", None])
async def test_a_stale_connection_costs_one_more_try_and_no_more(body: bytes | None) -> None:
    answered: list[object] = []
    alive = True

    async def once_per_connection(request: Received) -> None:
        if request.writer in answered or not alive:
            request.die()
            return
        answered.append(request.writer)
        await request.answer(b"ok")

    ask = ClientRequest(method="POST", path="/", body=body)
    async with lean(once_per_connection) as (upstream, played):
        for response in [await upstream.open(played.url, ask) for _ in range(4)]:
            await read(response)
        assert await read(await upstream.open(played.url, ask)) == b"ok"
        assert len(played.received) == 6
        alive = False
        with pytest.raises(ClosedBeforeFirstByte, match=r"http://127\.0\.0\.1"):
            await upstream.open(played.url, ask)
        assert len(played.received) == 8


async def test_an_engine_that_had_the_request_does_not_get_it_again() -> None:
    async def thinks_and_dies(request: Received) -> None:
        if len(played.received) == 1:
            await request.answer(b"ok")
        else:
            await asyncio.sleep(0.3)
            request.die()

    async with lean(thinks_and_dies) as (upstream, played):
        await read(await upstream.open(played.url, ASK))
        with pytest.raises(ClosedBeforeFirstByte):
            await upstream.open(played.url, ASK)
        assert len(played.received) == 2
        assert connections(played) == 1


async def test_an_engine_that_a_request_ends_at_once_has_had_it() -> None:
    served = 0

    async def ends_at_the_second(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal served
        for _ in range(2):
            await reader.readuntil(b"{}")
            served += 1
            if served == 2:
                server.close()
                writer.transport.abort()
                return
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    server = await asyncio.start_server(ends_at_the_second, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    upstream = ConnectionPool(connect_timeout=10, read_timeout=30)
    await read(await upstream.open(url, ASK))
    with pytest.raises(ClosedBeforeFirstByte):
        await upstream.open(url, ASK)
    assert served == 2
    await upstream.close()


async def test_a_port_at_which_nobody_listens_is_told_from_one_that_is_slow() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        upstream = ConnectionPool(connect_timeout=10, read_timeout=30)
        for host in ("127.0.0.1", "localhost"):
            with pytest.raises(NobodyThere):
                await upstream.open(f"http://{host}:{port}", ASK)
        taken.listen(0)
        hurried = ConnectionPool(connect_timeout=0.05, read_timeout=30)
        with ExitStack() as full:  # the backlog
            for _ in range(4):
                waits = full.enter_context(socket.socket())
                waits.setblocking(False)
                waits.connect_ex(("127.0.0.1", port))
            with pytest.raises(ConnectFailed) as slow:
                await hurried.open(f"http://127.0.0.1:{port}", ASK)
        assert not isinstance(slow.value, NobodyThere)
        await upstream.close()
        await hurried.close()


async def test_an_answer_that_had_begun_is_not_asked_for_again() -> None:
    async def begins(request: Received) -> None:
        if len(played.received) == 1:
            await request.answer(b"ok")
        else:
            await request.send(b"HTTP/1.1 200 O")
            request.die()

    async with lean(begins) as (upstream, played):
        await read(await upstream.open(played.url, ASK))
        with pytest.raises(ClosedBeforeFirstByte):
            await upstream.open(played.url, ASK)
        assert len(played.received) == 2


async def pieces(*given: bytes) -> AsyncIterator[bytes]:
    for piece in given:
        yield piece


async def test_a_stream_is_sent_in_chunks_on_a_fresh_connection() -> None:
    async with lean(says_ok) as (upstream, played):
        await read(await upstream.open(played.url, ASK))
        large = b"y" * 3_000_000
        stream = ClientRequest(method="POST", path="/", body=pieces(b"x", b"", large))
        assert await read(await upstream.open(played.url, stream)) == b"x" + large
        assert connections(played) == 2


async def test_an_engine_may_answer_before_the_stream_has_ended() -> None:
    never = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 65536
        await never.wait()

    async def refuses(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 413 X\r\nContent-Length: 2\r\n\r\nno")
        await gone.wait()
        writer.close()

    gone = asyncio.Event()
    server = await asyncio.start_server(refuses, "127.0.0.1", 0)
    upstream = ConnectionPool(connect_timeout=10, read_timeout=30)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    response = await upstream.open(url, ClientRequest(method="POST", path="/", body=endless()))
    assert (response.head.status, await read(response)) == (413, b"no")
    gone.set()
    await upstream.close()
    server.close()


async def test_nobody_listens() -> None:
    upstream = ConnectionPool(connect_timeout=10, read_timeout=10)
    for url in ("http://127.0.0.1:9", "http://", "http://x:y"):
        with pytest.raises(ConnectFailed):
            await upstream.open(url, ASK)
    await upstream.close()


async def test_an_engine_that_hangs_up_at_once_does_not_hold_up_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = asyncio.get_running_loop()
    connect = loop.create_connection

    async def late(*words: Any, **named: Any) -> tuple[asyncio.Transport, ClientConnection]:
        transport, connection = await connect(*words, **named)
        await until(lambda: connection.lost, seen=lambda: "still open")
        return transport, connection

    monkeypatch.setattr(loop, "create_connection", late)
    server = await asyncio.start_server(lambda _, writer: writer.transport.abort(), "127.0.0.1", 0)
    upstream = ConnectionPool(connect_timeout=10, read_timeout=30)
    async with server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(ClosedBeforeFirstByte):
            await upstream.open(f"http://127.0.0.1:{port}", ASK)
        await upstream.close()


async def test_silence_before_the_answer_is_no_stale_connection() -> None:
    async def falls_silent(request: Received) -> None:
        if len(played.received) == 1:
            await request.answer(b"ok")
        else:
            await asyncio.wait_for(request.gone.wait(), 20)

    async with lean(falls_silent, read_timeout=0.2) as (upstream, played):
        await read(await upstream.open(played.url, ASK))
        with pytest.raises(ClosedBeforeFirstByte, match="silent"):
            await upstream.open(played.url, ASK)
        assert len(played.received) == 2


async def test_silence_and_death_in_the_middle_are_seen_after_what_came() -> None:
    async def half(request: Received) -> None:
        await request.begin()
        await request.chunk(b"half")
        if request.path == "/dies":
            request.die()
        await asyncio.wait_for(request.gone.wait(), 20)

    for path in ("/dies", "/silent"):
        async with lean(half, read_timeout=0.5) as (upstream, played):
            response = await upstream.open(played.url, ClientRequest(method="GET", path=path))
            got: list[bytes] = []

            with pytest.raises(BrokenMidStream):
                await response.pour(into(got.append))
            with pytest.raises(BrokenMidStream):
                await response.read(1)
            response.release()
            assert b"".join(got) == b"half"


async def test_what_the_reader_raises_reaches_it_and_stops_the_engine() -> None:
    async def goes_on(request: Received) -> None:
        await request.begin()
        while not request.gone.is_set():
            await request.chunk(b"x")
            await asyncio.sleep(0.001)

    def refuses(_: bytes) -> None:
        raise LookupError("enough")

    async with lean(goes_on) as (upstream, played):
        response = await upstream.open(played.url, ClientRequest(method="GET", path="/"))
        with pytest.raises(LookupError, match="enough"):
            await response.pour(into(refuses))
        response.release()
        await until(played.received[0].gone.is_set, seen=lambda: played.received)


@pytest.mark.parametrize("held_back", ["unread", "paused"])
async def test_an_engine_waits_for_its_reader(held_back: str) -> None:
    sent = 0
    piece = b"x" * 65536

    async def floods(request: Received) -> None:
        nonlocal sent
        await request.begin()
        while not request.gone.is_set() and sent < 64 * 1024 * 1024:
            await request.chunk(piece)
            sent += len(piece)
        await request.end()

    async with lean(floods, read_timeout=0.4) as (upstream, played):
        response = await upstream.open(played.url, ClientRequest(method="GET", path="/"))
        got = 0

        def take(data: bytes) -> None:
            nonlocal got
            if not got:
                response.pause()
                asyncio.get_running_loop().call_later(1.0, response.resume)  # longer than the silence allowed
            got += len(data)

        if held_back == "paused":
            await response.pour(into(take))
        else:
            still = -1
            while still != sent:
                still = sent
                await asyncio.sleep(0.3)
            assert sent < 32 * 1024 * 1024
            while not response.whole:
                got += len(await response.read(1))
        response.release()
        assert got == sent == 64 * 1024 * 1024


async def test_leaving_while_the_engine_thinks_closes_the_connection() -> None:
    async def thinks(request: Received) -> None:
        await asyncio.wait_for(request.gone.wait(), 20)

    async with lean(thinks) as (upstream, played):
        async with asyncio.TaskGroup() as group:
            asking = group.create_task(upstream.open(played.url, ASK), name="asks")
            await until(lambda: played.received, seen=lambda: played.received)
            asking.cancel()
        await until(played.received[0].gone.is_set, seen=lambda: played.received)


async def test_an_idle_connection_is_closed_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modelpool_sidecar.http.client.pool._IDLE_SECONDS", 0.1)
    async with lean(says_ok) as (upstream, played):
        await read(await upstream.open(played.url, ASK))
        reader_closed: Callable[[], bool] = played.received[0].writer.transport.is_closing
        await until(reader_closed, seen=lambda: played.received)
        assert await read(await upstream.open(played.url, ASK)) == b"{}"


@pytest.mark.parametrize("evil", ["a\r\nX-B: 2", "a\n", "a\0", "a b"])
async def test_a_path_cannot_break_out_of_its_line(evil: str) -> None:
    async with lean(says_ok) as (upstream, played):
        with pytest.raises(ValueError, match="line's end"):
            await upstream.open(played.url, ClientRequest(method="GET", path="/" + evil))
        assert not played.received
