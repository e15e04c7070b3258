import json
import math
from typing import Any

import pytest

from modelpool_sidecar.dialects.body_facts import BodyFacts, facts_of
from modelpool_sidecar.dialects.dialect import Dialect, Operation
from modelpool_sidecar.http.errors import BadRequestError

from . import recordings

CHAT = Operation.CHAT
OLLAMA = Dialect.OLLAMA


def head(body: Any, dialect: Dialect = OLLAMA, operation: Operation = CHAT) -> BodyFacts:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return facts_of(raw, dialect, operation)


@pytest.mark.parametrize(
    ("dialect", "operation", "asked", "want"),
    [
        (Dialect.OLLAMA, Operation.CHAT, {}, True),
        (Dialect.OLLAMA, Operation.GENERATE, {}, True),
        (Dialect.OLLAMA, Operation.CHAT, {"stream": False}, False),
        (Dialect.OLLAMA, Operation.CHAT, {"stream": None}, True),
        (Dialect.OLLAMA, Operation.EMBED, {}, False),
        (Dialect.OPENAI, Operation.CHAT, {}, False),
        (Dialect.OPENAI, Operation.CHAT, {"stream": True}, True),
        (Dialect.ANTHROPIC, Operation.CHAT, {}, False),
    ],
)
def test_stream_defaults_to_what_the_dialect_does(
    dialect: Dialect, operation: Operation, asked: dict[str, Any], want: bool
) -> None:
    assert head({"model": "m", **asked}, dialect, operation).stream is want


@pytest.mark.parametrize(
    "message",
    [
        {"role": "user", "content": "x", "images": ["aGk="]},
        {
            "role": "user",
            "content": [{"type": "text", "text": "x"}, {"type": "image_url", "image_url": {"url": "data:"}}],
        },
        {"role": "user", "content": [{"type": "image", "source": {}}]},
    ],
)
def test_images_are_seen_in_every_dialect(message: dict[str, Any]) -> None:
    found = head({"model": "m", "messages": [{"role": "system", "content": "s"}, message]})
    assert found.images


def test_images_are_seen_beside_a_prompt_and_in_a_response_input() -> None:
    assert head({"model": "m", "prompt": "p", "images": ["aGk="]}, OLLAMA, Operation.GENERATE).images
    said = {"role": "user", "content": [{"type": "input_image", "image_url": "data:"}]}
    assert head({"model": "m", "input": [said]}, Dialect.OPENAI, Operation.RESPONSES).images


@pytest.mark.parametrize("empty", [[], None])
def test_nothing_is_not_an_image_or_a_tool(empty: Any) -> None:
    found = head({"model": "m", "images": empty, "tools": empty, "messages": empty})
    assert (found.images, found.tools) == (False, False)


def test_tools_are_seen() -> None:
    assert head({"model": "m", "tools": [{"type": "function"}]}).tools


@pytest.mark.parametrize(
    ("asked", "want"),
    [
        ({}, None),
        ({"think": None}, None),
        ({"think": True}, True),
        ({"think": "low"}, True),
        ({"think": False}, False),
        ({"reasoning_effort": "high"}, True),
        ({"reasoning_effort": "none"}, False),
        ({"thinking": {"type": "enabled", "budget_tokens": 5}}, True),
        ({"thinking": {"type": "disabled"}}, False),
    ],
)
def test_thinking(asked: dict[str, Any], want: bool | None) -> None:
    assert head({"model": "m", **asked}).thinking is want


@pytest.mark.parametrize(("value", "want"), [("5m", 300), (0, 0), (-1, math.inf), (None, None)])
def test_keep_alive(value: Any, want: float | None) -> None:
    assert head({"model": "m", "keep_alive": value}).keep_alive_s == want


def test_keep_alive_is_ollamas_alone() -> None:
    with pytest.raises(BadRequestError, match="invalid duration"):
        head({"model": "m", "keep_alive": "long"})
    assert head({"model": "m", "keep_alive": {"whatever": 1}}, Dialect.OPENAI).keep_alive_s is None


def test_show_takes_the_older_key_too() -> None:
    assert head({"name": "m"}, OLLAMA, Operation.SHOW_MODEL).model == "m"
    with pytest.raises(BadRequestError, match="model is required"):
        head({"name": "m"})


@pytest.mark.parametrize(
    "name",
    ["57-err-bad-json", "58-err-empty-body", "59-err-missing-model"],
)
def test_gross_mistakes_are_worded_as_by_ollama(name: str) -> None:
    recorded = recordings.load(f"ollama/{name}")
    with pytest.raises(BadRequestError) as caught:
        head(recorded.request)
    assert {"error": caught.value.message} == recorded.document
    assert caught.value.status == recorded.status


@pytest.mark.parametrize(
    ("body", "want"),
    [
        (b"hello", "invalid character 'h' looking for beginning of value"),
        (b'{"model":"a"} x', "invalid character after top-level value"),
        (b"[]", "json: cannot unmarshal array into Go value of type api.ChatRequest"),
        (b'{"model":5}', "json: cannot unmarshal number into Go struct field ChatRequest.model of type string"),
        (
            b'{"model":"m","stream":"no"}',
            "json: cannot unmarshal string into Go struct field ChatRequest.stream of type bool",
        ),
        (b'{"model":"\xff"}', "the request body is not valid UTF-8"),
        (b'{"model":"m","x":' + b"[" * 100_000, "the request body is nested too deeply"),
        (b'{"model":""}', "model is required"),
        (b'{"model":null}', "model is required"),
        (b"  \n", "missing request body"),
    ],
)
def test_what_cannot_be_read_is_refused(body: bytes, want: str) -> None:
    with pytest.raises(BadRequestError) as caught:
        head(body)
    assert caught.value.message == want
    assert caught.value.status == 400


@pytest.mark.parametrize("messages", ["hi", 5, {"a": 1}, [1, "x"], [{"content": 5}], [{"content": [1]}]])
def test_mistakes_inside_are_left_to_the_engine(messages: Any) -> None:
    assert head({"model": "m", "messages": messages}, Dialect.OPENAI).model == "m"


@pytest.mark.parametrize("value", [b"1" * 400, b"1" * 5000, b'"' + b"1h" * 600 + b'"', b'"' + b"x" * 5000 + b'"'])
def test_a_keep_alive_beyond_reason_is_the_callers_fault(value: bytes) -> None:
    with pytest.raises(BadRequestError) as caught:
        facts_of(b'{"model":"m","keep_alive":' + value + b"}", Dialect.OLLAMA, Operation.CHAT)
    assert len(str(caught.value)) < 300


def test_a_name_beyond_reason_is_cut_where_it_is_told_back() -> None:
    assert facts_of(b'{"model":"' + b"m" * 1024 + b'"}', Dialect.OPENAI, Operation.CHAT).model == "m" * 1024
    with pytest.raises(BadRequestError, match=r"^invalid model name: m{200}… \(1025 characters\)$"):
        facts_of(b'{"model":"' + b"m" * 1025 + b'"}', Dialect.OPENAI, Operation.CHAT)


def test_one_wrong_part_hides_no_image() -> None:
    many = b'{"content":[1,"x",null,{"type":3},{"type":"text"},[{}]]},' * 100
    body = b'{"model":"m","messages":[%b{"content":[{"type":"image_url"}]}]}'
    assert facts_of(body % many, Dialect.OPENAI, Operation.CHAT).images
    assert not facts_of(body.replace(b"image_url", b"text") % many, Dialect.OPENAI, Operation.CHAT).images
