"""`python -m modelpool_bench_scale.upstream PORTS`: engines that cost next to nothing, so that the gateway is measured.

Listens on so many ports of the loopback interface and prints them as one JSON line. Answers /health at once, a chat at
once, and a streamed chat with an event every PACE seconds until the caller leaves or TOKENS are out.
"""

import asyncio
import json
import sys
from typing import Final

PACE: Final = 0.1
"""Seconds between two events of a stream: its memory is measured, not its speed."""
TOKENS: Final = 100_000
EVENT: Final = (
    b'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,'
    b'"delta":{"content":" token"},"logprobs":null,"finish_reason":null}]}\n\n'
)
WHOLE: Final = (
    b'{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":'
    b'"assistant","content":"Hello"},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":9,'
    b'"total_tokens":10,"completion_tokens":1}}'
)
_ANSWER: Final = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
_STREAM: Final = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


class Engine(asyncio.Protocol):
    """One connection."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._seen = b""
        self._ticking: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        """End, and whatever streams with it."""
        if self._ticking:
            self._ticking.cancel()

    def data_received(self, data: bytes) -> None:
        """Answer every whole request."""
        self._seen += data
        while (end := self._seen.find(b"\r\n\r\n")) >= 0:
            head = self._seen[:end].lower()
            at = head.find(b"content-length:")
            length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            if len(self._seen) < end + 4 + length:
                return
            body, self._seen = self._seen[end + 4 : end + 4 + length], self._seen[end + 4 + length :]
            self._answer(body)

    def _answer(self, body: bytes) -> None:
        assert self._transport is not None
        if b'"stream":true' in body.replace(b" ", b""):
            self._transport.write(_STREAM)
            self._tick(TOKENS)
        else:
            self._transport.write(_ANSWER % (len(WHOLE), WHOLE))

    def _tick(self, left: int) -> None:
        assert self._transport is not None
        self._transport.write(b"%x\r\n%b\r\n" % (len(EVENT), EVENT))
        if left:
            self._ticking = asyncio.get_running_loop().call_later(PACE, self._tick, left - 1)


async def _serve(count: int) -> None:
    loop = asyncio.get_running_loop()
    servers = [await loop.create_server(Engine, "127.0.0.1", 0, backlog=2048) for _ in range(count)]
    print(json.dumps([server.sockets[0].getsockname()[1] for server in servers]), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
