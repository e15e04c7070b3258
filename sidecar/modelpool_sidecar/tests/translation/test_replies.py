"""vLLM's recorded answers, translated, must have the shape of what Ollama answered to the same kind of call."""

import json
import re
from typing import Any

import pytest
from hypothesis import given

from modelpool_sidecar.dialects import sse
from modelpool_sidecar.dialects.errors import EngineError
from modelpool_sidecar.translation import Reply, Translation, Usage

from ..dialects import recordings
from ..dialects.cutting import CUTS, QUICK, bytewise, pieces
from .asking import DISPATCHED, EPOCH, STARTED, TIMINGS, chat, exchange, prompt

FIRST, LAST = DISPATCHED + 40_000, DISPATCHED + 100_000
CHAT, GENERATE = Translation.CHAT, Translation.GENERATE


def opened(call: Translation = CHAT, **fields: Any) -> Reply:
    return exchange(call, chat(**fields) if call is CHAT else prompt(**fields)).open(TIMINGS)


def streamed(name: str, call: Translation = CHAT, **fields: Any) -> list[Any]:
    """The lines for the caller of a stream; the first event comes at FIRST, the end at LAST."""
    reply = opened(call, **fields)
    return lines(reply, recordings.load(name).body)


def lines(reply: Reply, body: bytes) -> list[Any]:
    half = body.index(b"\n\n", body.index(b"\n\n") + 2) + 2  # two events: the role alone is no token
    given = reply.feed(body[:half], FIRST) + reply.feed(body[half:], LAST) + reply.close(LAST)
    return [json.loads(line) for line in given.splitlines()]


def whole(name: str, call: Translation = CHAT, **fields: Any) -> Any:
    reply = opened(call, stream=False, **fields)
    assert reply.feed(recordings.load(name).body, FIRST) == b""
    answer = reply.answer(LAST)
    assert (answer.status, answer.content_type) == (200, "application/json; charset=utf-8")
    return json.loads(answer.body)


def chunk(**delta: Any) -> bytes:
    return sse.encode(json.dumps({"choices": [{"index": 0, "delta": delta, "finish_reason": None}]}).encode())


def end(reason: str | None = "stop") -> bytes:
    last = {"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}
    return sse.encode(json.dumps(last).encode()) + sse.encode(b"[DONE]")


def kinds(found: list[Any]) -> dict[str, Any]:
    """One shape for each kind of line, by what it carries."""
    return {
        ("last" if line["done"] else "tools" if "tool_calls" in json.dumps(line) else "thinking")
        if line["done"] or "thinking" in json.dumps(line) or "tool_calls" in json.dumps(line)
        else "text": recordings.shape(line)
        for line in found
    }


SAID = chunk(content="x")

STREAMS = [
    ("vllm/12-chat-stream-usage", CHAT, "ollama/20-chat-stream"),
    ("vllm/13-chat-stream-continuous-usage", CHAT, "ollama/20-chat-stream"),
    ("vllm/scripted-chat/12-chat-stream-usage", CHAT, "ollama/20-chat-stream"),
    ("vllm/18c-chat-tools-auto-stream", CHAT, "ollama/46b-tools-stream-parser"),
    ("vllm/25-chat-reasoning-parser-stream", CHAT, "ollama/40-think-stream"),
    ("vllm/12-chat-stream-usage", GENERATE, "ollama/10-generate-stream"),
    ("vllm/21-completions-stream-usage", GENERATE, "ollama/10-generate-stream"),
]


@pytest.mark.parametrize(("ours", "call", "theirs"), STREAMS)
def test_a_stream_has_the_shape_of_ollamas(ours: str, call: Translation, theirs: str) -> None:
    want = recordings.load(theirs).lines
    want[-1].pop("context", None)  # vLLM tells no tokens
    assert kinds(streamed(ours, call, raw="completions" in ours)) == kinds(want)


DOCUMENTS = [
    ("vllm/10-chat", CHAT, "ollama/21-chat"),
    ("vllm/scripted-chat/10-chat", CHAT, "ollama/21-chat"),
    ("vllm/16-chat-no-max-tokens", CHAT, "ollama/21-chat"),
    ("vllm/15-chat-n2", CHAT, "ollama/21-chat"),
    ("vllm/17-chat-json-schema", CHAT, "ollama/22-chat-format-schema"),
    ("vllm/18b-chat-tools-auto", CHAT, "ollama/47-tools-nostream"),
    ("vllm/24-chat-reasoning-parser", CHAT, "ollama/41-think-nostream"),
    ("vllm/26-chat-thinking-off", CHAT, "ollama/21-chat"),
    ("vllm/12-chat-stream-usage", CHAT, "ollama/21-chat"),
    ("vllm/18c-chat-tools-auto-stream", CHAT, "ollama/47-tools-nostream"),
    ("vllm/25-chat-reasoning-parser-stream", CHAT, "ollama/41-think-nostream"),
    ("vllm/24-chat-reasoning-parser", GENERATE, "ollama/44-generate-think"),
    ("vllm/20-completions", GENERATE, "ollama/12-generate-raw"),
    ("vllm/14-chat-logprobs", GENERATE, "ollama/14-generate-logprobs"),
    ("vllm/23-completions-echo-logprobs", GENERATE, "ollama/14-generate-logprobs"),
]


@pytest.mark.parametrize(("ours", "call", "theirs"), DOCUMENTS)
def test_a_document_has_the_shape_of_ollamas(ours: str, call: Translation, theirs: str) -> None:
    want = recordings.load(theirs).document
    want.pop("context", None)
    got = whole(ours, call)
    # Where vLLM sent one document there is no time of a first token, and no field that says there is.
    if "eval_duration" not in got:
        want.pop("eval_duration")
    assert recordings.shape(got) == recordings.shape(want)
    assert list(got) == [key for key in want if key in got]


def test_counts_are_the_engines_and_durations_add_up() -> None:
    last = streamed("vllm/12-chat-stream-usage")[-1]
    usage = recordings.load("vllm/12-chat-stream-usage").body
    assert b'"usage":{"prompt_tokens":27,"total_tokens":35,"completion_tokens":8}' in usage
    assert (last["prompt_eval_count"], last["eval_count"], last["done_reason"]) == (27, 8, "length")
    assert last["load_duration"] == DISPATCHED - STARTED
    assert last["prompt_eval_duration"] == FIRST - DISPATCHED
    assert last["eval_duration"] == LAST - FIRST
    assert last["total_duration"] == last["load_duration"] + last["prompt_eval_duration"] + last["eval_duration"]


def test_counts_the_engine_did_not_say_are_absent() -> None:
    last = streamed("vllm/19c-chat-tools-required-stream")[-1]
    assert last["done"] is True
    assert {"prompt_eval_count", "eval_count"}.isdisjoint(last)


def test_the_caller_reads_the_name_it_sent_and_a_growing_time() -> None:
    found = streamed("vllm/12-chat-stream-usage")
    assert {line["model"] for line in found} == {"qwen3:8b"}
    assert [found[0]["created_at"], found[-1]["created_at"]] == [
        "2026-11-22T14:20:31.123497789Z",
        "2026-11-22T14:20:31.123557789Z",
    ]


def test_usage_and_time_of_the_first_token_can_be_read() -> None:
    reply = opened()
    assert (reply.usage, reply.first_ns, reply.failed) == (None, None, False)
    lines(reply, recordings.load("vllm/12-chat-stream-usage").body)
    assert (reply.usage, reply.first_ns, reply.failed) == (Usage(27, 8), FIRST, False)


def test_the_time_moves_on_and_has_no_trailing_zeros() -> None:
    reply = opened()
    begun = STARTED - EPOCH % 10**9  # a whole second of the wall clock
    nows = [begun, begun + 1, begun + 10, begun + 10**9 + 500, begun + 61 * 10**9]
    got = [json.loads(reply.feed(SAID, now))["created_at"] for now in nows]
    assert got == [
        "2026-11-22T14:20:31Z",
        "2026-11-22T14:20:31.000000001Z",
        "2026-11-22T14:20:31.00000001Z",
        "2026-11-22T14:20:32.0000005Z",
        "2026-11-22T14:21:32Z",
    ]


def test_only_the_first_of_several_answers_is_told() -> None:
    first = recordings.load("vllm/15-chat-n2").document["choices"][0]["message"]["content"]
    assert whole("vllm/15-chat-n2")["message"]["content"] == first


@given(cuts=CUTS)
@QUICK
@pytest.mark.parametrize(("name", "call", "_"), STREAMS)
def test_cuts_of_the_network_change_nothing(name: str, call: Translation, _: str, cuts: list[int]) -> None:
    body = recordings.load(name).body
    want = opened(call).feed(body, LAST)
    reply = opened(call)
    assert b"".join(reply.feed(piece, LAST) for piece in pieces(body, cuts)) + reply.close(LAST) == want


@pytest.mark.parametrize(("name", "call", "_"), STREAMS)
def test_byte_by_byte_too_and_into_one_document(name: str, call: Translation, _: str) -> None:
    body = recordings.load(name).body
    reply, cut = opened(call, stream=False), opened(call, stream=False)
    reply.feed(body, LAST)
    for byte in bytewise(body):
        assert cut.feed(byte, LAST) == b""
    assert cut.answer(LAST) == reply.answer(LAST)


def test_every_line_is_one_line() -> None:
    reply = opened()
    given = reply.feed(chunk(content="a\nb\u2028c<&>") + end(), LAST)
    assert given.count(b"\n") == 2 == len(given.splitlines())
    assert rb"a\nb\u2028c\u003c\u0026\u003e" in given


def test_text_and_thinking_are_whole() -> None:
    found = streamed("vllm/25-chat-reasoning-parser-stream")
    thinking = "".join(line["message"].get("thinking", "") for line in found)
    content = "".join(line["message"]["content"] for line in found)
    assert (thinking, content) == ("The user greets me.", "Hello there!")
    document = whole("vllm/25-chat-reasoning-parser-stream")
    assert (document["message"]["thinking"], document["message"]["content"]) == (thinking, content)


def test_space_inside_thinking_and_answer_stays() -> None:
    body = b"".join(chunk(reasoning=part) for part in ("a", "\n", "\nb ", "\n")) + chunk(content="\n x\n") + end()
    reply = opened(stream=False)
    reply.feed(body, LAST)
    assert json.loads(reply.answer(LAST).body)["message"] == {
        "role": "assistant",
        "content": "x\n",
        "thinking": "a\n\nb",
    }
    plain = opened(stream=False)
    plain.feed(chunk(content="\n x") + end(), LAST)
    assert json.loads(plain.answer(LAST).body)["message"]["content"] == "\n x"


def test_the_older_name_of_thinking_is_read() -> None:
    found = lines(opened(), chunk(role="assistant") + chunk(reasoning_content="hm") + chunk(content="x") + end())
    assert found[0]["message"] == {"role": "assistant", "content": "", "thinking": "hm"}


@pytest.mark.parametrize("stream", [True, False])
def test_with_thinking_off_an_answer_taken_for_thinking_is_the_answer(stream: bool) -> None:
    body = chunk(role="assistant") + chunk(reasoning="the ") + chunk(reasoning="answer", content=None) + end()
    reply = opened(think=False, stream=stream)
    given = reply.feed(body, LAST) + (reply.close(LAST) if stream else reply.answer(LAST).body)
    messages = [json.loads(line)["message"] for line in given.splitlines()]
    assert "".join(message["content"] for message in messages) == "the answer"
    assert not any("thinking" in message for message in messages)


def test_with_thinking_off_thinking_before_an_answer_stays_thinking() -> None:
    found = lines(opened(think=False), chunk(role="assistant") + chunk(reasoning="hm") + chunk(content="x") + end())
    assert [line["message"] for line in found[:2]] == [
        {"role": "assistant", "content": "", "thinking": "hm"},
        {"role": "assistant", "content": "x"},
    ]


def test_with_thinking_on_an_answer_cut_off_while_thinking_stays_thinking() -> None:
    found = lines(opened(think=True), chunk(role="assistant") + chunk(reasoning="hm") + end("length"))
    assert found[0]["message"]["thinking"] == "hm"
    assert (found[-1]["message"]["content"], found[-1]["done_reason"]) == ("", "length")


def tool(index: int, arguments: str, **named: str) -> dict[str, Any]:
    function = {"arguments": arguments, **({"name": named["name"]} if "name" in named else {})}
    return {"index": index, "function": function, **({"id": named["id"]} if "id" in named else {})}


def test_parallel_tool_calls_come_one_line_each_in_order() -> None:
    body = (
        chunk(role="assistant")
        + chunk(tool_calls=[tool(0, "", name="f", id="chatcmpl-tool-1111111111aaaaaa")])
        + chunk(tool_calls=[tool(0, '{"a":')])
        + chunk(tool_calls=[tool(0, "1}"), tool(1, '{"b":[2]}', name="g")])
        + chunk(tool_calls=[tool(2, "", name="h")])
        + end("tool_calls")
    )
    found = lines(opened(), body)
    calls = [line["message"]["tool_calls"] for line in found[:-1]]
    assert [[call["function"] for call in line] for line in calls] == [
        [{"index": 0, "name": "f", "arguments": {"a": 1}}],
        [{"index": 1, "name": "g", "arguments": {"b": [2]}}],
        [{"index": 2, "name": "h", "arguments": {}}],
    ]
    ids = [line[0]["id"] for line in calls]
    assert ids[0] == "chatcmpl-tool-1111111111aaaaaa"
    assert len(set(ids)) == 3
    assert all(re.fullmatch("[a-z0-9]{9}", one) for one in ids[1:])
    assert (found[-1]["done_reason"], found[-1]["message"]["content"]) == ("stop", "")


def test_a_tool_call_goes_out_as_soon_as_the_next_begins() -> None:
    reply = opened()
    assert reply.feed(chunk(tool_calls=[tool(0, "{}", name="f")]), FIRST) == b""
    line = json.loads(reply.feed(chunk(tool_calls=[tool(1, "{}", name="g")]), FIRST))
    assert line["message"]["tool_calls"][0]["function"]["name"] == "f"


def test_with_thinking_off_thinking_before_a_tool_call_stays_thinking() -> None:
    body = (
        chunk(role="assistant")
        + chunk(reasoning="hm")
        + chunk(tool_calls=[tool(0, "{}", name="f")])
        + end("tool_calls")
    )
    thought, called, last = (line["message"] for line in lines(opened(think=False), body))
    assert (thought["thinking"], len(called["tool_calls"]), last["content"]) == ("hm", 1, "")


@pytest.mark.parametrize("arguments", ["true", "[1]", '{"a":', '"text"'])
def test_arguments_that_are_no_object_are_shown_as_text(arguments: str) -> None:
    body = chunk(role="assistant") + chunk(tool_calls=[tool(0, arguments, name="f")]) + end("tool_calls")
    found = lines(opened(), body)
    assert found[0]["message"] == {"role": "assistant", "content": f'{{"name": "f", "arguments": {arguments}}}'}


@pytest.mark.parametrize(("reason", "want"), [("stop", "stop"), ("length", "length"), ("content_filter", "stop")])
def test_done_reason(reason: str, want: str) -> None:
    assert lines(opened(), chunk(content="x") + end(reason))[-1]["done_reason"] == want


def test_streamed_logprobs_stand_beside_their_text() -> None:
    given = recordings.load("vllm/14-chat-logprobs").document["choices"][0]["logprobs"]["content"]
    body = chunk(role="assistant")
    for token in given:
        one = {
            "index": 0,
            "delta": {"content": token["token"]},
            "logprobs": {"content": [token]},
            "finish_reason": None,
        }
        body += sse.encode(json.dumps({"choices": [one]}).encode())
    found = lines(opened(logprobs=True, top_logprobs=2), body + end("length"))
    assert [line["logprobs"] for line in found[:-1]] == [[token] for token in given]
    assert "logprobs" not in found[-1]


def test_logprobs_without_alternatives_have_no_such_field() -> None:
    one = {"token": "a", "logprob": -1.0, "bytes": [97], "top_logprobs": []}
    body = {
        "choices": [{"index": 0, "message": {"content": "a"}, "logprobs": {"content": [one]}, "finish_reason": "stop"}]
    }
    reply = opened(stream=False, logprobs=True)
    reply.feed(json.dumps(body).encode(), LAST)
    document = json.loads(reply.answer(LAST).body)
    assert document["logprobs"] == [{"token": "a", "logprob": -1.0, "bytes": [97]}]
    assert list(document)[4:7] == ["done_reason", "logprobs", "total_duration"]


DYING = {
    "an error in the stream": b'data: {"error": {"message": "boom", "type": "InternalServerError", "code": 500}}\n\n',
    "an error that is text": b'data: {"error": "boom"}\n\n',
    "an abort": end("abort"),
    "an end without a reason": sse.encode(b"[DONE]"),
    "an end without [DONE]": sse.encode(b'{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}'),
    "an end inside an event": b'data: {"choices":[{"in',
    "nonsense": sse.encode(b"<html>"),
    "wrong types": sse.encode(b'{"choices":5}'),
    "invalid UTF-8 for no text": sse.encode(b'{"choices":[{"delta":{"content":\xff}}]}'),
}


@pytest.mark.parametrize("body", DYING.values(), ids=DYING.keys())
def test_a_stream_that_dies_ends_in_an_error_line(body: bytes) -> None:
    reply = opened()
    given = reply.feed(SAID, FIRST) + reply.feed(body, LAST) + reply.close(LAST)
    *before, last = (json.loads(line) for line in given.splitlines())
    assert [line["message"]["content"] for line in before if not line["done"]] == ["x"]
    assert list(last) == ["error"]
    assert last["error"].startswith("an error was encountered while running the model: ")
    assert not any(line["done"] for line in before)
    assert reply.failed
    assert reply.feed(SAID + end(), LAST) == b"" == reply.close(LAST)


@pytest.mark.parametrize("body", DYING.values(), ids=DYING.keys())
def test_while_nothing_was_said_the_fault_is_raised_so_that_another_engine_may_try(body: bytes) -> None:
    reply = opened()
    with pytest.raises(EngineError):
        given = reply.feed(chunk(role="assistant") + body, LAST)
        given += reply.close(LAST)
    assert reply.failed


@pytest.mark.parametrize("body", DYING.values(), ids=DYING.keys())
def test_a_document_is_never_answered_by_half(body: bytes) -> None:
    reply = opened(stream=False)
    with pytest.raises(EngineError):
        reply.feed(SAID + body, LAST)
        reply.answer(LAST)


@pytest.mark.parametrize("name", ["vllm/76-sigterm-in-flight", "vllm/77-engine-core-killed"])
def test_recorded_deaths(name: str) -> None:
    reply = opened()
    text = (recordings.ROOT / f"{name}.txt").read_bytes()
    begin = text.index(b"data: ") if name.endswith("flight") else text.index(b'data: {"error"')
    stop = text.index(b"data: [DONE]")
    given = reply.feed(SAID, FIRST) + reply.feed(text[begin:stop] + sse.encode(b"[DONE]"), LAST) + reply.close(LAST)
    assert list(json.loads(given.splitlines()[-1])) == ["error"]
    assert reply.failed
    assert b'"done":true' not in given


@pytest.mark.parametrize(
    ("event", "want"),
    [
        (b'{"choices":[{"delta":{"content":"a\xff\xc3b"}}]}', "a\ufffd\ufffdb"),
        (rb'{"choices":[{"delta":{"content":"a\ud83d"}}]}', "a\ufffd"),
        (rb'{"choices":[{"delta":{"content":"\ude00a"}}]} behind', "\ufffda"),
    ],
)
@pytest.mark.parametrize("stream", [True, False])
def test_what_go_would_read_is_read(event: bytes, want: str, stream: bool) -> None:
    reply = opened(stream=stream)
    body = SAID + sse.encode(event) + SAID + SAID + end()
    given = reply.feed(body, LAST) + (reply.close(LAST) if stream else reply.answer(LAST).body)
    assert "".join(json.loads(line)["message"]["content"] for line in given.splitlines()) == f"x{want}xx"


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("parts", [("\n", "\n hm", " \n"), ("\nhm\n",), (" ", "\n\n", "h", "m")])
def test_space_around_thinking_is_cut_on_both_sides(parts: tuple[str, ...], stream: bool) -> None:
    for begun in (b"", chunk(role="assistant", content="")):
        body = begun + b"".join(chunk(reasoning=part) for part in parts) + chunk(content="\n\nx") + end()
        reply = opened(stream=stream)
        given = reply.feed(body, LAST) + (reply.close(LAST) if stream else reply.answer(LAST).body)
        messages = [json.loads(line)["message"] for line in given.splitlines()]
        assert "".join(message.get("thinking", "") for message in messages) == "hm"
        assert "".join(message["content"] for message in messages) == "x"
        assert not [message for message in messages if message.get("thinking") == ""]


def test_thinking_that_is_all_space_is_none() -> None:
    found = lines(opened(), chunk(role="assistant") + chunk(reasoning="\n\n") + chunk(content="\n\nx") + end())
    assert [line["message"] for line in found[:1]] == [{"role": "assistant", "content": "x"}]


def test_comments_that_keep_the_line_open_are_nothing() -> None:
    reply = opened()
    assert reply.feed(b": keep-alive\n\n", FIRST) == b""
    assert lines(reply, SAID + end())[0]["message"]["content"] == "x"
