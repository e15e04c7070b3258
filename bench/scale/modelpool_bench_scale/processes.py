"""The processes that are measured, and what the kernel says of them. They end with this process, however it ends."""

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import aiohttp

from modelpool_bench_gateway import built
from modelpool_bench_gateway.load import on_cpu
from modelpool_bench_gateway.measuring import Cpus
from modelpool_cluster.controlplane.supervise import die_with

START_SECONDS: Final = 120.0
CPUS: Final = Cpus.available()
"""Gateways run on one, callers and engines on the other."""


class GatewayEndedError(Exception):
    """The gateway ended before it served anything. The text is its log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """A gateway that runs."""

    pid: int
    port: int
    routes: Path
    """It follows this file."""

    def cpu_seconds(self) -> float:
        """Return the processor time it has used, to the nanosecond."""
        return int(Path(f"/proc/{self.pid}/schedstat").read_text().split()[0]) / 1e9

    def follow(self, document: bytes) -> None:
        """Give it other routes."""
        fresh = self.routes.with_suffix(".new")
        fresh.write_bytes(document)
        fresh.replace(self.routes)

    def resident(self) -> int:
        """Return the bytes it has in memory."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")


def stay_beside() -> None:
    """Keep this process, which plays the callers, and the engines that it starts off the gateways' CPU."""
    if CPUS.load is not None:
        os.sched_setaffinity(0, {CPUS.load})


@asynccontextmanager
async def engines(ports: int) -> AsyncIterator[list[str]]:
    """Run engines on so many ports; yield their addresses."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "modelpool_bench_scale.upstream", str(ports)),
        stdout=asyncio.subprocess.PIPE,
        preexec_fn=die_with(os.getpid()),
    )
    try:
        assert process.stdout is not None
        # A thousand ports are more than a line of asyncio's own limit.
        async with asyncio.timeout(START_SECONDS):
            text = b""
            while not text.endswith(b"]\n"):
                text += await process.stdout.read(65536)
        yield [f"http://127.0.0.1:{port}" for port in json.loads(text)]
    finally:
        await _end(process)


@asynccontextmanager
async def gateway(folder: Path, routes: bytes, *, ready: str) -> AsyncIterator[Gateway]:
    """Run a gateway with these routes; yield it once it serves the model `ready`. Raises TimeoutError."""
    path = folder / "routes.json"
    _lay_out(path, routes)
    port = _free_port()
    with (folder / "gateway.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *on_cpu(CPUS.peers),
            *(sys.executable, "-m", "modelpool_sidecar", "--routes-file", str(path)),
            *("--listen", f"127.0.0.1:{port}", "--drain-delay", "0", "--log-level", "warning"),
            stdout=log,
            stderr=log,
            env={**os.environ, **built.measured().environ()},
            preexec_fn=die_with(os.getpid()),
        )
    try:
        async with asyncio.TaskGroup() as tasks:
            ended = tasks.create_task(process.wait(), name="the gateway's end")
            serving = tasks.create_task(until_serving(port, ready), name="the gateway's first answer")
            await asyncio.wait([ended, serving], return_when=asyncio.FIRST_COMPLETED)
            if not serving.done():
                raise GatewayEndedError((folder / "gateway.log").read_text())
            ended.cancel()
        yield Gateway(pid=process.pid, port=port, routes=path)
    finally:
        await _end(process)


async def until_serving(port: int, model: str, *, known: bool = True) -> None:
    """Wait until the gateway answers for a model, or, where it is to be `known` no more, no longer knows it.

    Raises TimeoutError.
    """
    body = {"model": model, "messages": [{"role": "user", "content": "hi"}]}
    async with asyncio.timeout(START_SECONDS), aiohttp.ClientSession() as session:
        while True:
            try:
                async with session.post(f"http://127.0.0.1:{port}/v1/chat/completions", json=body) as response:
                    if response.status == (200 if known else 404):
                        return
            except aiohttp.ClientConnectionError:
                pass
            await asyncio.sleep(0.02)


def _lay_out(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.send_signal(signal.SIGKILL)
    await process.wait()
