"""Callers that cost little: requests written in advance, answers only counted."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager


def request(path: str, model: str, *, stream: bool) -> bytes:
    """Return a chat of one short message, as bytes on the wire."""
    body = json.dumps({"model": model, "messages": [{"role": "user", "content": "hello"}], "stream": stream}).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    return head.encode() + b"\r\n\r\n" + body


class Callers:
    """Connections to one gateway, kept open from one time to the next."""

    def __init__(self, ends: Sequence[tuple[asyncio.StreamReader, asyncio.StreamWriter]]) -> None:
        self._ends = ends

    async def ask(self, requests: Sequence[bytes], count: int) -> None:
        """Send `count` of the requests in turn over all connections; raises ValueError when one fails."""
        turns = itertools.islice(itertools.cycle(requests), count)
        async with asyncio.TaskGroup() as tasks:
            for number, (reader, writer) in enumerate(self._ends):
                tasks.create_task(_call(reader, writer, turns), name=f"caller {number}")


@asynccontextmanager
async def callers(port: int, connections: int) -> AsyncIterator[Callers]:
    """Connect so often."""
    ends: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
    try:
        while len(ends) < connections:
            ends.append(await asyncio.open_connection("127.0.0.1", port))
        yield Callers(ends)
    finally:
        for _, writer in ends:
            writer.close()


async def _call(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, turns: Iterator[bytes]) -> None:
    for one in turns:
        writer.write(one)
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise ValueError(f"must be answered with 200, got {head[:200]!r}")
        at = head.lower().index(b"content-length:")
        await reader.readexactly(int(head[at + 15 :].split(b"\r\n", 1)[0]))


class _Listener(asyncio.Protocol):
    """Takes a stream and counts what comes."""

    def __init__(self, question: bytes) -> None:
        self._question = question
        self.chunks = 0
        self.flowing = asyncio.Event()
        """Set with the third chunk: the answer's head and two events are through."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask."""
        assert isinstance(transport, asyncio.Transport)
        transport.write(self._question)

    def data_received(self, data: bytes) -> None:
        """Count."""
        self.chunks += 1
        if self.chunks == 3:
            self.flowing.set()


@asynccontextmanager
async def streams(port: int, question: bytes, count: int) -> AsyncIterator[list[_Listener]]:
    """Keep so many streams open; raises TimeoutError when not all of them bring something."""
    loop = asyncio.get_running_loop()
    transports, listeners = [], []
    try:
        for _ in range(count):
            transport, listener = await loop.create_connection(lambda: _Listener(question), "127.0.0.1", port)
            transports.append(transport)
            listeners.append(listener)
        async with asyncio.timeout(60):
            for listener in listeners:
                await listener.flowing.wait()
        yield listeners
    finally:
        for transport in transports:
            transport.abort()
