"""The guard's measure of cost: a relay in Python that does the least a gateway must, with the standard library alone.

It reads the head of a request, finds the model in the body, looks up the engine, sends the request on with an id, and
passes every byte of the answer back as it comes. No pool, no limits, no telemetry, no care for what goes wrong: each
caller has one connection to the engine. The event loop is the gateway's. `python -m modelpool_bench_gateway.relay
MODEL=HOST:PORT` prints the port it listens on, and runs until it is ended.
"""

import asyncio
import json
import signal
import sys
import uuid
from collections import deque
from typing import Final, cast

import uvloop

_END: Final = b"\r\n\r\n"
_NOT_PASSED_ON: Final = frozenset({"connection", "keep-alive", "host", "te", "trailer", "upgrade"})


class _Engine(asyncio.Protocol):
    """The connection to an engine: what comes from it goes to the caller."""

    def __init__(self, caller: asyncio.Transport) -> None:
        self._caller = caller

    def data_received(self, data: bytes) -> None:
        self._caller.write(data)

    def connection_lost(self, _: Exception | None) -> None:
        self._caller.close()


class _Caller(asyncio.Protocol):
    """The connection of a caller: requests are read whole and sent on."""

    def __init__(self, engines: dict[str, tuple[str, int]]) -> None:
        self._engines = engines
        self._data = b""
        self._waiting: deque[bytes] = deque()
        self._engine: asyncio.Transport | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, _: Exception | None) -> None:
        if self._engine is not None:
            self._engine.close()

    def data_received(self, data: bytes) -> None:
        self._data += data
        while (end := self._data.find(_END)) >= 0:
            first, *lines = self._data[:end].decode("latin-1").split("\r\n")
            method, path, _ = first.split(" ")
            headers = {}
            for line in lines:
                name, _, value = line.partition(":")
                headers[name.lower()] = value.strip()
            whole = end + len(_END) + int(headers.get("content-length", "0"))
            if len(self._data) < whole:
                return
            body = self._data[end + len(_END) : whole]
            self._data = self._data[whole:]
            self._ask(method, path, headers, body)

    def _ask(self, method: str, path: str, headers: dict[str, str], body: bytes) -> None:
        host, port = self._engines[json.loads(body)["model"]]
        kept = {name: value for name, value in headers.items() if name not in _NOT_PASSED_ON}
        kept["host"] = f"{host}:{port}"
        kept["x-request-id"] = uuid.uuid4().hex
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in kept.items()), "", ""]
        request = "\r\n".join(lines).encode("latin-1") + body
        if self._engine is not None:
            self._engine.write(request)
            return
        self._waiting.append(request)
        if self._connecting is None:
            self._connecting = asyncio.get_running_loop().create_task(self._connect(host, port), name="connect")

    async def _connect(self, host: str, port: int) -> None:
        caller = self._transport
        assert caller is not None
        self._engine, _ = await asyncio.get_running_loop().create_connection(lambda: _Engine(caller), host, port)
        while self._waiting:
            self._engine.write(self._waiting.popleft())


async def _serve(engines: dict[str, tuple[str, int]]) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    server = await loop.create_server(lambda: _Caller(engines), "127.0.0.1", 0, backlog=1024)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await stop.wait()
    server.close()


def main() -> None:
    """Relay until SIGTERM."""
    engines = {}
    for argument in sys.argv[1:]:
        model, _, address = argument.partition("=")
        host, _, port = address.partition(":")
        engines[model] = (host, int(port))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(engines))


if __name__ == "__main__":
    main()
