"""A text ends where one search through the whole of it finds the first stop string, however it is cut."""

import json
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelpool_sidecar.translation import Translation
from modelpool_sidecar.translation.stopping_reply import StoppingReply
from modelpool_sidecar.translation.stops import StopSearch

from .asking import TIMINGS, chat, exchange, prompt

STOPS = st.lists(st.text("ab.\né", min_size=1, max_size=6), min_size=1, max_size=12)
TEXTS = st.text("ab.\né", max_size=60)
CUTS = st.lists(st.integers(0, 60), max_size=12)


def searched(text: str, stops: Iterable[str]) -> tuple[str, bool]:
    """One search: the text before the first stop, and whether there is one."""
    found = [text.find(stop) for stop in stops if stop in text]
    return (text[: min(found)], True) if found else (text, False)


def pieces_of(text: str, cuts: list[int]) -> list[str]:
    ends = sorted({min(cut, len(text)) for cut in cuts} | {len(text)})
    return [text[begin:end] for begin, end in zip([0, *ends], ends, strict=False) if end > begin]


@given(TEXTS, STOPS, CUTS)
def test_any_cutting_stops_where_one_search_would(text: str, stops: list[str], cuts: list[int]) -> None:
    search = StopSearch(stops)
    told = ""
    for piece in pieces_of(text, cuts):
        told += search.take(piece)
        assert text.startswith(told)
        if search.met:
            break
    else:
        told += search.rest()
    assert (told, search.met) == searched(text, stops)


@given(TEXTS, STOPS)
def test_no_more_is_held_back_than_may_be_the_beginning_of_a_stop(text: str, stops: list[str]) -> None:
    search = StopSearch(stops)
    told = ""
    for taken, character in enumerate(text, start=1):
        told += search.take(character)
        if search.met:
            return
        held = text[len(told) : taken]
        assert not held or any(len(held) < len(stop) and stop.startswith(held) for stop in stops)


def event(**delta: object) -> bytes:
    counts = {"prompt_tokens": 3, "completion_tokens": delta.pop("count", 1)}
    choice = {"index": 0, "delta": delta, "finish_reason": None}
    return b"data: " + json.dumps({"choices": [choice], "usage": counts}).encode() + b"\n\n"


def end(reason: str) -> bytes:
    return (
        b"data: %b\n\ndata: [DONE]\n\n"
        % json.dumps({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}).encode()
    )


@given(st.text("ab.é", max_size=60), TEXTS, STOPS, CUTS, CUTS, st.booleans())
def test_an_answer_stops_so_in_its_text_and_in_its_thinking(
    thought: str, text: str, stops: list[str], cuts: list[int], wire: list[int], stream: bool
) -> None:
    """However the engine cuts its events, and the network its bytes. White space between the two is of neither."""
    given_stops = [*stops, "never1", "never2", "never3", "never4"]
    made = exchange(Translation.CHAT, chat(stream=stream, options={"stop": given_stops}))
    reply = made.open(TIMINGS)
    assert isinstance(reply, StoppingReply)
    events = [event(reasoning=piece) for piece in pieces_of(thought, cuts)]
    events += [event(content=piece) for piece in pieces_of(text, cuts)]
    raw = b"".join([*events, end("stop")])
    places = sorted({min(place * 40, len(raw)) for place in wire} | {len(raw)})
    out = b""
    for begin, stop in zip([0, *places], places, strict=False):
        out += reply.feed(raw[begin:stop], 10_000)
        if reply.over:
            break
    out += reply.close(20_000) if stream else reply.answer(20_000).body
    lines = [json.loads(line) for line in out.splitlines()]
    shown_thought, met = searched(thought, stops)
    shown, met_later = ("", False) if met else searched(text.lstrip() if thought else text, stops)
    assert "".join(line["message"].get("thinking", "") for line in lines) == shown_thought
    assert "".join(line["message"]["content"] for line in lines) == shown
    assert (lines[-1]["done"], lines[-1]["done_reason"]) == (True, "stop")
    assert sum(line["done"] for line in lines) == 1
    assert met or met_later or not reply.cut_short


def test_the_engine_is_let_go_and_its_counts_are_told() -> None:
    reply = exchange(Translation.GENERATE, prompt(options={"stop": ["END", "#1", "#2", "#3", "#4"]})).open(TIMINGS)
    assert isinstance(reply, StoppingReply)
    assert b"one " in reply.feed(event(content="one ", count=1), 10_000)
    assert reply.feed(event(content="E", count=2), 11_000) == b""
    last = json.loads(reply.feed(event(content="ND two", count=3), 12_000))
    assert (reply.over, reply.cut_short) == (True, True)
    assert (last["done_reason"], last["prompt_eval_count"], last["eval_count"]) == ("stop", 3, 3)
    assert reply.close(13_000) == b""


def test_what_only_looked_like_a_stop_comes_with_the_end() -> None:
    reply = exchange(Translation.CHAT, chat(options={"stop": ["END", "#1", "#2", "#3", "#4"]})).open(TIMINGS)
    assert reply.feed(event(content="EN"), 10_000) == b""
    lines = [json.loads(line) for line in reply.feed(end("length"), 11_000).splitlines()]
    assert [line["message"]["content"] for line in lines] == ["EN", ""]
    assert lines[-1]["done_reason"] == "length"


def test_a_tool_call_ends_a_text_and_is_whole() -> None:
    reply = exchange(Translation.CHAT, chat(options={"stop": ["END", "#1", "#2", "#3", "#4"]})).open(TIMINGS)
    call = {"index": 0, "id": "x", "function": {"name": "f", "arguments": '{"a":"END"}'}}
    reply.feed(event(content="E"), 10_000)
    lines = [json.loads(line) for line in reply.feed(event(tool_calls=[call]) + end("tool_calls"), 11_000).splitlines()]
    assert lines[0]["message"]["content"] == "E"
    assert lines[1]["message"]["tool_calls"][0]["function"]["arguments"] == {"a": "END"}


@pytest.mark.parametrize("stream", [True, False])
def test_probabilities_come_with_what_is_shown(stream: bool) -> None:
    asked = chat(stream=stream, logprobs=True, options={"stop": ["END", "#1", "#2", "#3", "#4"]})
    reply = exchange(Translation.CHAT, asked).open(TIMINGS)
    out = b""
    for token in ("one", "E", "N", "!", "END"):
        content = [{"token": token, "logprob": -0.5, "bytes": list(token.encode()), "top_logprobs": []}]
        chosen = {"index": 0, "delta": {"content": token}, "finish_reason": None, "logprobs": {"content": content}}
        out += reply.feed(b"data: " + json.dumps({"choices": [chosen]}).encode() + b"\n\n", 10_000)
    out += reply.close(20_000) if stream else reply.answer(20_000).body
    lines = [json.loads(line) for line in out.splitlines()]
    assert [one["token"] for line in lines for one in line.get("logprobs", ())] == ["one", "E", "N", "!"]
