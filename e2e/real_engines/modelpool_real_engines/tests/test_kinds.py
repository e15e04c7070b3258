"""What counts as a difference between two answers of a published model."""

import json
from typing import Any

import pytest

from modelpool_real_engines import kinds
from modelpool_real_engines.answers import Response


def lines(*documents: Any, status: int = 200) -> Response:
    body = b"".join(json.dumps(one).encode() + b"\n" for one in documents)
    headers = (("Content-Type", "application/x-ndjson"),)
    return Response(status=status, headers=headers, body=body, framing="chunked")


def said(*texts: str, **last: Any) -> Response:
    end = {"done": True, "done_reason": "stop", "prompt_eval_count": 9, "eval_count": 3, **last}
    pieces = [{"created_at": f"{n}", "message": {"content": text}, "done": False} for n, text in enumerate(texts)]
    return lines(*pieces, {"created_at": "9", "message": {"content": ""}, **end})


def places(reference: Response, gateway: Response) -> list[str]:
    return [one.where for one in kinds.differences(reference, gateway)]


def test_other_words_are_no_difference() -> None:
    assert places(said("Paris."), said("It is ", "Paris.", eval_count=5)) == []


@pytest.mark.parametrize(
    ("gateway", "where"),
    [
        (said("Paris.", prompt_eval_count=8), "last[0].prompt_eval_count"),
        (said("Paris.", done_reason="length"), "last[0].done_reason"),
        (said("Paris.", extra=1), "last[0].extra"),
        (said(""), "texts.content"),
        (lines({"error": "no"}, status=400), "status"),
    ],
)
def test_all_else_is(gateway: Response, where: str) -> None:
    assert where in places(said("Paris."), gateway)


def test_the_length_counts_where_the_answer_was_cut() -> None:
    cut, longer = said("a", done_reason="length", eval_count=8), said("b", done_reason="length", eval_count=9)
    assert places(cut, longer) == ["last[0].eval_count"]


def test_vectors_are_compared_by_their_width() -> None:
    def vectors(*widths: int) -> Response:
        body = json.dumps({"embeddings": [[0.5 + width] * width for width in widths]}).encode()
        return Response(status=200, headers=(("Content-Type", "application/json"),), body=body, framing="length")

    assert places(vectors(3, 3), vectors(3, 3)) == []
    assert places(vectors(3), vectors(4)) != []
    assert places(vectors(3), vectors(3, 3)) != []
