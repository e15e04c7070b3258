"""An engine over a plain socket that does as a case says, byte by byte, and counts what it could send.

Left alone it behaves: it answers probes, and each call with as many words as `max_tokens` asks for.
"""

import asyncio
import contextlib
import json
import socket
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from . import answers

_MOST_WORDS: Final = 100_000
_MOST_HELD: Final = 64 * 1024
"""What is written beyond the kernel's buffers: little, so that what was sent is what the gateway has taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request as the engine got it."""

    method: str
    path: str
    """With its query, as it was sent."""
    head: bytes
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        """Its body; empty when it is no object."""
        with contextlib.suppress(ValueError, RecursionError):
            found = json.loads(self.body)
            if isinstance(found, dict):
                return found
        return {}

    @property
    def is_probe(self) -> bool:
        """Whether the gateway asks on its own behalf."""
        return self.path in answers.HEALTH


class Line:
    """The engine's side of one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, engine: "Engine") -> None:
        self._reader = reader
        self._writer = writer
        self._engine = engine
        self.closed = False
        writer.transport.set_write_buffer_limits(high=_MOST_HELD)

    async def send(self, data: bytes) -> None:
        """Send, waiting while the gateway takes nothing. Raises ConnectionError once it has left."""
        self._writer.write(data)
        try:
            await self._writer.drain()
        finally:
            self._engine.sent += len(data)

    async def flood(self, data: bytes, times: int) -> None:
        """Send the same again and again, until the gateway has enough; raises ConnectionError then."""
        for _ in range(times):
            await self.send(data)
            await asyncio.sleep(0)

    async def gone(self) -> None:
        """Wait until the gateway has closed the connection."""
        with contextlib.suppress(ConnectionError):
            while await self._reader.read(64 * 1024):
                pass
        self._engine.left += 1

    def close(self) -> None:
        """End the connection as one does."""
        self.closed = True
        self._writer.close()

    def reset(self) -> None:
        """Break the connection, with a reset."""
        self.closed = True
        sock: socket.socket = self._writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()


Script = Callable[[Asked, Line], Awaitable[None]]


async def behave(asked: Asked, line: Line) -> None:
    """Answer as an engine does."""
    told = asked.json
    path = asked.path.partition("?")[0]
    model = str(told.get("model", ""))
    words = _words(told)
    if path == "/v1/embeddings" or path == "/api/embed" or not told.get("stream", path.startswith("/api/")):
        await line.send(answers.whole(answers.document(path, model, words)))
        return
    await line.send(answers.head(answers.kind_of(path, stream=True)))
    for piece in answers.pieces(path, model, words):
        await line.send(answers.chunk(piece))
    await line.send(answers.LAST)


def _words(told: dict[str, Any]) -> int:
    """How many words are wanted, within reason."""
    options = told.get("options")
    wanted = told.get("max_tokens") or (options.get("num_predict") if isinstance(options, dict) else None)
    return min(wanted, _MOST_WORDS) if isinstance(wanted, int) and wanted > 0 else 3


class Engine:
    """One engine. `model` is what callers name, `serves` what the engine is asked for."""

    def __init__(self, *, model: str, serves: str, kind: str) -> None:
        """`kind`: vllm or ollama."""
        self.model = model
        self.serves = serves
        self.kind = kind
        self.host = "127.0.0.1"
        self.port = 0
        self.good()
        self._server: asyncio.Server | None = None

    def good(self) -> None:
        """Behave from now on, and count from zero."""
        self.script: Script = behave
        self.probe: Script | None = None
        self.greeting: Callable[[Line], Awaitable[None]] | None = None
        self.sent = 0
        """Bytes of answers to calls and probes that the gateway has taken, but for the kernel's buffers."""
        self.left = 0
        """Connections that `Line.gone` saw closed."""
        self.asked: list[tuple[str, str]] = []
        """Method and path of calls."""

    async def start(self) -> None:
        """Listen, at the same port as before if there was one."""
        self._server = await asyncio.start_server(self._serve, self.host, self.port, limit=1024 * 1024)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Refuse connections."""
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = Line(reader, writer, self)
        try:
            if self.greeting is not None:
                await self.greeting(line)
            while not line.closed and (asked := await _read(reader)) is not None:
                if not asked.is_probe:
                    self.asked.append((asked.method, asked.path))
                    await self.script(asked, line)
                elif self.probe is not None:
                    await self.probe(asked, line)
                else:
                    await line.send(answers.health(asked.path, [self.serves]))
        except ConnectionError:
            self.left += 1
        except asyncio.CancelledError:
            writer.transport.abort()
            raise
        finally:
            writer.close()


async def _read(reader: asyncio.StreamReader) -> Asked | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        method, path, _ = first.split(" ")
        given = {name.lower(): value.strip() for name, _, value in (one.partition(":") for one in lines if one)}
        body = b""
        if given.get("transfer-encoding") == "chunked":
            while size := int(await reader.readline(), 16):
                body += (await reader.readexactly(size + 2))[:-2]
            await reader.readline()
        else:
            body = await reader.readexactly(int(given.get("content-length", "0")))
    except (asyncio.IncompleteReadError, ConnectionError, ValueError, asyncio.LimitOverrunError):
        return None
    return Asked(method=method, path=path, head=head, body=body)
