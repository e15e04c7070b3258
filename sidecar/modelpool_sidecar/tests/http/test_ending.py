"""The end of a gateway that follows a cluster: whatever its connections are doing, the event loop closes clean.

An API server that is slow to answer a TLS goodbye once made the loop's end fail with EBUSY: the connections of the
watches were still closing.
"""

import asyncio
import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import uvloop

from modelpool_sidecar.discovery import connections
from modelpool_sidecar.discovery.connections import StillOpenError
from modelpool_sidecar.discovery.directory import Directory
from modelpool_sidecar.discovery.sources.access import from_kubeconfig
from modelpool_sidecar.discovery.sources.cluster import ClusterSource

from ..gateway import processes
from ..gateway.scenes import CHAT, backend, document, put, until
from ..gateway.scripted import Received, engine
from ..gateway.tls_api import Stage, TlsApi, tls_api
from ..routing.worlds import ENGINES

LOOPS = {"uvloop": uvloop.new_event_loop, "asyncio": asyncio.new_event_loop}
COLLECTIONS = 3
ROUNDS = 5


async def follow_until(api: TlsApi, kubeconfig: Path, connections: int) -> list[dict[str, object]]:
    """Follow until so many connections have come to the server's stage, then end as a gateway does."""
    complaints: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    source = ClusterSource(Directory(), ENGINES, access=lambda: from_kubeconfig((kubeconfig,)))
    async with asyncio.TaskGroup() as group:
        task = group.create_task(source.run(), name="source")
        await until(lambda: api.count(api.stage) >= connections, seen=lambda: api.reached)
        task.cancel()
    return complaints


@pytest.mark.parametrize("stage", Stage)
@pytest.mark.parametrize("new_loop", LOOPS.values(), ids=LOOPS.keys())
def test_connections_are_closed_whatever_they_do(
    tmp_path: Path, stage: Stage, new_loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    """What stays open would be a ResourceWarning, which fails the test, as does an error of the loop's end."""
    with tls_api(stage) as api:
        kubeconfig = api.kubeconfig(tmp_path / "kubeconfig")
        for number in range(1, ROUNDS + 1):
            with asyncio.Runner(loop_factory=new_loop) as runner:
                complaints = runner.run(follow_until(api, kubeconfig, number * COLLECTIONS))
                runner.get_loop().set_exception_handler(lambda _, context: complaints.append(context))  # noqa: B023
            assert not complaints


@pytest.mark.parametrize("goodbye", [0.005, 60.0], ids=["late goodbye", "no goodbye"])
def test_the_program_ends_clean_with_open_watches(tmp_path: Path, goodbye: float) -> None:
    with tls_api() as api:
        api.goodbye_seconds = goodbye
        kubeconfig = api.kubeconfig(tmp_path / "kubeconfig")
        command = [sys.executable, "-W", "error", "-m", "modelpool_sidecar", "--kubeconfig", str(kubeconfig)]
        command += ["--listen", "127.0.0.1:0", "--drain-delay", "0"]
        for number in range(1, 4):
            with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
                ends = time.monotonic() + 60
                while api.count(Stage.WATCHED) < number * COLLECTIONS:
                    assert process.poll() is None, process.communicate()
                    assert time.monotonic() < ends, api.reached
                    time.sleep(0.01)
                process.terminate()
                _, told = process.communicate(timeout=60)
            assert process.returncode == 0, told
            # Its own log is JSON; what Python or the event loop complains about is not.
            assert [json.loads(line)["message"] for line in told.splitlines()] == ["Draining"], told


async def test_a_connection_that_does_not_close_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "PATIENCE", 0.01)
    factory: Callable[..., socket.socket] | None = None

    def connector(**options: Any) -> aiohttp.TCPConnector:
        nonlocal factory
        factory = options["socket_factory"]
        return real(**options)

    real = aiohttp.TCPConnector
    monkeypatch.setattr(aiohttp, "TCPConnector", connector)
    ours = connections.Connections()
    async with aiohttp.ClientSession(connector=ours.connector()) as session:
        assert factory is not None
        told = (socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", 1))
        with factory(told), pytest.raises(StillOpenError, match=r"could not close the connections to nobody within"):
            await ours.close(session)


async def cut_off(session: aiohttp.ClientSession) -> None:
    """Ask for what never comes; how the end looks to the caller is another test's business."""
    try:
        async with session.post("/v1/chat/completions", json=CHAT) as answer:
            await answer.read()
    except aiohttp.ClientError:
        return


async def test_the_program_ends_clean_with_an_answer_that_does_not_come(tmp_path: Path) -> None:
    """The engine has taken the request and is silent, and the gateway may wait for it no longer."""
    over = asyncio.Event()

    async def silent(_: Received) -> None:
        await over.wait()

    async with engine(silent) as vllm:
        routes = tmp_path / "routes.json"
        put(routes, document(backend("vllm", vllm.url)))
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-W", "error", "-m", "modelpool_sidecar", "--routes-file", str(routes)),
            *("--listen", "127.0.0.1:0", "--drain-delay", "0", "--shutdown-timeout", "0.1"),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert process.stdout is not None
        url = "http://" + json.loads(await process.stdout.readline())["listening"][0]
        await asyncio.to_thread(processes.until_ok, url + "/modelpool/routes", '"ready": true')
        async with aiohttp.ClientSession(url) as session, asyncio.TaskGroup() as group:
            asking = group.create_task(cut_off(session), name="ask")
            await until(lambda: vllm.received, seen=lambda: vllm.received)
            process.terminate()
            _, told = await asyncio.wait_for(process.communicate(), 60)
            over.set()
            await asking
    assert process.returncode == 0, told
    # The access log and the gateway's own words are JSON; what Python or the event loop complains about is not.
    assert all(json.loads(line) for line in told.splitlines()), told
