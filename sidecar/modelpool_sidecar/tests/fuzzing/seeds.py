"""Where the search begins: the recordings, in the form that each target reads."""

from collections.abc import Iterator

from ..dialects import recordings

_PATHS = (b"/api/chat", b"/v1/models/x", b"/ollama/api/blobs/sha256:1", b"https://a.example.org", b"localhost:1")
_ANSWERS = (
    b"\x02HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    b"\x05HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\nX: 1\r\n\r\n",
    b"\x09HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 404 No\r\nConnection: close\r\n\r\nhello",
)
_REQUESTS = (
    b"\x03POST /api/chat?a=%20 HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"\x08POST /v1/messages HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n{}",
    b"\x20HEAD /v1/models HTTP/1.0\r\n\r\n",
    b"\x01POST /api/chat HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
)
_DURATIONS = (b"5m", b"-1h2m3.5s", b"0", "1µs<\u2028>".encode())


def seeds(target: str) -> Iterator[bytes]:
    """Inputs for a target."""
    if target == "paths_and_headers":
        yield from _PATHS
        return
    if target == "caller_requests":
        yield from _REQUESTS
        return
    if target == "engine_answer":
        yield from _ANSWERS
        return
    if target == "durations_and_escapes":
        yield from _DURATIONS
        return
    chooses = target.startswith(("translated", "untouched", "sse_decoder"))
    asks = target in ("request_head", "model_name", "translated_request")
    for folder in ("vllm", "ollama"):
        for name in recordings.names(folder):
            recorded = recordings.load(f"{folder}/{name}")
            data = recorded.request if asks else recorded.body
            if not data or len(data) > 20_000:
                continue
            if not chooses:
                yield data
            elif target == "translated_request":
                yield bytes([_call(recorded.path)]) + data
            else:
                yield from (bytes([first]) + data for first in (0, 4, 7))


def _call(path: str) -> int:
    known = ("/api/chat", "/api/generate", "/api/embed", "/api/embeddings")
    return known.index(path) if path in known else 0
