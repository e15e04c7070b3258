"""What real vLLM and Ollama servers answered, and the reader of those files.

Knows the file format (see README.md beside it) and nothing of HTTP clients or servers. Tests of the simulated engines
and of the gateway read recordings through `load`, `exchanges` and `ROOT`; the engines themselves never do.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent
"""The folder that holds `vllm/` and `ollama/`."""

_CURL = re.compile(rb"\n?\[curl: http \d+, \d+ bytes[^\n]*\]\s*\Z")
_CUT = re.compile(rb"\n>>> \.\.\.\(body cut at \d+ of \d+ characters\)\s*\Z")


class MalformedRecordingError(ValueError):
    """The file is no recording of exactly the expected exchanges."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedRequest:
    """What the client sent. `cut` says that the body on file is only its beginning."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    cut: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedResponse:
    """What the server answered. Header names are as they came over the wire; a repeated header is joined with a
    comma.
    """

    status: int
    reason: str
    headers: Mapping[str, str]
    body: bytes

    def header(self, name: str) -> str | None:
        """Return the header's value, whatever the case of its name."""
        return next((value for key, value in self.headers.items() if key.lower() == name.lower()), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """One request and its answer."""

    name: str
    request: RecordedRequest
    response: RecordedResponse


def load(path: Path | str) -> Recording:
    """Read a file that holds one exchange; a relative path is below `ROOT`.

    Raises MalformedRecordingError when the file holds none or several.
    """
    found = list(exchanges(path))
    if len(found) != 1:
        raise MalformedRecordingError(f"{path} must hold one exchange, holds {len(found)}")
    return found[0]


def exchanges(path: Path | str) -> Iterator[Recording]:
    """Read every exchange of a file, in order; a file of notes yields none."""
    full = ROOT / path
    data = full.read_bytes()
    if not data.startswith(b">>> "):
        return
    for part in re.split(rb"(?m)^(?=>>> (?:GET|HEAD|POST|PUT|DELETE|OPTIONS) /)", data):
        if part:
            yield _exchange(full.relative_to(ROOT).as_posix() if full.is_relative_to(ROOT) else str(path), part)


def recorded(folder: str) -> list[str]:
    """Name every file of a folder below `ROOT` that holds an exchange, as a path that `load` takes."""
    files = sorted((ROOT / folder).glob("*.txt"))
    return [file.relative_to(ROOT).as_posix() for file in files if file.read_bytes().startswith(b">>> ")]


def _exchange(name: str, data: bytes) -> Recording:
    question, marker, answer = data.partition(b"\n<<<\n")
    if not marker:
        raise MalformedRecordingError(f"{name} holds a request without an answer")
    return Recording(name=name, request=_request(name, question), response=_response(name, answer))


def _request(name: str, data: bytes) -> RecordedRequest:
    head, _, body = data.partition(b"\n>>>\n")
    first, *rest = head.decode().split("\n")
    try:
        _, method, path = first.split(" ", 2)
    except ValueError:
        raise MalformedRecordingError(f"{name} must begin with '>>> METHOD PATH', got {first!r}") from None
    headers = dict(line.removeprefix(">>> ").split(": ", 1) for line in rest if line.startswith(">>> "))
    whole = _CUT.sub(b"", body)
    return RecordedRequest(method=method, path=path, headers=headers, body=whole, cut=whole != body)


def _response(name: str, data: bytes) -> RecordedResponse:
    head, _, body = data.partition(b"\r\n\r\n")
    first, *rest = head.decode().split("\r\n")
    version, status, *reason = first.split(" ", 2)
    if not version.startswith("HTTP/"):
        raise MalformedRecordingError(f"{name} must answer with an HTTP status line, got {first!r}")
    headers: dict[str, str] = {}
    for line in rest:
        key, _, value = line.partition(": ")
        headers[key] = f"{headers[key]}, {value}" if key in headers else value
    end = _CURL.search(body)
    content = body[: end.start()] if end else b""
    return RecordedResponse(status=int(status), reason=reason[0] if reason else "", headers=headers, body=content)
