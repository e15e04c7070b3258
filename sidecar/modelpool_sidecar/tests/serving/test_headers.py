from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from modelpool_sidecar.dialects.cors import HostPolicy
from modelpool_sidecar.engines.registry import PROFILES
from modelpool_sidecar.http import headers
from modelpool_sidecar.http.server.request import RequestHead
from modelpool_sidecar.serving import forwarded_headers
from modelpool_sidecar.serving.context import Ids
from modelpool_sidecar.serving.resolved_head import ResolvedHead

CREDENTIALS = (
    *(
        "Authorization",
        "X-Api-Key",
        "api-key",
        "Cookie",
        "Proxy-Authorization",
        "X-Goog-Api-Key",
        "X-Amz-Security-Token",
    ),
    *("Ocp-Apim-Subscription-Key", "X-Auth-Token", "OpenAI-Organization", "X-Source", "Cf-Access-Jwt-Assertion"),
)
WHENCE = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP", "Via", "True-Client-IP")
KEPT = [
    ("Content-Type", "text/plain"),
    ("Accept", "*/*"),
    ("traceparent", "00-1-2-01"),
    ("tracestate", "a=b"),
    ("User-Agent", "ollama-python/1"),
]


def test_the_callers_words_about_a_body_that_is_ours_do_not_hold() -> None:
    assert forwarded_headers.to_engine(KEPT, json=True) == [*KEPT[2:], ("Content-Type", "application/json")]


@pytest.mark.parametrize("name", (*CREDENTIALS, *WHENCE))
@pytest.mark.parametrize("json", [False, True])
@pytest.mark.parametrize("spelt", [str, str.lower, str.upper])
def test_an_engine_gets_no_credentials_and_no_whence(name: str, json: bool, spelt: Callable[[str], str]) -> None:
    told = forwarded_headers.to_engine([*KEPT, (spelt(name), "secret"), (spelt(name), "secret")], json=json)
    assert "secret" not in [value for _, value in told]
    assert told == forwarded_headers.to_engine(KEPT, json=json)


@given(st.lists(st.tuples(st.text(), st.text())))
def test_nothing_passes_to_an_engine_that_is_not_on_the_list(given: list[tuple[str, str]]) -> None:
    passed = {name.lower() for name, _ in forwarded_headers.to_engine(given)}
    assert passed <= {"accept", "content-type", "traceparent", "tracestate", "user-agent"}


def test_what_a_connection_names_ends_there() -> None:
    assert forwarded_headers.to_engine([*KEPT, ("Connection", "close, TraceState")]) == [*KEPT[:3], KEPT[4]]


def test_an_engine_cannot_speak_for_the_gateway() -> None:
    given = [("Server", "uvicorn"), ("x-modelpool-backend", "evil"), ("X-A", "a"), ("X-A", "b")]
    assert forwarded_headers.to_caller(given) == [("X-A", "a"), ("X-A", "b")]


@pytest.mark.parametrize("name", ["Set-Cookie", "access-control-allow-origin", "Clear-Site-Data", "Alt-Svc", "Refresh"])
def test_an_engine_has_no_say_over_the_browsers_of_callers(name: str) -> None:
    assert forwarded_headers.to_caller([(name, "*"), ("Content-Type", "text/plain")]) == [
        ("Content-Type", "text/plain")
    ]


@pytest.mark.parametrize("evil", ["a\r\nX-B: 2", "a\n", "a\r", "a\0"])
def test_a_header_cannot_break_out_of_its_line(evil: str) -> None:
    for pair in (("X-A", evil), (evil, "1")):
        with pytest.raises(ValueError, match="line's end"):
            headers.lines([("X-0", "0"), pair])


@pytest.mark.parametrize("given", ["", "x" * 201, "line\nbreak", "ümlaut", "abc-1"])
def test_only_a_fit_request_id_is_kept(given: str) -> None:
    head = RequestHead("POST", "/v1/chat/completions", "", CIMultiDict({"X-Request-Id": given}))
    assert ResolvedHead(head, HostPolicy(), PROFILES).request_id == ("abc-1" if given == "abc-1" else "")


def test_new_ids_differ() -> None:
    ids = Ids()
    made = {ids.new() for _ in range(1000)}
    assert len(made) == 1000
    assert all(len(one) == 32 and one.isalnum() for one in made)
