"""How many callers are let in, and what becomes of the others."""

import asyncio
import contextlib
import errno
import logging
import resource
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from modelpool_sidecar import descriptors
from modelpool_sidecar.http.limits import Limit, Limits
from modelpool_sidecar.http.server.listener import Listener

from ..gateway.scenes import Scene, document, scene, until

ASKED = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
LINE = b"ok\n"


@asynccontextmanager
async def asking(gate: Scene, asked: bytes = ASKED) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection that has asked once and stays."""
    reader, writer = await asyncio.open_connection(*gate.running.listening[0])
    writer.write(asked)
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


def reached(limits: Limits) -> int:
    return limits.counts[Limit.CONNECTIONS.value]


async def test_callers_beyond_the_limit_wait_until_a_connection_is_closed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with scene(tmp_path, document(), max_connections=3) as gate, contextlib.AsyncExitStack() as stack:
        inside = [await stack.enter_async_context(asking(gate)) for _ in range(3)]
        for reader, writer in inside:
            await reader.readuntil(LINE)
            writer.write(ASKED[:1])  # else it could be spared
        waiting = [await stack.enter_async_context(asking(gate)) for _ in range(5)]
        await until(lambda: reached(gate.running.limits), seen=lambda: gate.running.server.callers)
        assert gate.running.server.callers == 3
        for number, (reader, _) in enumerate(waiting):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await reader.read(1)
            inside[number][1].close()
            async with asyncio.timeout(20):
                await reader.readuntil(LINE)
            waiting[number][1].write(ASKED[:1])
            inside.append(waiting[number])
        assert gate.running.server.callers == 3
        assert reached(gate.running.limits) >= 1
        told = [record for record in caplog.records if "Callers wait" in record.message]
        assert len(told) == 1, told


@pytest.mark.parametrize("line", ["X: y", "Upgrade: none"], ids=["front", "side"])
async def test_connections_on_which_nothing_is_asked_make_room(tmp_path: Path, line: str) -> None:
    """The oldest goes first, and those on which something is asked stay: so a probe gets in, however many are kept."""
    asked = ASKED.replace(b"\r\n\r\n", f"\r\n{line}\r\n\r\n".encode())
    async with scene(tmp_path, document(), max_connections=4) as gate, contextlib.AsyncExitStack() as stack:
        inside = []
        for number in range(4):
            reader, writer = await stack.enter_async_context(asking(gate, asked))
            await reader.readuntil(LINE)
            inside.append((reader, writer))
            if number == 0:
                writer.write(asked[:1])
            elif number == 1:
                await asyncio.sleep(1.5)  # so that its age is another than that of the later ones
        for _, writer in inside[2:]:
            writer.write(asked)
        (first, _), (oldest, _), *others = inside
        probe, _ = await stack.enter_async_context(asking(gate))
        async with asyncio.timeout(20):
            await probe.readuntil(LINE)
            assert await oldest.read() == b""
        for reader, writer in others:
            await reader.readuntil(LINE)
            writer.write(asked)
            await reader.readuntil(LINE)
        inside[0][1].write(asked[1:])
        await first.readuntil(LINE)


async def test_connections_on_which_nothing_was_ever_asked_make_room(tmp_path: Path) -> None:
    async with scene(tmp_path, document(), max_connections=2) as gate, contextlib.AsyncExitStack() as stack:
        silent = [await stack.enter_async_context(asking(gate, b"")) for _ in range(2)]
        await until(lambda: gate.running.server.callers == 2, seen=lambda: gate.running.server.callers)
        probe, _ = await stack.enter_async_context(asking(gate))
        async with asyncio.timeout(20):
            await probe.readuntil(LINE)
            assert await silent[0][0].read() == b""


async def test_a_full_house_that_nobody_waits_for_has_reached_no_limit(tmp_path: Path) -> None:
    async with scene(tmp_path, document(), max_connections=2) as gate, contextlib.AsyncExitStack() as stack:
        for _ in range(2):
            reader, _ = await stack.enter_async_context(asking(gate))
            await reader.readuntil(LINE)
        assert gate.running.server.callers == 2
        assert reached(gate.running.limits) == 0


class ListeningSocket:
    """A listening socket whose accept goes wrong."""

    def __init__(self, real: socket.socket, *errors: int) -> None:
        self.real, self.errors, self.calls = real, list(errors), 0

    def accept(self) -> tuple[socket.socket, object]:
        self.calls += 1
        if self.errors:
            raise OSError(self.errors.pop(0), "no")
        return self.real.accept()

    def __getattr__(self, name: str) -> object:
        return getattr(self.real, name)


@contextmanager
def listening() -> Iterator[socket.socket]:
    with socket.socket() as real:
        real.bind(("127.0.0.1", 0))
        yield real


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOMEM])
async def test_without_descriptors_nothing_spins_and_one_line_is_logged(
    number: int, caplog: pytest.LogCaptureFixture
) -> None:
    with listening() as real, socket.socket() as caller:
        inside: list[socket.socket] = []
        limits = Limits()
        failing = ListeningSocket(real, number, number)
        accepting = Listener(inside.append, lambda: None, limits)
        accepting.open(failing)  # type: ignore[arg-type]
        caller.connect(real.getsockname())
        await until(lambda: failing.calls, seen=lambda: failing.calls)
        await asyncio.sleep(0.3)  # in which nobody looks
        assert failing.calls == 1
        await until(lambda: inside, seen=lambda: failing.calls)
        assert failing.calls <= 4
        accepting.close()
        for one in inside:
            one.close()
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert reached(limits) == 2


async def test_a_caller_that_left_in_the_backlog_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    with listening() as real, socket.socket() as caller:
        inside: list[socket.socket] = []
        accepting = Listener(inside.append, lambda: None, Limits())
        accepting.open(ListeningSocket(real, errno.ECONNABORTED, errno.EPROTO))  # type: ignore[arg-type]
        caller.connect(real.getsockname())
        await until(lambda: inside, seen=lambda: inside)
        assert inside[0].getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        accepting.close()
        inside[0].close()
    assert not caplog.records


@pytest.mark.parametrize(
    ("wanted", "limit", "most"),
    [
        (4096, 20_000, 4096),
        (4096, 1024, 384),
        (100, 1024, 100),
        (4096, 64, 16),
        (4096, resource.RLIM_INFINITY, 4096),
    ],
)
def test_callers_leave_descriptors_to_the_engines(wanted: int, limit: int, most: int) -> None:
    assert descriptors.for_callers(wanted, limit) == most


def test_the_limit_of_descriptors_is_raised() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 512), hard))
        assert descriptors.raised() == hard
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_fewer_descriptors_mean_fewer_callers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(descriptors, "raised", lambda: 400)
    with caplog.at_level(logging.WARNING):
        async with scene(tmp_path, document()) as gate:
            assert gate.running.limits.max_connections == 72
    assert any("Fewer callers" in record.message for record in caplog.records)
