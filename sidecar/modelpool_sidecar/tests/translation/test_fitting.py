"""Calls that do not fit the context: what is put to the engine in their place."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelpool_sidecar.dialects.answer import Answer
from modelpool_sidecar.translation import Backend, Exchange, Fitting, Translation, lengths, ollama_requests, turns
from modelpool_sidecar.translation.fitting import Count
from modelpool_sidecar.translation.lengths import Overflow

from ..dialects import recordings
from .asking import chat, prompt
from .counting_engine import CountingEngine, body_of

CHAT, GENERATE = Translation.CHAT, Translation.GENERATE
PIXEL = "iVBORw0KGgo="
WORDS = st.text("abc dé", min_size=1, max_size=120)
CALL = {"function": {"name": "f", "arguments": {"a": 1}}}


@st.composite
def turns_of(draw: st.DrawFn) -> list[dict[str, Any]]:
    """A question, perhaps with images or told by the system, and what came of it."""
    out: list[dict[str, Any]] = []
    if draw(st.booleans()):
        out.append({"role": "system", "content": draw(WORDS)})
    images = {"images": [PIXEL] * draw(st.integers(1, 2))} if draw(st.booleans()) else {}
    out.append({"role": "user", "content": draw(WORDS), **images})
    for _ in range(draw(st.integers(0, 2))):
        calls = draw(st.integers(1, 3))
        out.append({"role": "assistant", "content": "", "tool_calls": [CALL] * calls})
        out += [{"role": "tool", "content": draw(WORDS), "tool_name": "f"}] * calls
    if draw(st.booleans()):
        out.append({"role": "assistant", "content": draw(WORDS)})
    return out


HISTORIES = st.lists(turns_of(), min_size=1, max_size=12).map(lambda parts: [one for part in parts for one in part])


def tagged(history: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each message says its place, so that it is known again."""
    return [{**one, "content": f"{place}: {one['content']}"} for place, one in enumerate(history)]


def places(sent: list[dict[str, Any]]) -> list[int]:
    texts = [one["content"] if isinstance(one["content"], str) else one["content"][0]["text"] for one in sent]
    return [int(text.partition(":")[0]) for text in texts]


@given(
    HISTORIES,
    st.integers(40, 1500),
    st.booleans(),
    st.sampled_from([0, 0, 25]),
    st.one_of(st.none(), st.integers(1, 3000)),
    st.booleans(),
)
def test_what_is_kept_is_a_suffix_of_turns_with_its_system_messages_and_fits(
    history: list[dict[str, Any]], context: int, bounds: bool, image_tokens: int, num_predict: int | None, known: bool
) -> None:
    history = tagged(history)
    engine = CountingEngine(context=context, bounds=bounds, image_tokens=image_tokens)
    options = {} if num_predict is None else {"num_predict": num_predict}
    backend = Backend(model="m", context_length=context if known else None)
    got, fitting = engine.put(CHAT, chat(messages=history, options=options), backend)
    assert engine.counted <= 20
    assert len(engine.asked) <= 8
    if got is None:
        assert image_tokens  # what a count does not know, the engine may refuse until it is believed
        return
    messages = [ollama_requests.Message(**one) for one in history]
    if isinstance(got, Answer):
        assert got.status == 400
        last = turns.beginnings(messages)[-1]
        left = [history[place] for place in turns.kept(messages, last)]
        assert engine.tokens({"messages": wire(left)}) + image_tokens * 40 >= context
        return
    sent = engine.asked[-1]
    kept = places(sent["messages"])
    dropped = set(range(len(history))) - set(kept)
    begin = max(dropped, default=-1) + 1
    while dropped and history[begin]["role"] == "system":  # kept for what it is, wherever it stands
        begin += 1
    systems = [place for place in range(begin) if history[place]["role"] == "system"]
    assert kept == [*systems, *range(begin, len(history))]
    assert begin == 0 or history[begin]["role"] != "tool"
    assert len(history) - 1 in kept
    assert (fitting is not None and fitting.shortened) is (len(kept) < len(history))
    assert any("left out" in one for one in got.warnings) is (len(kept) < len(history))
    # The newest that fit: with one turn more it would not have, or there would be no room for an answer.
    begins = turns.beginnings(messages)
    if begin and not image_tokens:
        more = turns.kept(messages, begins[begins.index(begin) - 1])
        room = min(1024, context // 4, num_predict or 1024)
        assert engine.tokens({"messages": wire([history[place] for place in more])}) > context - room


def wire(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The contents as vLLM gets them."""
    url = {"url": f"data:image/png;base64,{PIXEL}"}
    return [
        {
            "content": [
                {"type": "text", "text": one["content"]},
                *[{"type": "image_url", "image_url": url}] * len(one["images"]),
            ]
            if one.get("images")
            else one["content"]
        }
        for one in messages
    ]


@given(HISTORIES)
def test_a_conversation_begins_with_a_question_or_within_the_last_turn(history: list[dict[str, Any]]) -> None:
    messages = [ollama_requests.Message(**{**one, "tool_calls": None}) for one in history]
    for message, one in zip(messages, history, strict=True):
        message.tool_calls = [ollama_requests.ToolCall()] if one.get("tool_calls") else None
    last = max(place for place, one in enumerate(history) if one["role"] == "user")
    begins = turns.beginnings(messages)
    assert begins == sorted(set(begins))
    for begin in begins[1:]:
        assert history[begin]["role"] == "user" or (begin > last and history[begin]["role"] == "assistant")


def test_answers_of_tools_that_nobody_called_may_begin() -> None:
    messages = [ollama_requests.Message(role=role) for role in ("user", "tool", "tool")]
    assert turns.beginnings(messages) == [0, 1, 2]


def long_chat(count: int, **more: Any) -> dict[str, Any]:
    said = [{"role": "user" if place % 2 == 0 else "assistant", "content": "x" * 180} for place in range(count)]
    return chat(messages=[{"role": "system", "content": "be"}, *said], **more)


def test_a_conversation_of_forty_turns_costs_a_few_counts() -> None:
    engine = CountingEngine(context=2048)
    got, _ = engine.put(CHAT, long_chat(81), Backend(model="m", context_length=2048))
    assert isinstance(got, Exchange)
    assert (len(engine.asked), engine.counted <= 5) == (2, True), engine.counted
    assert got.warnings == ("68 of 82 messages were left out, the oldest first: the context holds 2048 tokens",)


@pytest.mark.parametrize("bounds", [True, False])
def test_a_bound_beyond_the_room_is_left_out(bounds: bool) -> None:
    engine = CountingEngine(context=4096, bounds=bounds)
    got, fitting = engine.put(CHAT, chat(options={"num_predict": 4090}), Backend(model="m"))
    assert isinstance(got, Exchange)
    assert ("max_tokens" in engine.asked[-1]) is bounds
    assert bool(got.warnings) is not bounds
    assert (engine.counted, fitting is None or not fitting.shortened) == (0, True)


def test_a_bound_that_fits_a_shortened_conversation_stays() -> None:
    engine = CountingEngine(context=2048)
    engine.put(CHAT, long_chat(81, options={"num_predict": 100}), Backend(model="m"))
    assert engine.asked[-1]["max_tokens"] == 100


def test_a_raw_prompt_without_room_for_its_bound_is_completed_to_the_end() -> None:
    engine = CountingEngine(context=512)
    for options in ({"num_predict": 500}, {}):
        raw = prompt(raw=True, options=options) | {"prompt": "x" * 900}
        got, _ = engine.put(GENERATE, raw, Backend(model="m", context_length=512))
        assert isinstance(got, Exchange)
        assert (got.path, engine.asked[-1]["max_tokens"]) == ("/v1/completions", None)
        assert bool(got.warnings) is bool(options)


@pytest.mark.parametrize(
    ("call", "body", "tokens"),
    [
        (CHAT, chat(messages=[{"role": "user", "content": "x" * 9000}]), 4521),
        (CHAT, long_chat(81, truncate=False), 8203),
        (GENERATE, prompt() | {"prompt": "x" * 9000}, 4521),
        (GENERATE, prompt(raw=True) | {"prompt": "x" * 9000}, 4501),
    ],
)
def test_what_cannot_be_cut_is_refused_in_ollamas_words(call: Translation, body: dict[str, Any], tokens: int) -> None:
    engine = CountingEngine(context=2048)
    got, _ = engine.put(call, body, Backend(model="m"))
    assert isinstance(got, Answer)
    want = recordings.load("ollama/66-err-long-prompt-truncate-false")
    ours, theirs = (json.loads(json.loads(one)["error"])["error"] for one in (got.body, want.body))
    assert (got.status, got.content_type, list(ours)) == (want.status, want.content_type, list(theirs))
    told = theirs["message"].replace("18011", str(ours["n_prompt_tokens"]))
    assert ours == {**theirs, "message": told, "n_prompt_tokens": ours["n_prompt_tokens"]}
    assert abs(ours["n_prompt_tokens"] - tokens) < 5


def test_a_prompt_that_fills_the_context_exactly_is_too_long() -> None:
    engine = CountingEngine(context=2048)
    exactly = "x" * (2 * (2048 - 20) - 2)
    got, _ = engine.put(
        CHAT, chat(messages=[{"role": "user", "content": exactly}]), Backend(model="m", context_length=2048)
    )
    assert isinstance(got, Answer)
    assert "request (2048 tokens) exceeds the available context size (2048 tokens)" in got.body.decode()
    got, _ = engine.put(CHAT, chat(messages=[{"role": "user", "content": exactly[2:]}]), Backend(model="m"))
    assert isinstance(got, Exchange)


def test_a_template_that_refuses_a_beginning_is_not_asked_to_begin_there() -> None:
    asked = {"role": "assistant", "content": "", "tool_calls": [CALL]}
    told = {"role": "tool", "content": "x" * 900, "tool_name": "f"}
    history = [{"role": "user", "content": "do"}, *[asked, told] * 6, {"role": "user", "content": "and?"}]
    engine = CountingEngine(context=2048, begins_with=frozenset({"user"}))
    got, _ = engine.put(CHAT, chat(messages=history), Backend(model="m"))
    assert isinstance(got, Exchange)
    assert [one["role"] for one in engine.asked[-1]["messages"]] == ["user"]


def test_a_template_that_refuses_every_beginning_is_not_tried_without_end() -> None:
    engine = CountingEngine(context=2048, begins_with=frozenset({"nobody"}))
    got, _ = engine.put(CHAT, long_chat(2001), Backend(model="m"))
    assert engine.counted <= 16
    assert got is None or isinstance(got, Exchange)


@pytest.mark.parametrize(
    ("status", "said"), [(404, b'{"detail":"Not Found"}'), (500, b""), (200, b"[]"), (200, b'{"x":1}')]
)
def test_where_the_engine_does_not_count_its_refusal_stands(status: int, said: bytes) -> None:
    fitting = Fitting(CHAT, json.dumps(long_chat(9)).encode(), Backend(model="m"))
    refusal = CountingEngine(context=64).refuses({"messages": [{"content": "x" * 999}]})
    assert isinstance(fitting.refused(body_of(refusal)), Count)
    assert fitting.counted(status, said) is None


def test_what_is_about_no_length_is_passed_on() -> None:
    fitting = Fitting(CHAT, json.dumps(long_chat(9)).encode(), Backend(model="m"))
    assert fitting.refused(body_of("temperature must be in [0, 2], got 3.0.")) is None


@pytest.mark.parametrize(
    ("message", "overflow", "context", "tokens"),
    [
        (recordings.load("vllm/53-err-prompt-too-long").document["error"]["message"], Overflow.PROMPT, 2048, None),
        (recordings.load("vllm/55-err-max-tokens-too-big").document["error"]["message"], Overflow.ANSWER, 2048, None),
        (
            (
                "This model's maximum context length is 4096 tokens. However, you requested 4200 tokens (200 in the "
                "messages, 4000 in the completion). Please reduce the length of the messages or completion."
            ),
            Overflow.ANSWER,
            4096,
            None,
        ),
        (
            (
                "You passed 4097 input tokens and requested 0 output tokens. However, the model's context "
                "length is only "
                "4096 tokens, resulting in a maximum input length of 4096 tokens."
            ),
            Overflow.PROMPT,
            4096,
            None,
        ),
        (
            (
                "You passed 97 input tokens and requested 4000 output tokens. However, the model's context "
                "length is only "
                "4096 tokens, resulting in a maximum input length of 96 tokens."
            ),
            Overflow.ANSWER,
            4096,
            None,
        ),
        (
            (
                "This model's maximum context length is 512 tokens. However, your prompt contains 9000 "
                "characters (more "
                "than 8192 characters, which is the upper bound for 512 input tokens)."
            ),
            Overflow.PROMPT,
            512,
            None,
        ),
        (
            "The decoder prompt (length 3000) is longer than the maximum model length of 2048. Make sure that",
            Overflow.PROMPT,
            2048,
            3000,
        ),
        (
            (
                "The decoder prompt (length 2048) plus the number of requested output tokens (at least 1) is "
                "longer than "
                "the maximum model length of 2048."
            ),
            Overflow.PROMPT,
            2048,
            2048,
        ),
        ("Input length (33) exceeds model's maximum context length (32).", Overflow.PROMPT, 32, 33),
        ("max_tokens must be at least 1, got 0. (parameter=max_tokens, value=0)", Overflow.PROMPT, None, None),
    ],
)
def test_refusals_of_many_releases(message: str, overflow: Overflow, context: int | None, tokens: int | None) -> None:
    told = lengths.read(message)
    assert told is not None
    assert (told.overflow, told.context_length, told.prompt_tokens) == (overflow, context, tokens)
