"""Targets for the bytes on the wire: HTTP itself, whatever it carries."""

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
