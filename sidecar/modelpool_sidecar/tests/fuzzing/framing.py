"""Targets for the bytes on the wire: HTTP itself, whatever it carries."""

from modelpool_sidecar.http.client.response_framing import MalformedResponse
from modelpool_sidecar.http.client.response_parser import ResponseParser
from modelpool_sidecar.http.server.request_parser import HeadCache
from modelpool_sidecar.http.server.request_reader import RequestReader


def engine_answer(data: bytes) -> None:
    """An engine's answer is the same however it is cut, or is refused however it is cut."""
    first, rest = (data[0] + 1, data[1:]) if data else (1, b"")
    assert _answer(rest, first) == _answer(rest, len(rest) + 1)


def _answer(data: bytes, size: int) -> tuple[object, ...]:
    reader, body, understood = ResponseParser(), b"", True
    try:
        for begin in range(0, len(data), size):
            reader.feed(data[begin : begin + size])
            body += reader.taken() if reader.parts else b""
    except MalformedResponse:
        understood = False
        body += reader.taken() if reader.parts else b""
    head = (reader.head.status, list(reader.head.headers)) if reader.head is not None else None
    return (understood, head, body, *((reader.ended, reader.keep_alive) if understood else ()))


def caller_requests(data: bytes) -> None:
    """Callers' requests are the same however they are cut, and nothing of them is lost on the way to the other door.

    Nor does it matter whether their heads have been read before.
    """
    first, rest = (data[0] + 1, data[1:]) if data else (1, b"")
    heads = HeadCache(1000, lambda _: False)
    cut, one, again = (_requests(rest, size, heads) for size in (first, len(rest) + 1, len(rest) + 1))
    assert cut[0] == one[0] == again[0] == _requests(rest, len(rest) + 1, HeadCache(1000, lambda _: False))[0]
    assert cut[1] == one[1] == again[1]
    assert rest.endswith(cut[2]) or not cut[1]


def _requests(data: bytes, size: int, heads: HeadCache) -> tuple[list[object], bool, bytes]:
    requests, found = RequestReader(heads), list[object]()
    begins = range(0, len(data), size)
    for begin in begins:
        requests.feed(data[begin : begin + size])
        while not requests.uncommon and (request := requests.take()) is not None:
            head, body = request
            assert len(body) <= 1000
            assert head.path.startswith("/")
            kept = [pair for pair in head.headers.items() if pair[0].lower() != "content-length"]
            found.append((head.method, head.path, head.query, kept, head.keep_alive, body))
    return found, requests.uncommon, requests.held
