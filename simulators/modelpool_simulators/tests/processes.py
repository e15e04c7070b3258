"""Start a simulated engine as a process, as a pod would, and talk to it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from aiohttp import ClientSession

_LISTENING = re.compile(r"(?:API server on http://|Listening on )(?P<address>[\d.]+:\d+)")
_DEADLINE = 60.0


@dataclass(slots=True, kw_only=True, eq=False)
class Engine:
    """A running process and what it wrote."""

    process: asyncio.subprocess.Process
    output: list[str] = field(default_factory=list)
    address: str = ""

    @property
    def text(self) -> str:
        """Everything written so far."""
        return "\n".join(self.output)

    async def listening(self) -> str:
        """Wait until it says where it listens; return the URL."""
        while not self.address:
            if not await self.read_line():
                raise AssertionError(f"ended with {await self.process.wait()} before it listened:\n{self.text}")
        return f"http://{self.address}"

    async def read_line(self) -> bool:
        """Read one more line; false at the end."""
        assert self.process.stdout is not None
        line = (await self.process.stdout.readline()).decode()
        if line:
            self.output.append(line.rstrip("\n"))
            if match := _LISTENING.search(line):
                self.address = match["address"]
        return bool(line)

    async def ended(self) -> int:
        """Wait for the end; return the exit status."""
        while await self.read_line():
            pass
        return await self.process.wait()


@contextlib.asynccontextmanager
async def started(module: str, *arguments: str, **environment: str) -> AsyncIterator[Engine]:
    """Run a module of this package; kill it at the end if it still runs."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        f"modelpool_simulators.{module}",
        *arguments,
        env={"PATH": os.environ["PATH"], **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(_DEADLINE):
            yield Engine(process=process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@contextlib.asynccontextmanager
async def serving(module: str, *arguments: str, **environment: str) -> AsyncIterator[tuple[Engine, ClientSession]]:
    """Run an engine and wait until it listens; yield it and a client."""
    async with started(module, *arguments, **environment) as engine, ClientSession(await engine.listening()) as session:
        yield engine, session
