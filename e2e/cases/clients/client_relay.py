"""Stands between a client and the gateway, passes every byte on in both directions, and keeps what was asked.

A connection ends on one side as soon as it has ended on the other, so that a client that leaves has left.
"""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

import httptools

_SHOWN = 700


class Sent:
    """One request and the status of its answer, read off the bytes that pass."""

    def __init__(self) -> None:
        self.method = ""
        self.path = ""
        self.body = b""
        self.status = 0
        self.answer = b""

    def __str__(self) -> str:
        said = f"{self.method} {self.path} {_short(self.body)} -> {self.status}"
        return said if self.status == 200 else f"{said} {_short(self.answer)}"


def _short(body: bytes) -> str:
    """JSON without what is long in it: pictures."""
    try:
        text = json.dumps(_cut(json.loads(body)), ensure_ascii=False)
    except ValueError:
        text = body.decode(errors="replace")
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"


def _cut(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _cut(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_cut(one) for one in value[:20]]
    return value if not isinstance(value, str) or len(value) <= 120 else value[:60] + "…"


class _Requests:
    """httptools' callbacks for what a client sends on one connection."""

    def __init__(self, begun: Callable[[Sent], None]) -> None:
        self._begun = begun
        self._parser = httptools.HttpRequestParser(self)
        self._now = Sent()

    def feed(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_begin(self) -> None:
        self._now = Sent()

    def on_url(self, url: bytes) -> None:
        self._now.path += url.decode(errors="replace")

    def on_headers_complete(self) -> None:
        self._now.method = self._parser.get_method().decode()
        self._begun(self._now)

    def on_body(self, body: bytes) -> None:
        self._now.body += body


class _Answers:
    """And for what comes back: each answer belongs to the oldest request that has none."""

    def __init__(self, waiting: list[Sent]) -> None:
        self._waiting = waiting
        self._parser = httptools.HttpResponseParser(self)
        self._now = Sent()

    def feed(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_headers_complete(self) -> None:
        self._now = self._waiting.pop(0) if self._waiting else Sent()
        self._now.status = self._parser.get_status_code()

    def on_body(self, body: bytes) -> None:
        self._now.answer += body


class Relay:
    """Where clients ask, and what they asked since they were last told of."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._sent: list[Sent] = []

    def taken(self) -> list[str]:
        """A line for each request since the last time."""
        told, self._sent = [str(one) for one in self._sent], []
        return told

    def add(self, one: Sent) -> None:
        """Keep a request."""
        self._sent.append(one)


@contextmanager
def relaying(url: str) -> Iterator[Relay]:
    """Stand before a server."""
    where = urlsplit(url)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        relay = Relay(listener.getsockname()[1])
        threading.Thread(target=_accept, args=(listener, (where.hostname, where.port), relay), daemon=True).start()
        yield relay


def _accept(listener: socket.socket, server: Any, relay: Relay) -> None:
    with suppress(OSError):  # closed on the way out
        while True:
            client, _ = listener.accept()
            upstream = socket.create_connection(server)
            waiting: list[Sent] = []

            def begun(one: Sent, waiting: list[Sent] = waiting) -> None:
                waiting.append(one)
                relay.add(one)

            for source, sink, reader in ((client, upstream, _Requests(begun)), (upstream, client, _Answers(waiting))):
                threading.Thread(target=_pass, args=(source, sink, reader), daemon=True).start()


def _pass(source: socket.socket, sink: socket.socket, reader: Any) -> None:
    reads = True
    with suppress(OSError):
        while data := source.recv(65536):
            if reads:
                try:
                    reader.feed(data)
                except httptools.HttpParserError:
                    reads = False  # not for the relay to judge
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_RDWR)  # wakes the thread that reads from there, which closes it
    source.close()
