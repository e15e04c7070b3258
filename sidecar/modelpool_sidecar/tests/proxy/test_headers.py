import pytest

from modelpool_sidecar.proxy import headers
from modelpool_sidecar.proxy.visit import request_id


def test_the_callers_words_about_a_body_that_is_ours_do_not_hold() -> None:
    given = [("Content-Type", "text/plain"), ("Accept", "*/*"), ("X-A", "1"), ("x-a", "2")]
    assert headers.to_engine(given, request_id="r", json=True) == [
        ("X-A", "1"),
        ("x-a", "2"),
        ("X-Request-Id", "r"),
        ("Content-Type", "application/json"),
    ]


def test_an_engine_cannot_speak_for_the_gateway() -> None:
    given = [("Server", "uvicorn"), ("x-modelpool-backend", "evil"), ("Set-Cookie", "a"), ("Set-Cookie", "b")]
    assert headers.to_caller(given, {"X-ModelPool-Backend": "vllm"}) == [
        ("Set-Cookie", "a"),
        ("Set-Cookie", "b"),
        ("X-ModelPool-Backend", "vllm"),
    ]


@pytest.mark.parametrize("given", [None, "", "x" * 201, "line\nbreak", "ümlaut"])
def test_an_unfit_request_id_is_replaced(given: str | None) -> None:
    made = request_id(given)
    assert made != given
    assert len(made) == 32


def test_a_fit_request_id_is_kept() -> None:
    assert request_id("abc-1") == "abc-1"
