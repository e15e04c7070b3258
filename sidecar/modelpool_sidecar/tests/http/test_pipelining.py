"""Callers that send many requests ahead: others have their turn, and nothing is made for who does not read."""

import asyncio
import itertools
import socket
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest

from modelpool_sidecar.http.inline_task import in_task
from modelpool_sidecar.http.limits import Limits
from modelpool_sidecar.http.server.pipelining import TURN_NS, Turns
from modelpool_sidecar.http.server.request import ServerRequest
from modelpool_sidecar.http.server.server import Server

from ..gateway.scenes import until
from .application import Application

AHEAD = 64 * 1024
READ = 256 * 1024
"""What an event loop reads at once."""
DOORS = {"front": "X: y", "side": "Upgrade: none"}


@asynccontextmanager
async def front(
    answer: Callable[[ServerRequest], Coroutine[Any, None, None]], **limits: Any
) -> AsyncIterator[tuple[str, int]]:
    """A front door at a free port."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    async with asyncio.TaskGroup() as group:
        made = Server(Application(answer, lambda request, wrong: None), group, Limits(**limits))
        await made.listen(listener)
        try:
            yield listener.getsockname()
        finally:
            await made.close(0)


def get(path: str, line: str, size: int = 0) -> bytes:
    text = f"GET {path} HTTP/1.1\r\nHost: x\r\n{line}\r\n"
    return (text + "X-Fill: " + "f" * max(0, size - len(text) - 12) + "\r\n\r\n").encode()


@pytest.mark.parametrize("line", DOORS.values(), ids=DOORS.keys())
async def test_others_have_their_turn(line: str) -> None:
    """However much one caller sends ahead, and however long each answer takes."""
    answered = {"/many": 0, "/one": 0}

    async def costly(visitor: ServerRequest) -> None:
        answered[visitor.head.path] += 1
        ends = time.monotonic_ns() + TURN_NS
        while time.monotonic_ns() < ends:
            pass
        visitor.writer.whole(200, b"", b"x")

    async with front(costly) as address:
        many, one = [await asyncio.open_connection(*address) for _ in range(2)]
        before = [0]
        many[1].write(get("/many", line) * 2000)
        for _ in range(5):
            one[1].write(get("/one", line))
            await one[0].readuntil(b"\r\nx")
            before.append(answered["/many"])
        for _, writer in (many, one):
            writer.transport.abort()
        assert answered["/one"] == 5
        assert max(after - first for first, after in itertools.pairwise(before)) < 50, before  # of two thousand


@pytest.mark.parametrize("ahead", [b"", b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: none\r\n\r\n"], ids=["first", "second"])
async def test_others_have_their_turn_while_a_body_comes_in_small_chunks(ahead: bytes) -> None:
    """Each chunk has a cost, and an event loop reads very many of them at once: a caller could stop all others."""
    chunks = 100_000
    bodies: list[bytes] = []

    async def answer(visitor: ServerRequest) -> None:
        if visitor.head.path == "/many":
            bodies.append(await visitor.read())
        visitor.writer.whole(200, b"", b"x")

    async with front(answer) as address:
        many, one = [await asyncio.open_connection(*address) for _ in range(2)]
        many[1].write(ahead + b"POST /many HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        many[1].write(b"1\r\n.\r\n" * chunks + b"0\r\n\r\n" + get("/last", "X: y"))
        turns = 0
        while not bodies:
            one[1].write(get("/one", "X: y"))
            await one[0].readuntil(b"\r\nx")
            turns += 1
        for _ in range(3 if ahead else 2):
            await many[0].readuntil(b"\r\nx")
        for _, writer in (many, one):
            writer.transport.abort()
        assert bodies == [b"." * chunks]
        assert turns >= 10, turns


def test_turns_go_round() -> None:
    order: list[str] = []

    class Caller:
        def __init__(self, name: str, requests: int) -> None:
            self.name, self.requests = name, requests

        def take_turn(self) -> None:
            order.append(self.name)
            self.requests -= 1
            if self.requests:
                turns.join(self)

    loop = asyncio.new_event_loop()
    turns = Turns(loop)
    turns.join(Caller("a", 3))
    turns.join(Caller("b", 2))
    turns.join(Caller("c", 1))
    loop.run_until_complete(asyncio.sleep(0.01))
    loop.close()
    assert order == ["a", "b", "c", "a", "b", "a"]


def test_whatever_is_wrong_with_one_the_others_have_their_turn() -> None:
    faults: list[str] = []
    order: list[int] = []

    class Caller:
        def __init__(self, number: int) -> None:
            self.number = number

        def take_turn(self) -> None:
            if self.number % 2 == 0:
                raise RuntimeError(f"no turn for {self.number}")
            order.append(self.number)

    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda _, told: faults.append(str(told["exception"])))
    turns = Turns(loop)
    for number in range(6):
        turns.join(Caller(number))
    loop.run_until_complete(asyncio.sleep(0.01))
    turns.join(Caller(7))
    loop.run_until_complete(asyncio.sleep(0.01))
    loop.close()
    assert order == [1, 3, 5, 7]
    assert faults == ["no turn for 0", "no turn for 2", "no turn for 4"]


@pytest.mark.parametrize("line", DOORS.values(), ids=DOORS.keys())
async def test_what_was_sent_ahead_and_is_not_taken_costs_no_answer(line: str) -> None:
    """A connection that ends with an answer ends in order, however much more its caller has sent: RFC 9112, 9.6."""
    going = asyncio.Event()

    async def answer(visitor: ServerRequest) -> None:
        await in_task()
        await going.wait()
        visitor.writer.whole(200, b"", b"x" * 100_000)

    async with front(answer) as address:
        reader, writer = await asyncio.open_connection(*address)
        writer.write(get("/last", line + "\r\nConnection: close") + get("/ahead", line, 8000) * 200)
        await until_still(lambda: writer.transport.get_write_buffer_size())
        going.set()
        async with asyncio.timeout(20):
            told = await reader.read()
        writer.close()
        assert told.count(b"HTTP/1.1 200") == 1
        assert told.endswith(b"x" * 100_000)


@pytest.mark.parametrize("line", DOORS.values(), ids=DOORS.keys())
@pytest.mark.parametrize("waits", [False, True], ids=["at once", "in a task"])
async def test_nothing_is_answered_while_the_caller_does_not_read(line: str, waits: bool) -> None:
    """Then all is, in order: nothing was lost."""
    answered, size, many = 0, 200_000, 100

    async def answer(visitor: ServerRequest) -> None:
        nonlocal answered
        if waits:
            await in_task()
        answered += 1
        visitor.writer.whole(200, b"", visitor.head.path.encode() + b"." * size)

    async with front(answer) as address:
        with socket.socket() as caller:
            caller.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
            caller.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_connect(caller, address)
            await loop.sock_sendall(caller, b"".join(get(f"/{number}", line) for number in range(many - 1)))
            await loop.sock_sendall(caller, get(f"/{many - 1}", line + "\r\nConnection: close"))
            await until_still(lambda: answered)
            # What the system holds for a caller that does not read is for the system to say.
            assert answered * size < 6_000_000, answered
            told = bytearray()
            async with asyncio.timeout(30):
                while piece := await loop.sock_recv(caller, 1 << 20):
                    told += piece
            places = [told.index(b"\r\n\r\n/%d." % number) for number in range(many)]
            assert places == sorted(places)


@pytest.mark.parametrize("line", DOORS.values(), ids=DOORS.keys())
async def test_what_is_sent_ahead_is_bounded(line: str) -> None:
    """While one request is answered, and after each: the rest stays with the caller, and is not lost."""
    going, answered, size, many = asyncio.Semaphore(0), 0, 8000, 1000
    data, sent = get("/a", line, size) * many, 0

    async def answer(visitor: ServerRequest) -> None:
        nonlocal answered
        await in_task()
        await going.acquire()
        answered += 1
        visitor.writer.whole(200, b"", b"x")

    async def send(caller: socket.socket) -> None:
        nonlocal sent
        while sent < len(data):
            sent += await asyncio.get_running_loop().sock_sendto(caller, data[sent : sent + 65536], address)

    async with front(answer) as address:
        with socket.socket() as caller:
            caller.setblocking(False)
            caller.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
            loop = asyncio.get_running_loop()
            await loop.sock_connect(caller, address)
            async with asyncio.TaskGroup() as group:
                sending = group.create_task(send(caller), name="send ahead")
                await until_still(lambda: sent)
                first = sent
                assert first < len(data) // 2
                for _ in range(5):
                    going.release()
                await until(lambda: answered == 5, seen=lambda: answered)
                await until_still(lambda: sent)
                assert sent - first < READ  # and not as much again for every answer
                for _ in range(many):
                    going.release()
                told = bytearray()
                async with asyncio.timeout(30):
                    while told.count(b"HTTP/1.1 200") < many:
                        told += await loop.sock_recv(caller, 1 << 20)
                await sending
        assert answered == many


async def until_still(figure: Callable[[], int]) -> None:
    """Wait until a figure has not changed for a while."""
    seen, still = figure(), 0
    while still < 30:
        await asyncio.sleep(0.01)
        still = still + 1 if seen == figure() else 0
        seen = figure()
