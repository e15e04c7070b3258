"""Engines on raw sockets, several in one process: `python -m … COUNT` prints their ports and runs until it is ended.

Each speaks vLLM's API and as much of Ollama's as a fallback needs. They share the knowledge of what was aborted.
"""

import asyncio
import json
import sys
from typing import Final

from . import fates
from .fates import Fate

_LATER_SECONDS: Final = 0.2
"""More than a kept connection that was stale needs to say so."""
_VLLM: Final = "/v1/chat/completions"


def _event(text: str, finish: str | None) -> bytes:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish}
    return b"data: %b\n\n" % json.dumps({"id": "1", "model": fates.MODEL, "choices": [choice]}).encode()


def _line(text: str, *, done: bool) -> bytes:
    told: dict[str, object] = {"model": fates.MODEL, "message": {"role": "assistant", "content": text}, "done": done}
    return json.dumps(told, separators=(",", ":")).encode() + b"\n"


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _whole(body: bytes, kind: bytes = b"application/json", *, claimed: int = 0) -> bytes:
    length = claimed or len(body)
    return b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\nContent-Length: %d\r\n\r\n%b" % (kind, length, body)


def _begun(kind: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\nTransfer-Encoding: chunked\r\n\r\n" % kind


_STREAMS: Final = {True: b"text/event-stream", False: b"application/x-ndjson"}
_PARTS: Final = {
    True: (_event(fates.WORD, None), _event(fates.WHOLE, "stop") + b"data: [DONE]\n\n"),
    False: (_line(fates.WORD, done=False), _line(fates.WHOLE, done=True)),
}
_CHOICE: Final = {"index": 0, "message": {"role": "assistant", "content": fates.WHOLE}, "finish_reason": "stop"}
_DOCUMENTS: Final = {
    True: json.dumps({"id": "1", "model": fates.MODEL, "choices": [_CHOICE]}).encode(),
    False: _line(fates.WHOLE, done=True),
}


class Engines:
    """What all of them know, and what each does with a connection."""

    def __init__(self) -> None:
        self._aborted: set[str] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request after the other."""
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                path = head.split(b" ", 2)[1].decode()
                length = next(
                    (int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0
                )
                body = await reader.readexactly(length)
                if not await self._answer(writer, path, body):
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.transport.abort()

    async def _answer(self, writer: asyncio.StreamWriter, path: str, body: bytes) -> bool:
        """Answer, or do what the request's fate says; whether the connection lasts."""
        if not body:
            writer.write(_whole(b'{"version":"0","models":[{"name":"%b"}]}' % fates.MODEL.encode()))
            return True
        number, fate, stream = fates.read(body)
        if number in self._aborted:
            fate = Fate.FINE
        elif fate is not Fate.FINE:
            self._aborted.add(number)
        is_vllm = path == _VLLM
        parts, kind = _PARTS[is_vllm], _STREAMS[is_vllm]
        match fate:
            case Fate.FINE if stream:
                writer.write(_begun(kind) + _chunk(parts[0]))
                writer.write(_chunk(parts[1]) + b"0\r\n\r\n")
                return True
            case Fate.FINE:
                writer.write(_whole(_DOCUMENTS[is_vllm]))
                return True
            case Fate.BEFORE:
                return False
            case Fate.LATER:
                await asyncio.sleep(_LATER_SECONDS)
                return False
            case Fate.HEAD if stream:
                writer.write(_begun(kind))
            case Fate.HEAD:
                writer.write(_whole(b"", claimed=99))
            case Fate.PART:
                writer.write(_whole(b'{"id"', claimed=99))
            case Fate.MIDDLE:
                writer.write(_begun(kind) + _chunk(parts[0]))
        await asyncio.sleep(0.02)  # so that it has gone out
        return False


async def run(count: int) -> None:
    """Listen on `count` ports, say which, and serve until cancelled."""
    engines = Engines()
    servers = [await asyncio.start_server(engines.serve, "127.0.0.1", 0, backlog=1024) for _ in range(count)]
    print(json.dumps([server.sockets[0].getsockname()[1] for server in servers]), flush=True)
    await asyncio.gather(*(server.serve_forever() for server in servers))


if __name__ == "__main__":
    asyncio.run(run(int(sys.argv[1])))
