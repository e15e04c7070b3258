"""An engine that does exactly what a test says, byte by byte, over a real socket."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass
class Received:
    """One request as it came in, and the way to answer it."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    writer: asyncio.StreamWriter
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the other side has closed the connection."""

    @property
    def json(self) -> dict[str, object]:
        document: dict[str, object] = json.loads(self.body)
        return document

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self, body: bytes, *, status: int = 200, kind: str = "application/json", extra: str = "") -> None:
        head = f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{extra}\r\n"
        await self.send(head.encode() + body)

    async def begin(self, kind: str = "text/event-stream") -> None:
        await self.send(f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n".encode())

    async def chunk(self, data: bytes) -> None:
        await self.send(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    async def end(self) -> None:
        await self.send(b"0\r\n\r\n")

    def die(self) -> None:
        """Break the connection without a word."""
        self.writer.transport.abort()


Behaviour = Callable[[Received], Awaitable[None]]


class Engine:
    """A scripted engine. Health checks are answered by `healthy`; everything else by `behave`."""

    def __init__(self, behave: Behaviour, *, models: list[str] | None = None) -> None:
        self.behave = behave
        self.models = models or []
        self.tags: dict[str, dict[str, object]] = {}
        """What it says of a model in `/api/tags`, beside the name."""
        self.loaded: list[dict[str, object]] | None = []
        """What it says in `/api/ps`; None: that is `behave`'s to answer."""
        self.healthy = True
        self.hangs = False
        """Whether nothing is answered, not even a health check."""
        self.received: list[Received] = []
        self.connections: list[asyncio.StreamWriter] = []
        self.errors: list[BaseException] = []
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def tag(self, name: str) -> dict[str, object]:
        return {"name": name, **self.tags.get(name, {})}

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections.append(writer)
        try:
            while (request := await _read(reader, writer)) is not None:
                if request.path in ("/health", "/api/version", "/api/tags"):
                    while self.hangs and not reader.at_eof():
                        await asyncio.sleep(0.005)
                    tags = json.dumps({"version": "0", "models": [self.tag(one) for one in self.models]}).encode()
                    await request.answer(tags, status=200 if self.healthy else 503)
                    continue
                if request.path == "/api/ps" and self.loaded is not None:
                    await request.answer(json.dumps({"models": self.loaded}).encode())
                    continue
                self.received.append(request)
                watching = asyncio.gather(self.behave(request), return_exceptions=True)
                await self._until_done_or_gone(reader, request, watching)
                if request.gone.is_set() or writer.transport.is_closing():
                    return
        except ConnectionError:
            pass
        finally:
            writer.close()

    async def _until_done_or_gone(
        self, reader: asyncio.StreamReader, request: Received, behaving: "asyncio.Future[tuple[BaseException | None]]"
    ) -> None:
        while not behaving.done():
            await asyncio.wait((behaving,), timeout=0.005)
            if reader.at_eof() or reader.exception() is not None:
                request.gone.set()
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(behaving, 5)
        for outcome in behaving.result():
            if outcome is not None and not isinstance(outcome, ConnectionError):
                self.errors.append(outcome)


@asynccontextmanager
async def engine(behave: Behaviour, *, models: list[str] | None = None) -> AsyncIterator[Engine]:
    """Run a scripted engine; an exception in its script fails the test."""
    made = Engine(behave, models=models)
    server = await asyncio.start_server(made._serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        for request in made.received:
            request.writer.close()
    assert not made.errors, made.errors


async def _read(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Received | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    first, *lines = head.decode("latin-1").split("\r\n")
    method, path, _ = first.split(" ")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines if line)}
    if headers.get("transfer-encoding") == "chunked":
        body = b""
        while (size := int(await reader.readline(), 16)) or await reader.readline() != b"\r\n":
            body += await reader.readexactly(size)
            await reader.readexactly(2)
    else:
        body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Received(method=method, path=path, headers=headers, body=body, writer=writer)
