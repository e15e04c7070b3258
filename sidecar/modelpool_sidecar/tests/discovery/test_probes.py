"""Watching engines that say anything, and nothing."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelpool_sidecar.discovery import probes
from modelpool_sidecar.discovery.directory import Directory
from modelpool_sidecar.discovery.probes import Prober
from modelpool_sidecar.engines.registry import PROFILES
from modelpool_sidecar.http.client.errors import ConnectFailed
from modelpool_sidecar.http.client.pool import ConnectionPool
from modelpool_sidecar.routing import table
from modelpool_sidecar.routing.health import RETURN_SECONDS, Failure, Outcome
from modelpool_sidecar.routing.table import Probed
from modelpool_sidecar.tests.routing.worlds import OLLAMA, VLLM, document, entry, model

from ..gateway.scenes import until

HOSTILE = {
    "no utf-8": b'{"models":[{"name":"\xff\xfe"}]}',
    "too deep": b'{"models":' + b"[" * 20_000,
    "a number": b"1e999999",
    "another shape": b'{"models":{"a":1}}',
    "half": b'{"models":[{"na',
    "nothing": b"",
}
SUSPECT = frozenset({VLLM})
FLOOD = 64 * 1024 * 1024
"""Bytes: more than is read of any answer to a probe."""
GOOD = b'{"version":"0","models":[{"name":"m"}]}'


def http(body: bytes, status: int = 200) -> bytes:
    return b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body)


class Says:
    """An engine that answers everything with the same bytes, and closes."""

    def __init__(self, said: bytes) -> None:
        self.said = said
        self.asked = 0
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            self.asked += 1
            writer.write(self.said)
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def says(said: bytes) -> AsyncIterator[Says]:
    made = Says(said)
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield made
    finally:
        server.close()
        await server.wait_closed()


def serve(directory: Directory, *backends: Any, trusted: bool = False) -> None:
    routes = document(model("m", *backends))
    services = [table.service_of(routes.pool, item) for item in routes.models[0].backends]
    directory.load([routes], {one: (table.Address(url=one.name, ready=True),) for one in services}, trusted=trusted)


@asynccontextmanager
async def watched(directory: Directory) -> AsyncIterator[asyncio.Task[None]]:
    upstream = ConnectionPool(connect_timeout=2, read_timeout=2)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(Prober(directory, upstream, PROFILES, everything=True).run(), name="prober")
        yield task
        task.cancel()
    await upstream.close()


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE.keys())
async def test_what_one_engine_says_ends_nothing(
    body: bytes, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.WARNING)
    monkeypatch.setattr(probes, "READY_INTERVAL", 0.2)
    directory = Directory()
    async with says(http(body)) as odd, says(http(GOOD)) as good:
        serve(directory, entry("ollama", odd.url, model="m"), entry("ollama", good.url, model="m"))
        async with watched(directory) as task:
            await until(lambda: odd.asked > 3, seen=lambda: (odd.asked, task))
            assert [backend.ready for backend in directory.table.models[0].backends] == [False, True]
            told = [vars(record) for record in caplog.records]
            assert [record["url"] for record in told] == [odd.url], told
            odd.said = http(GOOD)
            await until(lambda: directory.table.models[0].backends[0].ready, seen=lambda: directory.table)
            assert not task.done()


async def test_a_long_list_of_models_keeps_nobody_waiting() -> None:
    """Before, each model that stood there went through the whole list: seconds, every two seconds."""
    directory = Directory()
    tags = {"models": [{"name": f"n{place}:latest"} for place in range(30_000)]}
    async with says(http(json.dumps(tags).encode())) as long:
        names = [f"n{place}" for place in range(0, 30_000, 100)]
        routes = document(*(model(name, entry("ollama", long.url, model=name)) for name in names))
        service = table.service_of(routes.pool, routes.models[0].backends[0])
        directory.load([routes], {service: (table.Address(url=long.url, ready=True),)}, trusted=False)
        loop = asyncio.get_running_loop()
        longest = 0.0
        async with watched(directory):
            ends = loop.time() + 20
            while not all(one.ready for one in directory.table.models) and loop.time() < ends:
                before = loop.time()
                await asyncio.sleep(0.001)
                longest = max(longest, loop.time() - before)
        assert all(one.ready for one in directory.table.models)
        assert longest < 0.5, longest


async def test_what_cannot_be_understood_is_not_asked_for_in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    sleep = asyncio.sleep

    async def told(seconds: float) -> None:
        slept.append(seconds)
        await sleep(0)

    directory = Directory()
    upstream = ConnectionPool(connect_timeout=2, read_timeout=2)
    prober = Prober(directory, upstream, PROFILES, everything=True)
    async with says(http(HOSTILE["half"])) as odd:
        serve(directory, entry("ollama", odd.url, model="m"))
        subject = probes.Subject(odd.url, "ollama")
        monkeypatch.setattr(asyncio, "sleep", told)
        await prober._pause(subject, asyncio.Event())
        await prober._found(subject)
        await prober._pause(subject, asyncio.Event())
        odd.said = http(GOOD)
        await prober._found(subject)
        await prober._pause(subject, asyncio.Event())
    await upstream.close()
    assert [one for one in slept if one] == [probes.UNREADY_INTERVAL, probes.READY_INTERVAL, probes.UNREADY_INTERVAL]


@given(body=st.binary(max_size=200), status=st.sampled_from([200, 204, 404, 500]), framed=st.booleans())
@settings(deadline=None, max_examples=120)
def test_any_bytes_leave_the_watcher_alive(body: bytes, status: int, framed: bool) -> None:
    async def asks() -> list[Probed | None]:
        upstream = ConnectionPool(connect_timeout=2, read_timeout=2)
        prober = Prober(Directory(), upstream, PROFILES, everything=True)
        async with says(http(body, status) if framed else body) as odd:
            found = [await prober._found(probes.Subject(odd.url, engine)) for engine in sorted(PROFILES.names)]
        await upstream.close()
        return found

    for found in asyncio.run(asks()):
        assert found is None or isinstance(found.alive, bool)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def state(directory: Directory) -> tuple[bool, bool]:
    """Whether the first endpoint is ready, and whether it is worth waiting for."""
    endpoint = directory.table.models[0].backends[0].endpoints[0]
    return endpoint.ready, endpoint.returning


def test_what_died_is_worth_waiting_for_a_while() -> None:
    clock = Clock()
    directory = Directory(clock)
    serve(directory, entry("vllm", VLLM))
    directory.learn(VLLM, Probed(alive=False))
    assert state(directory) == (False, False)  # it was never there
    directory.learn(VLLM, Probed(alive=True))
    directory.learn(VLLM, Probed(alive=False))
    assert state(directory) == (False, True)
    clock.now += RETURN_SECONDS - 0.1
    directory.silence(VLLM, lasting=False)
    assert state(directory) == (False, True)
    clock.now += 0.2
    directory.silence(VLLM, lasting=False)
    assert state(directory) == (False, False)
    directory.learn(VLLM, Probed(alive=True))
    assert state(directory) == (True, False)


def test_one_silence_is_no_death_and_clears_no_suspicion() -> None:
    directory = Directory()
    serve(directory, entry("vllm", VLLM), trusted=True)
    directory.ended(VLLM, Outcome(Failure.CLOSED))
    directory.silence(VLLM, lasting=False)
    assert (state(directory), directory.health.suspects, directory.health.silent) == (
        (True, False),
        SUSPECT,
        frozenset(),
    )
    directory.silence(VLLM, lasting=True)
    assert (state(directory), directory.health.suspects, directory.health.silent) == ((False, True), SUSPECT, SUSPECT)
    directory.learn(VLLM, Probed(alive=True))
    assert (state(directory), directory.health.suspects, directory.health.silent) == (
        (True, False),
        frozenset(),
        frozenset(),
    )


def test_an_answer_to_an_earlier_question_clears_no_later_suspicion() -> None:
    directory = Directory()
    serve(directory, entry("vllm", VLLM), trusted=True)
    asked = directory.health.suspicion(VLLM)
    directory.ended(VLLM, Outcome(Failure.REFUSED))
    directory.learn(VLLM, Probed(alive=True), asked)
    assert (state(directory), directory.health.suspects) == ((False, True), SUSPECT)
    directory.learn(VLLM, Probed(alive=True), directory.health.suspicion(VLLM))
    assert (state(directory), directory.health.suspects) == ((True, False), frozenset())


def test_breaks_in_a_row_wait_for_the_probe_and_an_answer_ends_the_row() -> None:
    directory = Directory()
    serve(directory, entry("vllm", VLLM), trusted=True)
    for _ in range(3):
        directory.ended(VLLM, Outcome(Failure.CLOSED))
    assert directory.health.breaks
    directory.ended(VLLM, Outcome(None))
    assert not directory.health.breaks
    for _ in range(4):
        directory.ended(VLLM, Outcome(Failure.CLOSED))
    assert state(directory) == (True, False)
    directory.ended(VLLM, Outcome(Failure.CLOSED))
    assert state(directory) == (False, True)


def test_nothing_is_kept_of_an_address_that_is_gone() -> None:
    directory = Directory()
    serve(directory, entry("vllm", VLLM), trusted=True)
    for _ in range(5):
        directory.ended(VLLM, Outcome(Failure.CLOSED))
    directory.silence(VLLM, lasting=True)
    serve(directory, entry("vllm", OLLAMA), trusted=True)
    directory.ended(VLLM, Outcome(Failure.CLOSED))
    assert (directory.health.breaks, directory.health.suspects, directory.health.silent) == (
        {},
        frozenset(),
        frozenset(),
    )


async def test_a_port_that_takes_no_connection_is_silent_and_not_closed() -> None:
    pool = ConnectionPool(connect_timeout=1, read_timeout=1)

    async def slow(*_: object) -> Any:
        raise ConnectFailed("no connection in time")

    with mock.patch.object(ConnectionPool, "open", slow):
        prober = Prober(Directory(), pool, PROFILES, everything=True)
        assert await prober._found(probes.Subject(VLLM, "vllm")) is None


class Endless:
    """An engine that goes on answering for as long as somebody takes it: much at once, or a byte now and then."""

    def __init__(self, piece: bytes, pause: float) -> None:
        self.piece, self.pause = piece, pause
        self.sent = self.taken = 0
        """Bytes, and connections that are open."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.taken += 1
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            while self.sent < FLOOD:
                writer.write(b"%x\r\n%b\r\n" % (len(self.piece), self.piece))
                await writer.drain()
                self.sent += len(self.piece)
                await asyncio.sleep(self.pause)
        except ConnectionError:
            pass
        finally:
            self.taken -= 1
            writer.close()


@pytest.mark.parametrize("kind", sorted(PROFILES.names))
@pytest.mark.parametrize(
    ("piece", "pause", "seconds"), [(b"x" * 65536, 0.0, 60.0), (b"x", 0.01, 0.3)], ids=["much", "little"]
)
async def test_an_answer_to_a_probe_is_bounded_in_bytes_and_in_time(
    kind: str, piece: bytes, pause: float, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probes, "PROBE_TIMEOUT", seconds)
    endless = Endless(piece, pause)
    server = await asyncio.start_server(endless.serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    upstream = ConnectionPool(connect_timeout=2, read_timeout=60)
    async with asyncio.timeout(20):
        found = await Prober(Directory(), upstream, PROFILES, everything=True)._found(probes.Subject(url, kind))
    await until(lambda: not endless.taken, seen=lambda: endless.sent)
    await upstream.close()
    server.close()
    await server.wait_closed()
    assert endless.sent < FLOOD
    # What is whole of vLLM's answer is its status; a list of models without end is none.
    assert found == (None if pause else Probed(alive=kind == "vllm"))
