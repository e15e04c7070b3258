"""What a routes document may say: whatever is read can be sorted, shown, connected to and sent."""

import json
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelpool_sidecar.http.client.request_sender import BaseUrl, ClientRequest
from modelpool_sidecar.routing import documents
from modelpool_sidecar.routing.addressing import objection_to_url
from modelpool_sidecar.routing.documents import InvalidRoutesError
from modelpool_sidecar.tests.routing.worlds import ENGINES

POOL = {"namespace": "llm", "name": "agentic"}


def document(**more: Any) -> dict[str, Any]:
    return {"version": 1, "pool": POOL, **more}


def backed(**backend: Any) -> dict[str, Any]:
    return document(models=[{"name": "m", "backends": [{"engine": "vllm", "model": "m", **backend}]}])


DEEP = 20_000
UNREADABLE: dict[str, bytes | str] = {
    "nothing": b"",
    "no JSON": b"{",
    "no Unicode": b'{"version":1,"pool":{"namespace":"\xff","name":"b"}}',
    "half a character": '{"version":1,"pool":{"namespace":"\ud800","name":"b"}}',
    "deep, and never closed": b'{"version":1,"more":' + b"[" * DEEP,
    "deep": b'{"version":1,"more":' + b"[" * DEEP + b"]" * DEEP + b"}",
    "a huge number": b'{"version":1e999}',
}
REFUSED: dict[str, Any] = {
    "a list": [],
    "another version": document(version=2),
    "created without a zone": document(pool={**POOL, "created": "2026-11-22T10:00:00"}),
    "created at the beginning of the calendar": document(pool={**POOL, "created": "0001-01-01T00:00:00+14:00"}),
    "created at its end": document(pool={**POOL, "created": "9999-12-31T23:59:59-12:00"}),
    "created before there were computers": document(pool={**POOL, "created": "1969-12-31T23:59:59Z"}),
    "a namespace that breaks a line": document(pool={**POOL, "namespace": "llm\n"}),
    "a name that breaks a header": document(pool={**POOL, "name": "a\r\nX: y"}),
    "a generation beyond 64 bits": document(pool={**POOL, "generation": 10**30}),
    "a size beyond 64 bits": document(models=[{"name": "m", "sizeBytes": 10**30}]),
    "a negative memory": document(models=[{"name": "m", "memoryBytes": -1}]),
    "a temperature of words": document(models=[{"name": "m", "parameters": {"temperature": "hot"}}]),
    "a temperature beyond all": document(models=[{"name": "m", "parameters": {"temperature": 1e300}}]),
    "a seed beyond 64 bits": document(models=[{"name": "m", "parameters": {"seed": 10**30}}]),
    "too many stops": document(models=[{"name": "m", "parameters": {"stop": ["x"] * 65}}]),
    "a width below nothing": document(models=[{"name": "m", "embeddingLength": -1}]),
    "a wait beyond a clock": document(queue={"timeoutSeconds": 1e300}),
    "a model that breaks a line": document(models=[{"name": "a\nb"}]),
    "an alias of other letters": document(models=[{"name": "m", "aliases": ["ä"]}]),
    "too many models": document(models=[{"name": f"m{one}"} for one in range(documents.MOST_MODELS + 1)]),
    "port 0": backed(service="s", port=0),
    "a port beyond all": backed(service="s", port=65536),
    "a service that is no label": backed(service="a..b", port=1),
    "a long service": backed(service="s" * 64, port=1),
    "both": backed(service="s", port=1, url="http://h"),
    "neither": backed(),
    **{
        f"the URL {url!r}": backed(url=url)
        for url in (
            *("http://", "ftp://h", "http://a..b", "http://.a", f"http://{'x' * 64}", f"http://{'a.' * 130}b"),
            *("http://h/a b", "http://h /", "http://h\n", "http://h\t/", "http://h/\0", "http://ä", "http://-a"),
            *("http://h:0", "http://h:65536", "http://h:x", "http://[::1", "http://[fe80::1%25eth0]", "http://[v1.x]"),
            *("http://u:p@h", "http://h/?a=b", "http://h/#a", f"http://h/{'a' * 2048}"),
        )
    },
}


@pytest.mark.parametrize("what", UNREADABLE)
def test_bytes_that_are_no_document_are_refused_with_one_error(what: str) -> None:
    for read in (documents.parse, documents.parse_all):
        with pytest.raises(InvalidRoutesError):
            read(UNREADABLE[what], ENGINES)


@pytest.mark.parametrize("what", REFUSED)
def test_what_could_hurt_later_is_refused_at_reading(what: str) -> None:
    with pytest.raises(InvalidRoutesError):
        documents.parse(json.dumps(REFUSED[what]), ENGINES)


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:8000", "https://h/v1", "http://[::1]:8000/", "http://a_b.c.", "http://localhost", "http://1"],
)
def test_urls_of_a_desk_are_read(url: str) -> None:
    assert documents.parse(json.dumps(backed(url=url)), ENGINES).models[0].backends[0].url == url


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(st.binary() | st.text() | JSON.map(json.dumps))
def test_whatever_the_bytes_are_there_is_one_kind_of_error(data: bytes | str) -> None:
    try:
        documents.parse(data, ENGINES)
        documents.parse_all(data, ENGINES)
    except InvalidRoutesError:
        pass


@given(
    st.builds(
        "{}://{}{}{}".format,
        st.sampled_from(["http", "https"]),
        st.text() | st.from_regex(r"[a-zA-Z0-9._\-\[\]:%@]*", fullmatch=True),
        st.just("") | st.integers(-1, 70_000).map(":{}".format),
        st.just("") | st.text().map("/{}".format),
    )
)
def test_a_url_that_is_read_can_be_resolved_connected_to_and_asked(url: str) -> None:
    if objection_to_url(url) is not None:
        return
    base = BaseUrl(url)
    base.head(ClientRequest(method="GET", path="/health"))
    base.place.host.encode("idna")
    assert 0 < base.place.port < 65536


def test_the_recursion_limit_is_what_it_was() -> None:
    """A document that is too deep is refused by the limit, which nothing here may raise."""
    assert sys.getrecursionlimit() < DEEP


def test_parameters_are_told_as_options() -> None:
    said = {"temperature": 0, "top_k": 20, "stop": ["a"], "of_a_later_version": 1}
    (model,) = documents.parse(json.dumps(document(models=[{"name": "m", "parameters": said}])), ENGINES).models
    assert model.parameters is not None
    assert model.parameters.as_options() == {"temperature": 0, "top_k": 20, "stop": ["a"]}
    (bare,) = documents.parse(json.dumps(document(models=[{"name": "m"}])), ENGINES).models
    assert bare.parameters is None
