import pytest
from multidict import CIMultiDict

from modelpool_sidecar.protocols.origins import Doorman
from modelpool_sidecar.proxy import headers
from modelpool_sidecar.proxy.opening import Opening
from modelpool_sidecar.proxy.visit import Ids
from modelpool_sidecar.proxy.visitor import Head


def test_the_callers_words_about_a_body_that_is_ours_do_not_hold() -> None:
    given = [("Content-Type", "text/plain"), ("Accept", "*/*"), ("X-A", "1"), ("x-a", "2"), ("X-Request-Id", "r")]
    assert headers.to_engine(given, json=True) == [("X-A", "1"), ("x-a", "2"), ("Content-Type", "application/json")]


def test_an_engine_cannot_speak_for_the_gateway() -> None:
    given = [("Server", "uvicorn"), ("x-modelpool-backend", "evil"), ("Set-Cookie", "a"), ("Set-Cookie", "b")]
    assert headers.to_caller(given) == [("Set-Cookie", "a"), ("Set-Cookie", "b")]


@pytest.mark.parametrize("evil", ["a\r\nX-B: 2", "a\n", "a\r", "a\0"])
def test_a_header_cannot_break_out_of_its_line(evil: str) -> None:
    for pair in (("X-A", evil), (evil, "1")):
        with pytest.raises(ValueError, match="line's end"):
            headers.lines([("X-0", "0"), pair])


@pytest.mark.parametrize("given", ["", "x" * 201, "line\nbreak", "ümlaut", "abc-1"])
def test_only_a_fit_request_id_is_kept(given: str) -> None:
    head = Head("POST", "/v1/chat/completions", "", CIMultiDict({"X-Request-Id": given}))
    assert Opening(head, Doorman()).request_id == ("abc-1" if given == "abc-1" else "")


def test_new_ids_differ() -> None:
    ids = Ids()
    made = {ids.new() for _ in range(1000)}
    assert len(made) == 1000
    assert all(len(one) == 32 and one.isalnum() for one in made)
