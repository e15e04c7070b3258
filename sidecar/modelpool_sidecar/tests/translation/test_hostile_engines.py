"""Whatever comes in, from either side, comes out as an answer or as a typed fault, never as a crash."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelpool_sidecar.dialects import sse
from modelpool_sidecar.dialects.body_facts import facts_of
from modelpool_sidecar.dialects.dialect import Dialect, Operation
from modelpool_sidecar.dialects.errors import EngineError
from modelpool_sidecar.http.errors import BadRequestError
from modelpool_sidecar.translation import Translation, translate

from ..dialects.cutting import QUICK
from .asking import BACKEND, EPOCH, TIMINGS, chat, exchange

WRONG: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, 0, -1, 1.5, "", "x", "\u2028", [], [None], [[]], {}, {"a": {}}, 2**63, 1e308]
)


def objects(fields: str, inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Objects with some of these fields, each holding what it should or something else."""
    names = st.lists(st.tuples(st.sampled_from(fields.split()), inner | WRONG), max_size=5)
    return names.map(dict)


TEXT = st.sampled_from(["", "x", "{}", '{"a":1}', "iVBORw0KGgo=", "tool", "json", "5m"])
FUNCTION = objects("name arguments", TEXT)
CALL = objects("id index function", FUNCTION | st.integers(0, 3))
MESSAGE = objects("role content thinking images tool_calls tool_name tool_call_id", TEXT | st.lists(CALL, max_size=3))
BODY = objects(
    "messages prompt input system suffix raw images tools options format think stream keep_alive logprobs top_logprobs",
    st.lists(MESSAGE, max_size=3) | TEXT | st.booleans(),
)
DELTA = objects("role content reasoning reasoning_content tool_calls", TEXT | st.lists(CALL, max_size=3))
CHOICE = objects("index delta message text finish_reason logprobs", DELTA | st.sampled_from(["stop", "abort", 0]))
CHUNK = objects("choices usage error", st.lists(CHOICE, max_size=2))


@given(body=BODY)
@QUICK
@pytest.mark.parametrize("call", Translation)
def test_any_request_is_translated_or_refused(call: Translation, body: dict[str, Any]) -> None:
    text = json.dumps({"model": "m", **body}).encode()
    try:
        made = translate(call, text, BACKEND, epoch_ns=EPOCH)
    except BadRequestError as error:
        assert error.message
    else:
        json.loads(made.body)


@given(body=BODY | st.binary())
@QUICK
@pytest.mark.parametrize("dialect", Dialect)
def test_any_head_is_read_or_refused(dialect: Dialect, body: dict[str, Any] | bytes) -> None:
    text = body if isinstance(body, bytes) else json.dumps({"model": "m", **body}).encode()
    try:
        found = facts_of(text, dialect, Operation.CHAT)
    except BadRequestError as error:
        assert error.message
    else:
        assert found.model


@given(events=st.lists(CHUNK, max_size=5), tail=st.binary(max_size=20))
@QUICK
@pytest.mark.parametrize("stream", [True, False])
def test_any_stream_becomes_lines_or_a_fault(stream: bool, events: list[dict[str, Any]], tail: bytes) -> None:
    reply = exchange(Translation.CHAT, chat(stream=stream)).open(TIMINGS)
    body = b"".join(sse.encode(json.dumps(event).encode()) for event in events) + tail
    try:
        given = reply.feed(body, TIMINGS.dispatched_ns)
        given += reply.close(TIMINGS.dispatched_ns) if stream else reply.answer(TIMINGS.dispatched_ns).body
    except EngineError as error:
        assert error.message
    else:
        lines = [json.loads(line) for line in given.splitlines()]
        assert lines
        assert "error" in lines[-1] or lines[-1]["done"]
