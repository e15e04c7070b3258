"""Events that are like those before are read in a shorter way, and say the same in it, however the network cut them."""

import json
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelpool_sidecar.dialects import sse
from modelpool_sidecar.dialects.errors import EngineError
from modelpool_sidecar.translation import Reply, Translation, engine_chunks, repeated_chunks
from modelpool_sidecar.translation.repeated_chunks import Pattern

from ..compiled import patches_what_is_compiled
from ..dialects import recordings
from ..dialects.cutting import CUTS, bytewise, pieces
from .asking import DISPATCHED, TIMINGS, chat, exchange, prompt

CHAT, GENERATE = Translation.CHAT, Translation.GENERATE
ENDING = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
THOROUGH = settings(max_examples=120, deadline=None)


def event(delta: dict[str, Any], **others: Any) -> bytes:
    """As vLLM writes it: compact, and what is not ASCII as it is."""
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": None, "token_ids": None, **others}
    return sse.encode(json.dumps({"id": "x", "choices": [choice]}, separators=(",", ":"), ensure_ascii=False).encode())


def said(text: str) -> bytes:
    return event({"content": text})


def learnt(raw: bytes) -> Pattern:
    data = raw.removeprefix(b"data: ").removesuffix(b"\n\n")
    pattern = repeated_chunks.learn(data, engine_chunks.decode(data))
    assert pattern is not None
    return pattern


def outcome(reply: Reply, cut: Iterable[bytes], *, stream: bool) -> list[object]:
    """All that can be seen of a reply, piece by piece."""
    seen: list[object] = []
    now = DISPATCHED
    try:
        for piece in cut:
            now += 123_456_789
            seen.append(reply.feed(piece, now))
        seen.append(reply.close(now) if stream else reply.answer(now))
    except EngineError as fault:
        seen.append((fault.status, fault.message))
    return [*seen, reply.usage, reply.first_ns, reply.failed]


TEXT = st.sampled_from(
    ["", " ", "a", " token", "\n", '"', "\\", '"}', "<&>", "\u2028", "é", "\U0001f600", "~" * 300, '","content":"x']
)
NAMES = st.sampled_from(["content", "reasoning", "reasoning_content"])
CALLS = st.just([{"index": 0, "id": "chatcmpl-tool-1", "function": {"name": "f", "arguments": "{}"}}])
DELTA = (
    st.dictionaries(NAMES, TEXT, min_size=1, max_size=1)
    | st.fixed_dictionaries({"content": TEXT})
    | st.dictionaries(st.just("tool_calls"), CALLS, min_size=1)
    | st.dictionaries(NAMES, TEXT)
)
OTHERS = st.sampled_from(
    [
        *[{}] * 6,
        {"index": 1},
        {"finish_reason": "stop"},
        {"finish_reason": "abort"},
        {"stop_reason": None},
        {"logprobs": {"content": [{"token": "a", "logprob": -0.5}]}},
    ]
)
EVENT = (
    st.builds(said, TEXT)
    | st.builds(lambda delta, others: event(delta, **others), DELTA, OTHERS)
    | st.builds(lambda text: said(text).replace(b"\n", b"\r\n"), TEXT)
    | st.builds(lambda text: said(text).replace(b',"logprobs"', b',\ndata: "logprobs"'), TEXT)
    | st.sampled_from(
        [
            b": a comment\n\n",
            b"event: message\n",
            b"data: [DONE]\n\n",
            b'data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2}}\n\n',
            b'data: {"error":{"message":"gone"}}\n\n',
            b'data: {"choices":[{"index":0,"text":"t"}]}\n\n',
            said("a").replace(b'"a"', b'"\xff"'),
            said("a").replace(b'"a"', b'"\\ud800"'),
            said("a").replace(b'"a"', b'"b\\"'),
            said("a").replace(b'"content"', b'"content":"b","content"'),
            said("a").replace(b'"a"', b'"a"]'),
            said("a").rstrip(b"\n"),
        ]
    )
)
THINK = st.sampled_from([None, True, False])


@patches_what_is_compiled
@given(events=st.lists(EVENT, max_size=8), cuts=CUTS, think=THINK)
@THOROUGH
@pytest.mark.parametrize(("call", "stream"), [(CHAT, True), (CHAT, False), (GENERATE, True)])
def test_the_shorter_way_says_the_same(
    call: Translation, stream: bool, events: list[bytes], cuts: list[int], think: bool | None
) -> None:
    body = b"".join(events) + ENDING
    asked = (chat if call is CHAT else prompt)(stream=stream, think=think)
    for cut in (list(pieces(body, cuts)), [*events, ENDING]):
        found = outcome(exchange(call, asked).open(TIMINGS), cut, stream=stream)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(repeated_chunks, "learn", lambda *_: None)
            want = outcome(exchange(call, asked).open(TIMINGS), cut, stream=stream)
        assert found == want


@patches_what_is_compiled
@pytest.mark.parametrize("name", ["12-chat-stream-usage", "25-chat-reasoning-parser-stream", "14-chat-logprobs"])
def test_recorded_streams_read_the_same_byte_by_byte(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    body = recordings.load(f"vllm/{name}").body
    found = outcome(exchange(CHAT, chat()).open(TIMINGS), bytewise(body), stream=True)
    monkeypatch.setattr(repeated_chunks, "learn", lambda *_: None)
    assert found == outcome(exchange(CHAT, chat()).open(TIMINGS), bytewise(body), stream=True)


def test_a_recorded_stream_is_decoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    events = [data + b"\n\n" for data in recordings.load("vllm/12-chat-stream-usage").body.split(b"\n\n") if data]
    texts = [one for one in events if b'"delta":{"content":"AT"}' in one and b'"finish_reason":null' in one]
    assert len(texts) > 3
    decoded: list[bytes] = []

    def decode(data: bytes) -> engine_chunks.Chunk:
        decoded.append(data)
        return whole(data)

    whole = engine_chunks.decode
    monkeypatch.setattr(engine_chunks, "decode", decode)
    reply = exchange(CHAT, chat()).open(TIMINGS)
    lines = [json.loads(reply.feed(one, DISPATCHED)) for one in texts]
    assert [line["message"]["content"] for line in lines] == ["AT"] * len(texts)
    assert len(decoded) == 2  # the first, and the proof that it says nothing but its text


@pytest.mark.parametrize(
    ("raw", "thought"),
    [
        (said("a"), False),
        (event({"content": None, "reasoning": "a"}), True),
        (event({"reasoning_content": "a"}), True),
        (event({"content": "a", "tool_calls": []}), False),
        (sse.encode(b'{"choices":[{"index":0,"text":"a"}]}'), False),
    ],
)
def test_a_text_alone_is_a_pattern(raw: bytes, thought: bool) -> None:
    pattern = learnt(raw)
    other = raw.replace(b'"a"', rb'"\"b\n"')
    assert pattern.thought is thought
    assert pattern.texts(other) == (('"b\n',), b"")
    assert pattern.texts(raw + other + b"data: x") == (("a", '"b\n'), b"data: x")
    assert pattern.text(other[6:-2]) == '"b\n'


@pytest.mark.parametrize("text", ["a", " token", "~" * 300, "[DONE]", "}]}"])
def test_a_plain_text_is_found_as_it_stands(text: str) -> None:
    pattern = learnt(said("a"))
    assert pattern.plain(said(text)) == (text.encode() if len(text) < 100 else None)  # long ones may be several
    assert pattern.plains(said(text)) == ([text.encode()], b"")
    assert pattern.plains(said(text) + said("b") + b"data: x") == ([text.encode(), b"b"], b"data: x")


@pytest.mark.parametrize("text", ["", '"', "\\", "\n", "<", "\u2028", "é", "\x00", "\x01"])
def test_what_go_would_spell_otherwise_is_not_plain(text: str) -> None:
    pattern = learnt(said("a"))
    assert pattern.plain(said(text)) is None
    assert pattern.plain(said(text).replace(b'""', b'"')) is None
    assert pattern.plains(said("a") + said(text) + said("a")) is None


@pytest.mark.parametrize(
    "data",
    [
        event({"content": "a"}, finish_reason="stop"),
        event({"content": "a"}, logprobs={"content": []}),
        event({"content": "a"}, index=1),
        event({"content": "a", "reasoning": "b"}),
        event({"content": ""}),
        event({"content": "a", "tool_calls": [{"index": 0}]}),
        sse.encode(b'{"choices":[{"index":0,"delta":{"content":"a"}}],"usage":{"prompt_tokens":1}}'),
        sse.encode(b'{"choices":[{"delta":{"content":"a"}},{"delta":{"content":"a"}}]}'),
    ],
)
def test_what_says_more_is_no_pattern(data: bytes) -> None:
    data = data.removeprefix(b"data: ").removesuffix(b"\n\n")
    assert repeated_chunks.learn(data, engine_chunks.decode(data)) is None


def test_the_text_is_found_among_its_likes() -> None:
    """The first string of that name is another model's, and a repeated name counts by its last value."""
    data = b'{"other":{"content":"a"},"choices":[{"delta":{"content":"a","content":"a"}}]}'
    pattern = repeated_chunks.learn(data, engine_chunks.decode(data))
    assert pattern is not None
    assert pattern.text(data[:-5] + b"!" + data[-5:]) == "a!"


@pytest.mark.parametrize("raw", [b"", b"data: ", said("a")[:-1], said("a").replace(b'"a"', b'"a\n"'), b" " + said("a")])
def test_what_differs_is_left(raw: bytes) -> None:
    assert learnt(said("a")).texts(raw) == ((), raw)


@patches_what_is_compiled
def test_a_stream_that_changes_its_form_each_time_is_learnt_a_few_times(monkeypatch: pytest.MonkeyPatch) -> None:
    learnt = 0

    def learn(data: bytes, chunk: engine_chunks.Chunk) -> Pattern | None:
        nonlocal learnt
        learnt += 1
        return known(data, chunk)

    known = repeated_chunks.learn
    monkeypatch.setattr(repeated_chunks, "learn", learn)
    reply = exchange(CHAT, chat()).open(TIMINGS)
    for number in range(100):
        assert reply.feed(said("a").replace(b'"x"', b"%d" % number), DISPATCHED)
    assert 1 < learnt < 20
