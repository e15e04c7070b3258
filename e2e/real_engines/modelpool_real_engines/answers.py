"""Sends one call and keeps what came back as it came: the order and case of headers, the framing, the bytes."""

import http.client
import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

_TIMEOUT = 600.0
"""Seconds: a published model reads a thousand tokens in ten on an idle core, in minutes on a busy one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request. `body`: an object to send as JSON, or bytes to send as they are."""

    name: str
    method: str = "POST"
    path: str
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """One answer, whole."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    framing: str
    """chunked, length, or close."""

    def header(self, name: str) -> str:
        """The value, or nothing."""
        return next((value for key, value in self.headers if key.lower() == name), "")

    @property
    def kind(self) -> str:
        """The type of the content, without parameters."""
        return self.header("content-type").partition(";")[0]


def encoded(body: Any) -> bytes:
    """The bytes that are sent for a call's body."""
    if body is None:
        return b""
    return body if isinstance(body, bytes) else json.dumps(body, separators=(",", ":")).encode()


def send(url: str, call: Call) -> Response:
    """Send a call to a server and read its answer to the end. Raises OSError, http.client.HTTPException."""
    where = urlsplit(url)
    assert where.hostname is not None
    connection = http.client.HTTPConnection(where.hostname, where.port, timeout=_TIMEOUT)
    try:
        headers = {"Content-Type": "application/json", **call.headers} if call.method == "POST" else call.headers
        connection.request(call.method, call.path, encoded(call.body) or None, headers)
        got = connection.getresponse()
        framing = "chunked" if got.chunked else "length" if got.getheader("Content-Length") is not None else "close"
        return Response(status=got.status, headers=tuple(got.getheaders()), body=got.read(), framing=framing)
    finally:
        connection.close()
