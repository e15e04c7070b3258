"""When this machine has no more of what a connection takes, no engine is blamed for it; and which waits are counted."""

import asyncio
import contextlib
import errno
import json
import logging
import os
import resource
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from modelpool_sidecar.http.client.errors import ClosedBeforeFirstByte, ConnectFailed, OutOfResources
from modelpool_sidecar.http.client.pool import ConnectionPool
from modelpool_sidecar.http.client.request_sender import ClientRequest
from modelpool_sidecar.http.client.shortage import is_ours
from modelpool_sidecar.http.limits import Limits

from ..gateway.scenes import CHAT, Scene, backend, document, scene, until
from ..gateway.scripted import Engine, Received, engine

ASK = ClientRequest(method="GET", path="/x")
OURS = ("EMFILE", "ENFILE", "ENOBUFS", "ENOMEM", "EADDRNOTAVAIL")
THEIRS = ("ECONNREFUSED", "EHOSTUNREACH", "ENETUNREACH", "ETIMEDOUT", "ECONNRESET")


async def answers(request: Received) -> None:
    await request.answer(b'{"choices":[],"data":[]}')


def fault(name: str) -> OSError:
    number = getattr(errno, name)
    return OSError(number, os.strerror(number))


@pytest.mark.parametrize(("names", "ours"), [(OURS, True), (THEIRS, False)])
def test_whose_fault_an_error_is(names: tuple[str, ...], ours: bool) -> None:
    for name in names:
        one = fault(name)
        assert is_ours(one) is ours, name
        # Both event loops word what became of several addresses like this.
        assert is_ours(OSError(f"Multiple exceptions: {fault('ECONNREFUSED')}, {one}")) is ours, name
    assert not is_ours(OSError("without a number"))
    assert not is_ours(socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"))


@pytest.mark.parametrize("name", [*OURS, "ECONNREFUSED"])
async def test_a_shortage_is_no_failed_connection(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    upstream = ConnectionPool(connect_timeout=5, read_timeout=5)

    async def fails(*_: Any, **__: Any) -> None:
        raise fault(name)

    monkeypatch.setattr(asyncio.get_running_loop(), "create_connection", fails)
    with pytest.raises(OutOfResources if name in OURS else ConnectFailed, match="http://127"):
        await upstream.open("http://127.0.0.1:9", ASK)
    await upstream.close()


@contextlib.contextmanager
def no_descriptors() -> Iterator[None]:
    """Not one more file or socket can be opened in this process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken: list[int] = []
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 512), hard))
        with contextlib.suppress(OSError):
            while True:
                taken.append(os.open(os.devnull, os.O_RDONLY))
        yield
    finally:
        for one in taken:
            os.close(one)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@asynccontextmanager
async def gated(folder: Path, **settings: Any) -> AsyncIterator[tuple[Scene, Engine]]:
    async with engine(answers) as vllm, scene(folder, document(backend("vllm", vllm.url)), **settings) as gate:
        await gate.until_ready(True)
        yield gate, vllm


async def metric(gate: Scene, series: str) -> float:
    async with gate.get("/metrics") as response:
        text = await response.text()
    return sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith(series))


PATHS: dict[str, dict[str, object]] = {
    "/v1/chat/completions": {"type": "ServiceUnavailableError"},
    "/v1/messages": {"type": "overloaded_error"},
    "/api/chat": {},
}


async def test_without_descriptors_requests_are_refused_and_the_engine_stays_ready(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with gated(tmp_path) as (gate, vllm):
        reader, writer = await asyncio.open_connection(*gate.running.listening[0])
        sent = len(vllm.received)
        with caplog.at_level(logging.ERROR), no_descriptors():
            for path, error in PATHS.items():
                body = json.dumps(CHAT).encode()
                writer.write(
                    f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
                )
                head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 20)
                assert head.startswith(b"HTTP/1.1 503 "), head
                assert b"\r\nRetry-After: 2\r\n" in head
                size = int(head.partition(b"Content-Length: ")[2].partition(b"\r")[0])
                told = json.loads(await reader.readexactly(size))
                assert "no means left" in json.dumps(told)
                if error:
                    assert told["error"].items() >= error.items()
                assert gate.ready() == [True]
        writer.close()
        assert len(vllm.received) == sent
        async with gate.post("/v1/chat/completions", CHAT) as response:
            assert response.status == 200
        assert await metric(gate, 'modelpool_gateway_upstream_errors_total{backend="vllm",kind="shortage"') == 3
        lines = [record for record in caplog.records if "out of descriptors" in record.message]
        assert [vars(line)["times"] for line in lines][:1] == [1]
        assert len(lines) <= 2  # one for those of requests, one for those of probes


async def test_how_many_there_were_is_told(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    upstream = ConnectionPool(connect_timeout=5, read_timeout=5)

    async def fails(*_: Any, **__: Any) -> None:
        raise fault("EMFILE")

    monkeypatch.setattr(asyncio.get_running_loop(), "create_connection", fails)
    for _ in range(100):
        with pytest.raises(OutOfResources):
            await upstream.open("http://127.0.0.1:9", ASK)
    await upstream.close()
    assert [vars(record)["times"] for record in caplog.records if "descriptors" in record.message] == [1, 99]


async def test_a_shortage_makes_no_engine_unready_for_its_probes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = 0

    async def fails(*_: Any, **__: Any) -> None:
        nonlocal asked
        asked += 1
        raise fault("EMFILE")

    async with gated(tmp_path) as (gate, vllm):
        with monkeypatch.context() as patch:
            patch.setattr(asyncio.get_running_loop(), "create_connection", fails)
            for connection in vllm.connections:
                connection.transport.abort()
            await until(lambda: asked >= 2, seen=lambda: asked)
            assert gate.ready() == [True]
        await gate.until_ready(True)


async def test_waits_for_engines_that_were_too_long_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = Limits()
    upstream = ConnectionPool(connect_timeout=0.1, read_timeout=0.2, limits=limits)

    async def silent(request: Received) -> None:
        await asyncio.wait_for(request.gone.wait(), 20)

    async with engine(silent) as played:
        with pytest.raises(ClosedBeforeFirstByte, match="silent"):
            await upstream.open(played.url, ASK)
        monkeypatch.setattr(asyncio.get_running_loop(), "create_connection", lambda *_, **__: asyncio.sleep(20))
        with pytest.raises(ConnectFailed, match="TimeoutError"):
            await upstream.open(played.url, ASK)
        await upstream.close()
    counted = {name: count for name, count in limits.counts.items() if count}
    assert counted == {"engine_silence_seconds": 1, "engine_connect_seconds": 1}
