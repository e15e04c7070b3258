"""A caller over a plain socket, that reads only when told to, and what comes back to it."""

import asyncio
import contextlib
import socket
import struct
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Self

PATIENCE: Final = 15.0
"""Seconds without a whole answer or an end after which it is silence; longer than all limits of the gateway here."""
_AT_ONCE: Final = 64 * 1024
_MOST: Final = 64 * 1024 * 1024
_SHOWN: Final = 160


class NotHeldError(Exception):
    """What must hold does not; the message says what was seen."""


@dataclass(slots=True, kw_only=True)
class Answer:
    """One answer as a caller sees it."""

    status: int
    headers: dict[str, str]
    """By lower-case name; of a repeated one, the last."""
    body: bytes = b""
    whole: bool = True
    """False when the connection ended in its middle."""
    interim: list[int] = field(default_factory=list)
    """Statuses below 200 that came before it."""

    def __str__(self) -> str:
        broken = "" if self.whole else ", broken off"
        return f"{self.status} {self.body[:_SHOWN]!r} ({len(self.body)} bytes{broken})"


class Caller:
    """One connection."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._loop = asyncio.get_running_loop()
        self._held = b""
        self.received = 0
        """Bytes in all."""
        self.ended = False
        """Whether the gateway has closed."""

    @classmethod
    async def to(cls, address: tuple[str, int], *, window: int | None = None) -> Self:
        """Connect. `window`: bytes that the kernel takes in for a caller that does not read."""
        sock = socket.socket()
        try:
            if window is not None:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setblocking(False)
            async with asyncio.timeout(PATIENCE):
                await asyncio.get_running_loop().sock_connect(sock, address)
        except TimeoutError as late:
            sock.close()
            raise NotHeldError(f"no connection within {PATIENCE:.0f} s") from late
        except BaseException:
            sock.close()
            raise
        return cls(sock)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def send(self, data: bytes, within: float = PATIENCE) -> bool:
        """Send; False when the gateway has closed, or takes no more within so many seconds."""
        try:
            async with asyncio.timeout(within):
                await self._loop.sock_sendall(self._sock, data)
        except (ConnectionError, TimeoutError):
            return False
        return True

    def half_close(self) -> None:
        """Say that no more will be sent."""
        with contextlib.suppress(OSError):  # the gateway was faster
            self._sock.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Leave as one does."""
        self._sock.close()

    def reset(self) -> None:
        """Leave without a goodbye."""
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._sock.close()

    async def answer(self, *, within: float = PATIENCE, bodiless: bool = False) -> Answer | None:
        """The next answer; None when the connection ended before it began. Raises NotHeldError for silence."""
        try:
            async with asyncio.timeout(within):
                return await self._answer(bodiless=bodiless)
        except TimeoutError as late:
            raise NotHeldError(f"silence for {within:.0f} s after {self._held[:_SHOWN]!r}") from late

    async def rest(self, *, within: float = PATIENCE) -> bytes:
        """All that comes until the gateway closes. Raises NotHeldError when it does not."""
        try:
            async with asyncio.timeout(within):
                while await self._more() and len(self._held) < _MOST:
                    pass
        except TimeoutError as late:
            seen = f"{len(self._held)} bytes: {self._held[:_SHOWN]!r}"
            raise NotHeldError(f"not closed within {within:.0f} s; {seen}") from late
        rest, self._held = self._held, b""
        return rest

    async def swallow(self, *, within: float) -> int:
        """Read on without keeping anything until the gateway closes; how many bytes came. Raises NotHeldError."""
        came = len(self._held)
        try:
            async with asyncio.timeout(within):
                while await self._more():
                    came, self._held = came + len(self._held), b""
        except TimeoutError as late:
            raise NotHeldError(f"not closed within {within:.0f} s; {came} bytes came") from late
        return came

    async def until(self, what: bytes, within: float = PATIENCE) -> None:
        """Read until something has come. Raises NotHeldError."""
        try:
            async with asyncio.timeout(within):
                while what not in self._held:
                    if not await self._more():
                        raise NotHeldError(f"ended before {what!r}, after {self._held[:_SHOWN]!r}")
        except TimeoutError as late:
            raise NotHeldError(f"no {what!r} within {within:.0f} s, but {self._held[:_SHOWN]!r}") from late

    async def sip(self, size: int) -> None:
        """Read no more than so much, and keep it for `answer`."""
        async with asyncio.timeout(PATIENCE):
            data = await self._loop.sock_recv(self._sock, size)
        self._held += data
        self.received += len(data)

    async def _more(self) -> bool:
        try:
            data = await self._loop.sock_recv(self._sock, _AT_ONCE)
        except ConnectionError:
            data = b""
        self._held += data
        self.received += len(data)
        self.ended = not data
        return bool(data)

    async def _answer(self, *, bodiless: bool) -> Answer | None:
        interim: list[int] = []
        while True:
            while (end := self._held.find(b"\r\n\r\n")) < 0:
                if not await self._more():
                    if self._held:
                        raise NotHeldError(f"ended in the middle of a head: {self._held[:_SHOWN]!r}")
                    return None
            head, self._held = self._held[:end], self._held[end + 4 :]
            first, *lines = head.decode("latin-1").split("\r\n")
            version, _, rest = first.partition(" ")
            code = rest[:3]
            if version not in ("HTTP/1.1", "HTTP/1.0") or not code.isdigit() or not 100 <= int(code) <= 599:
                raise NotHeldError(f"no status line: {first[:_SHOWN]!r}")
            if int(code) >= 200:
                break
            interim.append(int(code))
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        answer = Answer(status=int(code), headers=headers, interim=interim)
        if not bodiless and answer.status not in (204, 304):
            answer.whole = await self._body(answer)
        return answer

    async def _body(self, answer: Answer) -> bool:
        if "chunked" in answer.headers.get("transfer-encoding", ""):
            return await self._chunks(answer)
        if (length := answer.headers.get("content-length")) is not None:
            found = await self._exactly(int(length))
            answer.body = self._held if found is None else found
            return found is not None
        while await self._more():
            pass
        answer.body, self._held = self._held, b""
        return True

    async def _chunks(self, answer: Answer) -> bool:
        parts: list[bytes] = []
        whole = False
        while (line := await self._line()) is not None:
            size = int(line.partition(b";")[0], 16)
            data = await self._exactly(size + 2)
            if data is None:
                break
            if size == 0:
                whole = True
                break
            parts.append(data[:-2])
        answer.body = b"".join(parts)
        return whole

    async def _line(self) -> bytes | None:
        while (end := self._held.find(b"\r\n")) < 0:
            if not await self._more():
                return None
        line, self._held = self._held[:end], self._held[end + 2 :]
        return line

    async def _exactly(self, size: int) -> bytes | None:
        parts, missing = [self._held[:size]], size - len(self._held[:size])
        self._held = self._held[size:]
        while missing:
            if not await self._more():
                self._held = b"".join(parts)
                return None
            parts.append(self._held[:missing])
            missing, self._held = missing - len(parts[-1]), self._held[missing:]
        return b"".join(parts)
