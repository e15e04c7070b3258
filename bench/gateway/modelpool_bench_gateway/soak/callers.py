"""Callers that ask one request after the other, each on a connection of its own, and tell what they saw."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from typing import Final

from . import fates
from .fates import Asked, Fate, Seen

_ANSWERS_WITHIN: Final = 60.0
_WHOLE: Final = fates.WHOLE.encode()
_WORD: Final = fates.WORD.encode()

Tally = Counter[tuple[Fate, Seen]]


async def ask_all(port: int, first: int, last: int, aborts_of_1000: int, callers: int) -> Tally:
    """Ask the requests from `first` to before `last`; how many of each fate saw what."""
    tally: Tally = Counter()
    numbers = iter(range(first, last))
    async with asyncio.TaskGroup() as group:
        for number in range(callers):
            group.create_task(_ask(port, numbers, aborts_of_1000, tally), name=f"caller {number}")
    return tally


async def _ask(port: int, numbers: Iterator[int], aborts_of_1000: int, tally: Tally) -> None:
    line: _Line | None = None
    for number in numbers:
        asked = fates.asked(number, aborts_of_1000)
        if line is None:
            line = _Line(*await asyncio.open_connection("127.0.0.1", port))
        async with asyncio.timeout(_ANSWERS_WITHIN):
            seen = await line.ask(asked)
        tally[asked.fate, seen] += 1
        if not line.lasts:
            line.close()
            line = None
    if line is not None:
        line.close()


class _Line:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.lasts = True

    def close(self) -> None:
        self._writer.transport.abort()

    async def ask(self, asked: Asked) -> Seen:
        """Put one request, and read its answer to the end."""
        self._writer.write(
            b"POST %b HTTP/1.1\r\nHost: localhost\r\nUser-Agent: soak\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n%b" % (asked.path.encode(), len(asked.body), asked.body)
        )
        body = bytearray()
        try:
            head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
            await self._read(head, body)
        except (asyncio.IncompleteReadError, ConnectionError):
            self.lasts = False
            return Seen.BROKEN if b'"error"' in body and _WORD in body else Seen.CUT
        if not head.startswith(b"http/1.1 200"):
            return Seen.REFUSED
        if b'"error"' in body:
            return Seen.BROKEN if _WORD in body else Seen.CUT
        return Seen.ANSWERED if _WHOLE in body else Seen.CUT

    async def _read(self, head: bytes, body: bytearray) -> None:
        if b"\r\ntransfer-encoding: chunked" not in head:
            length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
            body += await self._reader.readexactly(length)
            return
        while size := int(await self._reader.readuntil(b"\r\n"), 16):
            body += (await self._reader.readexactly(size + 2))[:-2]
        await self._reader.readexactly(2)
