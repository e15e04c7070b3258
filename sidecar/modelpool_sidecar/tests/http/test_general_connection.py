"""Connections that were lent to the side door: what is held for them, and what stays when they are closed."""

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest

from modelpool_sidecar.http.errors import NoRoomError
from modelpool_sidecar.http.inline_task import in_task
from modelpool_sidecar.http.limits import Limits
from modelpool_sidecar.http.server.connection import ServerConnection
from modelpool_sidecar.http.server.general.body import IncomingBody
from modelpool_sidecar.http.server.general.connection import GeneralConnection
from modelpool_sidecar.http.server.general.request import GeneralRequest
from modelpool_sidecar.http.server.request import ServerRequest
from modelpool_sidecar.http.server.server import Server

from .application import Application

SIZE = 100_000
HEAD = b"POST /api/chat HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
CHUNK = b"%x\r\n" % SIZE + b"x" * SIZE + b"\r\n"
WHOLE = HEAD + CHUNK + b"0\r\n\r\n"


class Pipe(asyncio.Transport):
    """A transport that sends nothing, and says nothing by itself."""

    def __init__(self, protocol: ServerConnection) -> None:
        super().__init__()
        self.protocol = protocol
        self.sent = bytearray()

    def get_protocol(self) -> Any:
        return self.protocol

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.sent += data

    def is_closing(self) -> bool:
        return False

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        pass

    def close(self) -> None:
        pass


@asynccontextmanager
async def opened(
    answer: Callable[[ServerRequest], Coroutine[Any, None, None]],
    refuse: Callable[[ServerRequest, Exception], None],
    **limits: Any,
) -> AsyncIterator[Server]:
    """A front door at no port."""
    async with asyncio.TaskGroup() as group:
        front = Server(Application(answer, refuse), group, Limits(**limits))
        try:
            yield front
        finally:
            await front.close(0)


def connected(front: Server) -> ServerConnection:
    """A connection that came in."""
    made = ServerConnection(front)
    made.connection_made(Pipe(made))
    return made


async def test_a_body_that_comes_in_one_piece_needs_room_as_any_other() -> None:
    refused: list[Exception] = []

    async def answer(visitor: ServerRequest) -> None:
        visitor.writer.whole(200, b"", b"%d" % len(await visitor.read()))

    def refuse(visitor: ServerRequest, wrong: Exception) -> None:
        refused.append(wrong)
        visitor.writer.whole(503, b"", b"")

    for others, told in ((SIZE, 200), (SIZE + 1, 503)):
        async with opened(answer, refuse, max_bodies_bytes=2 * SIZE) as front:
            connection = connected(front)
            front.bodies.held = others
            connection.data_received(WHOLE)
            assert connection.write.__self__.sent.startswith(b"HTTP/1.1 %d " % told)  # type: ignore[attr-defined]
            assert front.bodies.held == others
            connection.connection_lost(None)
    assert [type(wrong) for wrong in refused] == [NoRoomError]


ENDS = {
    "answered": (WHOLE, False),
    "answered, to be closed": (WHOLE.replace(b"Host", b"Connection: close\r\nHost"), False),
    "malformed": (HEAD + b"no chunk", False),
    "half read": (HEAD + CHUNK[:100], False),
    "half a head": (HEAD[:-2] + (b"X: " + b"y" * 3000 + b"\r\n") * 3, False),
    "in a task": (WHOLE, True),
}


@pytest.mark.parametrize(("sent", "hangs"), ENDS.values(), ids=ENDS.keys())
async def test_what_is_closed_is_gone_with_its_body(sent: bytes, hangs: bool) -> None:
    """At once, and not when the collector comes by, which may take hours and hold all that was sent."""
    ended = 0

    async def answer(visitor: ServerRequest) -> None:
        nonlocal ended
        if hangs:
            await in_task()
            try:
                await asyncio.sleep(3600)
            finally:
                ended += 1
        visitor.writer.whole(200, b"", b"%d" % len(await visitor.read()))

    def refuse(visitor: ServerRequest, wrong: Exception) -> None:
        visitor.writer.whole(400, b"", b"")

    async with opened(answer, refuse) as front:
        connection = connected(front)
        connection.data_received(sent)
        await asyncio.sleep(0)
        gc.collect()
        gc.disable()
        gc.set_debug(gc.DEBUG_SAVEALL)
        try:
            connection.connection_lost(None)
            pipe: Pipe = connection.write.__self__  # type: ignore[attr-defined]
            del pipe.protocol, pipe, connection  # as an event loop does
            for _ in range(5):
                await asyncio.sleep(0)
            gc.collect()
            kinds = (GeneralConnection, GeneralRequest, ServerConnection, IncomingBody)
            left = [type(one).__name__ for one in gc.garbage if isinstance(one, kinds)]
        finally:
            gc.set_debug(0)
            gc.enable()
            gc.garbage.clear()
        assert (left, ended) == ([], hangs)
