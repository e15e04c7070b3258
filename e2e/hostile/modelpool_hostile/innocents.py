"""The innocent caller's process, seen from outside: it is told whom to ask, and its words are heard."""

import asyncio
import json
import sys
from collections.abc import Callable
from typing import Any, Final, Self

_TELLS_WITHIN: Final = 30.0


class Innocents:
    """Starts `innocent`, passes on what it says."""

    def __init__(self, process: asyncio.subprocess.Process, heard: Callable[[dict[str, Any]], None]) -> None:
        self._process = process
        self._heard = heard
        self._told: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.port = 0
        """Its engine's."""

    @classmethod
    async def start(cls, host: str, heard: Callable[[dict[str, Any]], None]) -> Self:
        """Start it, its engine at `host`. `heard` gets each failure and each late answer as it happens."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", f"{__package__}.innocent", host),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        found = cls(process, heard)
        assert process.stdout is not None
        async with asyncio.timeout(_TELLS_WITHIN):
            found.port = json.loads(await process.stdout.readline())["port"]
        return found

    async def listen(self) -> None:
        """Hear it until it ends."""
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            told: dict[str, Any] = json.loads(line)
            if "all" in told:
                self._told.put_nowait(told["all"])
            else:
                self._heard(told)

    def order(self, **told: Any) -> None:
        """See `innocent`."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(told).encode() + b"\n")

    async def all(self) -> dict[str, Any]:
        """What it has measured so far."""
        self.order(tell=True)
        async with asyncio.timeout(_TELLS_WITHIN):
            return await self._told.get()

    async def end(self) -> None:
        """Let it end."""
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()
