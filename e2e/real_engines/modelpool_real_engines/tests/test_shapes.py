"""What counts as a difference between two answers."""

import json
from typing import Any

import pytest

from modelpool_real_engines import shapes
from modelpool_real_engines.answers import Response


def answer(body: Any, *, status: int = 200, kind: str = "application/json", framing: str = "length") -> Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Response(status=status, headers=(("Content-Type", kind),), body=content, framing=framing)


def lines(*documents: Any) -> Response:
    body = b"".join(json.dumps(one).encode() + b"\n" for one in documents)
    return answer(body, kind="application/x-ndjson", framing="chunked")


def events(*documents: Any) -> Response:
    body = b"".join(b"data: " + json.dumps(one).encode() + b"\n\n" for one in documents) + b"data: [DONE]\n\n"
    return answer(body, kind="text/event-stream", framing="chunked")


def places(reference: Response, gateway: Response) -> list[str]:
    return [one.where for one in shapes.differences(reference, gateway)]


def test_times_and_ids_may_change_but_not_their_type() -> None:
    assert places(answer({"id": "a", "created": 1}), answer({"id": "b", "created": 2})) == []
    assert places(answer({"id": "a"}), answer({"id": 2})) == ["id"]


@pytest.mark.parametrize(
    ("gateway", "where"),
    [
        (answer({"a": 1, "b": 2}, status=404), ["status"]),
        (answer({"a": 1, "b": 2}, kind="text/plain"), ["content-type"]),
        (answer({"a": 1, "b": 2}, framing="chunked"), ["framing"]),
        (answer({"a": 1}), ["b"]),
        (answer({"a": 1, "b": 2, "c": 3}), ["c"]),
        (answer({"a": 1, "b": "2"}), ["b"]),
        (answer({"a": True, "b": 2}), ["a"]),
        (answer({"b": 2, "a": 1}), [" order of keys"]),
        (answer(b'{"a":1,"b":2}'), ["spelling"]),
    ],
)
def test_each_kind_of_difference_is_found(gateway: Response, where: list[str]) -> None:
    assert places(answer({"a": 1, "b": 2}), gateway) == where


def test_how_lines_are_cut_does_not_matter_but_their_text_does() -> None:
    last = {"response": "", "done": True, "eval_count": 2}
    whole = lines({"response": "ab", "done": False}, last)
    assert places(lines({"response": "a", "done": False}, {"response": "b", "done": False}, last), whole) == []
    assert places(lines({"response": "a", "done": False}, last), whole) == ["texts.response"]
    assert places(lines({"response": "ab", "done": False}, {**last, "eval_count": 3}), whole) == ["last[0].eval_count"]


def test_events_are_compared_field_by_field() -> None:
    def chunk(text: str, finish: str | None = None) -> Any:
        return {"choices": [{"delta": {"content": text}, "finish_reason": finish}]}

    assert places(events(chunk("a"), chunk("b", "stop")), events(chunk("ab"), chunk("", "stop"))) == []
    assert places(events(chunk("ab", "stop")), events(chunk("ab", "length"))) == ["data.choices[].finish_reason[0]"]
    assert places(events(chunk("ab")), events(chunk("ac"))) == ["data.choices[].delta.content[0]"]


def test_computed_numbers_may_differ_in_their_last_digits() -> None:
    assert places(answer({"embedding": [0.12345]}), answer({"embedding": [0.12341]})) == []
    assert places(answer({"embedding": [0.12345]}), answer({"embedding": [0.14]})) == ["embedding[0]"]
