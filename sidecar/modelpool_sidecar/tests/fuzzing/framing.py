"""Targets for the bytes on the wire: HTTP itself, whatever it carries."""

from modelpool_sidecar.proxy.front_request import Requests
from modelpool_sidecar.proxy.lean_response import AnswerReader, MalformedAnswer


def engine_answer(data: bytes) -> None:
    """An engine's answer is the same however it is cut, or is refused however it is cut."""
    first, rest = (data[0] + 1, data[1:]) if data else (1, b"")
    assert _answer(rest, first) == _answer(rest, len(rest) + 1)


def _answer(data: bytes, size: int) -> tuple[object, ...]:
    reader, body = AnswerReader(), b""
    try:
        for begin in range(0, len(data), size):
            reader.feed(data[begin : begin + size])
            body += reader.taken() if reader.parts else b""
    except MalformedAnswer:
        body += reader.taken() if reader.parts else b""
        return (False, reader.status, list(reader.headers), body)
    return (True, reader.status, list(reader.headers), reader.here, reader.ended, reader.lasting, body)


def caller_requests(data: bytes) -> None:
    """Callers' requests are the same however they are cut, and nothing of them is lost on the way to the other door."""
    first, rest = (data[0] + 1, data[1:]) if data else (1, b"")
    cut, one = _requests(rest, first), _requests(rest, len(rest) + 1)
    assert cut[0] == one[0]
    assert cut[1] == one[1]
    assert rest.endswith(cut[2]) or not cut[1]


def _requests(data: bytes, size: int) -> tuple[list[object], bool, bytes]:
    requests, found = Requests(1000), list[object]()
    begins = range(0, len(data), size)
    for begin in begins:
        requests.feed(data[begin : begin + size])
        while not requests.uncommon and (request := requests.take()) is not None:
            head, body = request
            assert len(body) == head.length <= 1000
            assert head.path.startswith("/")
            found.append((head.method, head.path, head.query, list(head.headers.items()), head.lasting, body))
    return found, requests.uncommon, requests.held
