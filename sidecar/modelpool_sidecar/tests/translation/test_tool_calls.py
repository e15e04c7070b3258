"""Tool calls as vLLM streams them, imperfect as that is: what the caller gets are the calls that were meant."""

import json
import re
import time
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelpool_sidecar.dialects import sse
from modelpool_sidecar.dialects.errors import EngineError
from modelpool_sidecar.translation import Reply, Translation

from ..dialects.cutting import CUTS, pieces
from .asking import DISPATCHED, TIMINGS, chat, exchange

NOW = DISPATCHED + 100_000


def opened(**fields: Any) -> Reply:
    return exchange(Translation.CHAT, chat(**fields)).open(TIMINGS)


def event(*calls: dict[str, Any], reason: str | None = None) -> bytes:
    choice = {"index": 0, "delta": {"tool_calls": list(calls)} if calls else {}, "finish_reason": reason}
    return sse.encode(json.dumps({"choices": [choice]}).encode())


def piece(index: int | None = 0, arguments: Any = None, *, name: str | None = None, its: str | None = None) -> Any:
    function = {"name": name, "arguments": arguments}
    found = {
        "index": index,
        "id": its,
        "function": {key: value for key, value in function.items() if value is not None},
    }
    return {key: value for key, value in found.items() if value is not None}


END = event(reason="tool_calls") + sse.encode(b"[DONE]")


def told(body: bytes, cuts: list[int], *, stream: bool = True) -> list[dict[str, Any]]:
    """The messages that the caller gets."""
    reply = opened(stream=stream)
    given = b"".join([reply.feed(part, NOW) for part in pieces(body, cuts)])
    given += reply.close(NOW) if stream else reply.answer(NOW).body
    found = [json.loads(line) for line in given.splitlines()]
    assert not [line for line in found if "error" in line], found
    return [line["message"] for line in found]


def calls_of(body: bytes, cuts: list[int], *, stream: bool = True) -> list[tuple[str, Any, str]]:
    """Name, arguments and id of each call; there must be no text."""
    messages = told(body, cuts, stream=stream)
    assert not any(message["content"] for message in messages), messages
    calls = [call for message in messages for call in message.get("tool_calls", [])]
    assert [call["function"]["index"] for call in calls] == list(range(len(calls)))
    return [(call["function"]["name"], call["function"]["arguments"], call["id"]) for call in calls]


@dataclass
class Meant:
    """A call, and how the engine writes it."""

    name: str
    arguments: dict[str, Any]
    its: str
    parts: list[Any]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from(["", "}", '{"a":1}', "\\", "é", '"']),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["a", "}", ""]), inner, max_size=2),
    max_leaves=4,
)


@st.composite
def meant(draw: st.DrawFn) -> Meant:
    arguments = draw(st.dictionaries(st.sampled_from(["city", "n", "x"]), VALUES, max_size=2))
    text = json.dumps(arguments, ensure_ascii=draw(st.booleans()))
    if not arguments:
        text = draw(st.sampled_from(["", "null", "{}", " {}\n"]))
    places = sorted(draw(st.lists(st.integers(0, len(text)), max_size=4)))
    cut = [text[begin:end] for begin, end in zip([0, *places], [*places, len(text)], strict=True)]
    parts: list[Any] = [None if not part and draw(st.booleans()) else part for part in cut]
    its = draw(st.sampled_from(["Ab3dE5gH9", "functions.get_a:0", "chatcmpl-tool-1", ""]))
    return Meant(draw(st.sampled_from(["get_a", "get_b"])), arguments, its, parts)


@st.composite
def streams(draw: st.DrawFn) -> tuple[bytes, list[Meant]]:
    """Any calls, cut anywhere, their pieces in any order that keeps each call's own."""
    found = draw(st.lists(meant(), min_size=1, max_size=4))
    manner = draw(
        st.sampled_from(["indices", "one index", "one index, ids in each piece", "an id of its own for each"])
    )
    for place, call in enumerate(found):
        if manner.startswith(("one index", "an id")):
            call.its = f"id{place}"
        elif call.its:
            call.its += str(place)
    named = draw(st.booleans())  # in each piece
    ids = manner.endswith("in each piece") or (manner == "indices" and draw(st.booleans()))
    together = manner != "one index"
    waiting = [list(enumerate(call.parts)) for call in found]
    out: list[Any] = []
    begun = 0
    while any(waiting):
        can = [place for place in range(begun) if waiting[place]]
        if begun < len(found) and (not can or together):
            can.append(begun)
        which = draw(st.sampled_from(can))
        begun = max(begun, which + 1)
        number, arguments = waiting[which].pop(0)
        call, first = found[which], number == 0
        its = call.its if first or ids else None
        if manner == "an id of its own for each" and not first:
            its = f"other{which}-{number}"
        index = 0 if manner.startswith("one index") else which
        names = first or (named and not (its or "").startswith("other"))
        out.append(piece(index, arguments, name=call.name if names else None, its=its))
        if draw(st.integers(0, 9)) == 0:  # a piece of no call
            out.append(draw(st.sampled_from([piece(9), piece(9, ""), piece(index, ""), {"index": 8}])))
    body, at = b"", 0
    while at < len(out):
        size = draw(st.integers(1, 3))
        body += event(*out[at : at + size])
        at += size
    return body + END, found


@given(found=streams(), cuts=CUTS)
@settings(max_examples=200, deadline=None)
@pytest.mark.parametrize("stream", [True, False])
def test_any_cutting_and_interleaving_of_calls_gives_those_calls(
    stream: bool, found: tuple[bytes, list[Meant]], cuts: list[int]
) -> None:
    body, wanted = found
    calls = calls_of(body, cuts, stream=stream)
    assert [call[:2] for call in calls] == [(one.name, one.arguments) for one in wanted]
    for one, (_, _, its) in zip(wanted, calls, strict=True):
        assert its == one.its if one.its else re.fullmatch("[a-z0-9]{9}", its)
    invented = [its for one, (_, _, its) in zip(wanted, calls, strict=True) if not one.its]
    assert len(set(invented)) == len(invented)


CASES: dict[str, tuple[list[bytes], list[tuple[str, Any, str]]]] = {
    "null for an empty object": ([event(piece(0, "null", name="f", its="a"))], [("f", {}, "a")]),
    "arguments null": ([event({"id": "a", "function": {"name": "f", "arguments": None}})], [("f", {}, "a")]),
    "arguments that are an object": ([event(piece(0, {"a": 1}, name="f", its="a"))], [("f", {"a": 1}, "a")]),
    "two calls at index 0": (
        [event(piece(0, "{}", name="f", its="a")), event(piece(0, '{"b":1}', name="f", its="b"))],
        [("f", {}, "a"), ("f", {"b": 1}, "b")],
    ),
    "two calls at index 0 in turns": (
        [
            event(piece(0, '{"a"', name="f", its="a")), event(piece(0, '{"b"', name="g", its="b")),
            event(piece(0, ":1}", its="a")), event(piece(0, ":2}", its="b")),
        ],
        [("f", {"a": 1}, "a"), ("g", {"b": 2}, "b")],
    ),
    "two calls without an index": (
        [event(piece(None, "{}", name="f", its="a")), event(piece(None, "{}", name="g", its="b"))],
        [("f", {}, "a"), ("g", {}, "b")],
    ),
    "pieces in turns": (
        [
            event(piece(0, '{"a"', name="f", its="a")), event(piece(1, '{"b"', name="g", its="b")),
            event(piece(0, ":1}")), event(piece(1, ":2}")),
        ],
        [("f", {"a": 1}, "a"), ("g", {"b": 2}, "b")],
    ),
    "a piece behind a call that was given": (
        [event(piece(0, "{}", name="f", its="a"), piece(1, "{}", name="g", its="b")), event(piece(0, "", name="f"))],
        [("f", {}, "a"), ("g", {}, "b")],
    ),
    "the name in each piece": (
        [event(piece(0, '{"a"', name="f", its="a")), event(piece(0, ":1}", name="f")), event(piece(0, "", name="f"))],
        [("f", {"a": 1}, "a")],
    ),
    "an id in each piece": (
        [event(piece(0, name="f", its="a")), event(piece(0, '{"a":', its="b")), event(piece(0, "1}", its="c"))],
        [("f", {"a": 1}, "a")],
    ),
    "the id behind the name": ([event(piece(0, name="f")), event(piece(0, "{}", its="a"))], [("f", {}, "a")]),
    "the name behind the arguments": ([event(piece(0, "{}", its="a")), event(piece(0, name="f"))], [("f", {}, "a")]),
    "pieces of no call": (
        [event(piece(0, "{}", name="f", its="a")), event(piece(1, "")), event({"index": 2}), event(piece(3, name=""))],
        [("f", {}, "a")],
    ),
    "half a surrogate pair": ([event(piece(0, r'{"a":"\ud83d"}', name="f", its="a"))], [("f", {"a": "\ufffd"}, "a")]),
}  # fmt: skip


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("case", CASES)
def test_each_known_imperfection(case: str, stream: bool) -> None:
    events, wanted = CASES[case]
    assert calls_of(b"".join(events) + END, [], stream=stream) == wanted


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("said", [b"", event(piece(1, "")), event(piece(0, '{"city":"Paris"}'))])
def test_an_end_for_a_call_without_one_is_a_fault(stream: bool, said: bytes) -> None:
    reply = opened(stream=stream)
    with pytest.raises(EngineError, match="sent none"):
        reply.feed(said + END, NOW)
        reply.answer(NOW)


def test_an_end_for_a_call_without_one_is_told_in_a_stream_that_has_begun() -> None:
    reply = opened()
    text = sse.encode(b'{"choices":[{"index":0,"delta":{"content":"x"},"finish_reason":null}]}')
    last = json.loads((reply.feed(text + END, NOW) + reply.close(NOW)).splitlines()[-1])
    assert "sent none" in last["error"]


def test_arguments_of_no_tool_beside_a_call_are_not_lost() -> None:
    body = event(piece(0, "{}", name="f", its="a")) + event(piece(1, '{"city":"Paris"}')) + END
    messages = told(body, [])
    assert [message["content"] for message in messages] == ["", '{"city":"Paris"}', ""]
    assert len(messages[0]["tool_calls"]) == 1


def test_the_calls_of_a_document_are_many_without_indices() -> None:
    calls = [{"id": its, "type": "function", "function": {"name": name, "arguments": text}}
             for its, name, text in (("a", "f", "null"), ("b", "f", '{"b":1}'), ("", "f", "{}"))]  # fmt: skip
    choice = {"index": 0, "message": {"content": None, "tool_calls": calls}, "finish_reason": "tool_calls"}
    found = calls_of(json.dumps({"choices": [choice]}).encode(), [], stream=False)
    assert [call[:2] for call in found] == [("f", {}), ("f", {"b": 1}), ("f", {})]
    assert [call[2] for call in found][:2] == ["a", "b"]


def test_an_id_that_is_made_is_no_other_of_the_conversation() -> None:
    def asked(*ids: str) -> str:
        calls = [{"id": one, "function": {"name": "f", "arguments": {}}} for one in ids]
        reply = opened(messages=[{"role": "user", "content": "hi"}, {"role": "assistant", "tool_calls": calls}])
        line = json.loads((reply.feed(event(piece(0, "{}", name="f")) + END, NOW)).splitlines()[0])
        return str(line["message"]["tool_calls"][0]["id"])

    ids: list[str] = []
    for _ in range(5):
        ids.append(asked(*ids))
    assert len(set(ids)) == 5
    assert all(re.fullmatch("[a-z0-9]{9}", one) for one in ids)


def test_many_pieces_and_calls_cost_what_they_are() -> None:
    """Each brace may be the last one, and each call wait for the first."""
    body = event(piece(0, "{", name="f")) + event(*(piece(n, "{}", name="f") for n in range(1, 20_000)))
    body += (
        event(*(piece(0, '"a":{},"}' if n % 2 == 0 else '":{},') for n in range(40_000)))
        + event(piece(0, '"z":1}'))
        + END
    )
    began = time.process_time()
    assert len(calls_of(body, [])) == 20_000
    assert time.process_time() - began < 5
