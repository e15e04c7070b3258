import json
import re
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelpool_sidecar.http.errors import BadRequestError
from modelpool_sidecar.translation import Backend, Translation, ollama_requests

from ..dialects import recordings
from ..dialects.cutting import QUICK
from .asking import EPOCH, answer, asked, chat, exchange

CHAT = Translation.CHAT
PNG, JPEG, WEBP, GIF = "iVBORw0KGgo=", "/9j/4AAQ", "UklGRgAAAABXRUJQ", "R0lGODlh"


def turns(*messages: dict[str, Any]) -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = asked(CHAT, {"model": "m", "messages": list(messages)})["messages"]
    return sent


def test_a_plain_chat() -> None:
    found = exchange(CHAT, chat())
    assert (found.path, found.stream, found.warnings) == ("/v1/chat/completions", True, ())
    assert asked(CHAT, chat()) == {"messages": [{"role": "user", "content": "hi"}]}


@pytest.mark.parametrize(
    ("fields", "want"), [({"stream": False}, False), ({"stream": True}, True), ({"stream": None}, True)]
)
def test_the_engine_streams_whatever_the_caller_wants(fields: dict[str, Any], want: bool) -> None:
    found = exchange(CHAT, chat(**fields))
    assert found.stream is want
    assert json.loads(found.body)["stream"] is True


@pytest.mark.parametrize(("stream", "tools"), [(False, True), (True, True), (None, True), (False, False)])
def test_of_tools_the_engine_makes_the_document_that_is_wanted(stream: bool | None, tools: bool) -> None:
    sent = json.loads(exchange(CHAT, chat(stream=stream, tools=[{"type": "function"}] if tools else [])).body)
    assert sent["stream"] is not (stream is False and tools)
    assert ("stream_options" in sent) is sent["stream"]


@pytest.mark.parametrize(
    ("text", "want"),
    [(rb"\ud83d", "\ufffd"), (rb"\ud83d\ude00", "\U0001f600"), (b"\xff\xc3", "\ufffd\ufffd"), (rb"\\ud83d", "\\ud83d")],
)
def test_what_go_would_read_goes_to_the_engine_well_formed(text: bytes, want: str) -> None:
    """Also what nobody reads on the way: a schema, a tool, the arguments of a call."""
    call = b'{"role":"assistant","tool_calls":[{"function":{"name":"f","arguments":{"a":"%b"}}}]}' % text
    body = b'{"model":"m","messages":[{"role":"user","content":"%b"},%b],"tools":[{"a":"%b"}],"format":{"a":"%b"}}'
    sent = exchange(CHAT, body % (text, call, text, text)).body.decode()
    found = json.loads(sent)
    assert found["messages"][0]["content"] == want
    assert json.loads(found["messages"][1]["tool_calls"][0]["function"]["arguments"]) == {"a": want}
    assert found["tools"] == [{"a": want}]
    assert found["response_format"]["json_schema"]["schema"] == {"a": want}
    found_again = sent.replace(r"\ud83d\ude00", "").replace(r"\\ud83d", "")
    assert r"\ud83d" not in found_again


def test_options_and_warnings_are_passed_on() -> None:
    body = chat(options={"temperature": 0, "num_gpu": 9, "num_ctx": 65536}, keep_alive="5m")
    backend = Backend(model="m", context_length=8192)
    assert asked(CHAT, body, backend)["temperature"] == 0
    assert len(exchange(CHAT, body, backend).warnings) == 2


@pytest.mark.parametrize(
    ("image", "kind"), [(PNG, "image/png"), (JPEG, "image/jpeg"), (WEBP, "image/webp"), (GIF, "image/gif")]
)
def test_images_become_parts_with_their_type(image: str, kind: str) -> None:
    (turn,) = turns({"role": "user", "content": "look", "images": [image, PNG]})
    urls = [f"data:{kind};base64,{image}", f"data:image/png;base64,{PNG}"]
    assert turn["content"] == [
        {"type": "text", "text": "look"},
        *({"type": "image_url", "image_url": {"url": url}} for url in urls),
    ]


def test_an_image_without_text_has_no_empty_part_and_line_ends_are_cut() -> None:
    (turn,) = turns({"role": "user", "content": "", "images": ["iVBORw0K\r\nGgo="]})
    assert turn["content"] == [{"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}]


@pytest.mark.parametrize(
    ("image", "want"),
    [
        ("data:image/png;base64,xx", "illegal base64 data at input byte 4"),
        ("http://169.254.169.254/latest", "illegal base64 data at input byte 4"),
        ("file:///etc/passwd", "illegal base64 data at input byte 4"),
        ("iVBORw0KGgo", "illegal base64 data at input byte 11"),
        ("aGVsbG8gd29ybGQ=", "image: unknown format"),
    ],
)
def test_what_is_no_image_is_refused(image: str, want: str) -> None:
    with pytest.raises(BadRequestError, match=want):
        turns({"role": "user", "content": "x", "images": [image]})


def test_tool_calls_get_ids_and_text_arguments_and_answers_find_their_call() -> None:
    call = {"function": {"name": "weather", "arguments": {"city": "Paris", "n": [1]}}}
    other = {"function": {"name": "time", "arguments": {}}}
    assistant, first, second, third = turns(
        {"role": "assistant", "content": "", "tool_calls": [call, other, call]},
        {"role": "tool", "content": "noon", "tool_name": "time"},
        {"role": "tool", "content": "sun", "tool_name": "weather"},
        {"role": "tool", "content": "rain"},
    )
    ids = [one["id"] for one in assistant["tool_calls"]]
    assert len(set(ids)) == 3
    assert [one["type"] for one in assistant["tool_calls"]] == ["function"] * 3
    assert json.loads(assistant["tool_calls"][0]["function"]["arguments"]) == {"city": "Paris", "n": [1]}
    assert assistant["tool_calls"][1]["function"] == {"name": "time", "arguments": "{}"}
    assert [one["tool_call_id"] for one in (first, second, third)] == [ids[1], ids[0], ids[2]]
    assert first["name"] == "time"


def test_ids_of_the_client_are_kept() -> None:
    calls = [{"id": f"call_{name}", "function": {"name": "f", "arguments": {}}} for name in "ab"]
    assistant, second, first = turns(
        {"role": "assistant", "tool_calls": calls},
        {"role": "tool", "content": "x", "tool_call_id": "call_b"},
        {"role": "tool", "content": "x", "tool_name": "f"},
    )
    assert [one["id"] for one in assistant["tool_calls"]] == ["call_a", "call_b"]
    assert (second["tool_call_id"], first["tool_call_id"]) == ("call_b", "call_a")


def test_a_tool_answer_without_a_call_is_sent_all_the_same() -> None:
    (turn,) = turns({"role": "tool", "content": "x", "tool_name": "f"})
    assert re.fullmatch("[a-z0-9]{9}", turn.pop("tool_call_id"))
    assert turn == {"role": "tool", "content": "x", "name": "f"}


def test_arguments_that_are_already_text_stay_text() -> None:
    (turn,) = turns({"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": '{"a":1}'}}]})
    assert turn["tool_calls"][0]["function"]["arguments"] == '{"a":1}'


@pytest.mark.parametrize("arguments", [None, "", "null", {}])
def test_no_arguments_are_an_empty_object(arguments: Any) -> None:
    (turn,) = turns({"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": arguments}}]})
    assert turn["tool_calls"][0]["function"]["arguments"] == "{}"


IDS = st.sampled_from([None, "", "Ab3dE5gH9", "functions.get_a:0", "call00000", "call00001", "call_1_0"])


@given(history=st.lists(st.lists(IDS, max_size=3), max_size=5), answers=st.lists(IDS, max_size=4))
@QUICK
def test_ids_stay_and_those_that_are_missing_are_new(history: list[list[Any]], answers: list[Any]) -> None:
    """Nine letters or digits, no other call's, and the same each time that the conversation comes."""
    messages: list[Any] = [{"role": "user", "content": "hi"}]
    messages += [
        {"role": "assistant", "tool_calls": [{"id": one, "function": {"name": "f"}} for one in ids]} for ids in history
    ]
    messages += [{"role": "tool", "content": "x", "tool_call_id": one} for one in answers]
    given = [one for ids in history for one in ids]
    sent = turns(*messages)
    told = [call["id"] for turn in sent for call in turn.get("tool_calls", [])]
    made = [mine for its, mine in zip(given, told, strict=True) if not its]
    assert [mine for its, mine in zip(given, told, strict=True) if its] == [its for its in given if its]
    assert len(set(made)) == len(made)
    assert not set(made) & ({*given, *answers} - {None})
    assert all(re.fullmatch("[A-Za-z0-9]{9}", one) for one in made)
    assert sent == turns(*messages)
    assert ollama_requests.ids([msgspec.convert(one, ollama_requests.Message) for one in messages]) >= set(told)


def test_earlier_thinking_goes_along() -> None:
    (turn,) = turns({"role": "assistant", "content": "x", "thinking": "hm"})
    assert turn == {"role": "assistant", "content": "x", "reasoning_content": "hm"}


def test_tools_are_passed_as_they_are() -> None:
    tools = json.loads(recordings.load("ollama/46-tools-stream").request)["tools"]
    assert asked(CHAT, chat(tools=tools))["tools"] == tools
    assert "tools" not in asked(CHAT, chat(tools=[]))


@pytest.mark.parametrize(
    ("think", "want"),
    [
        (None, {}),
        (True, {"chat_template_kwargs": {"enable_thinking": True}}),
        (False, {"chat_template_kwargs": {"enable_thinking": False}}),
        ("low", {"chat_template_kwargs": {"enable_thinking": True}, "reasoning_effort": "low"}),
        ("max", {"chat_template_kwargs": {"enable_thinking": True}, "reasoning_effort": "max"}),
    ],
)
def test_thinking(think: Any, want: dict[str, Any]) -> None:
    sent = asked(CHAT, chat(think=think))
    sent.pop("messages")
    assert sent == want


@pytest.mark.parametrize(
    ("format_", "want"),
    [
        ("json", {"type": "json_object"}),
        ({"type": "object"}, {"type": "json_schema", "json_schema": {"name": "format", "schema": {"type": "object"}}}),
        ("", None),
        (None, None),
    ],
)
def test_format(format_: Any, want: Any) -> None:
    assert asked(CHAT, chat(format=format_)).get("response_format") == want


def test_logprobs() -> None:
    assert asked(CHAT, chat(logprobs=True, top_logprobs=3)).items() >= {"logprobs": True, "top_logprobs": 3}.items()
    assert asked(CHAT, chat(logprobs=True))["top_logprobs"] == 0
    assert "logprobs" not in asked(CHAT, chat(top_logprobs=3))
    with pytest.raises(BadRequestError, match="between 0 and 20"):
        asked(CHAT, chat(logprobs=True, top_logprobs=21))


@pytest.mark.parametrize("name", ["24-chat-load-empty-messages", "91-unload-chat"])
def test_load_and_unload_need_no_engine(name: str) -> None:
    recorded = recordings.load(f"ollama/{name}")
    got = answer(CHAT, recorded.request)
    want = {**recorded.document, "created_at": "2026-11-22T14:20:31.123456789Z"}
    assert (got.status, got.content_type) == (recorded.status, recorded.content_type)
    assert list(json.loads(got.body).items()) == list(want.items())
    assert EPOCH // 10**9 == 1795357231


@pytest.mark.parametrize(
    "name",
    [
        "45-err-think-bad-value",
        "60-err-bad-type",
        "61-err-bad-option-type",
        "62-err-bad-format",
        "59-err-missing-model",
    ],
)
def test_mistakes_are_refused_as_by_ollama(name: str) -> None:
    recorded = recordings.load(f"ollama/{name}")
    body = recorded.request
    if name.startswith("59"):  # messages without a model
        assert b'"model"' not in body
    with pytest.raises(BadRequestError) as caught:
        exchange(CHAT, body)
    assert {"error": caught.value.message} == recorded.document
    assert caught.value.status == recorded.status


@pytest.mark.parametrize(
    ("name", "capabilities"),
    [("45b-err-think-not-supported", {"completion", "tools"}), ("39e-chat-on-embed-model", {"embedding"})],
)
def test_what_the_model_cannot_do_is_refused_as_by_ollama(name: str, capabilities: set[str]) -> None:
    recorded = recordings.load(f"ollama/{name}")
    with pytest.raises(BadRequestError) as caught:
        exchange(CHAT, recorded.request, Backend(model="m", capabilities=frozenset(capabilities)))
    assert {"error": caught.value.message} == recorded.document
    assert caught.value.status == recorded.status


def test_tools_without_the_capability_are_refused_and_think_off_is_not() -> None:
    plain = Backend(model="m", capabilities=frozenset({"completion"}))
    with pytest.raises(BadRequestError, match='"qwen3:8b" does not support tools'):
        exchange(CHAT, chat(tools=[{"type": "function"}]), plain)
    assert "chat_template_kwargs" not in asked(CHAT, chat(think=False), plain)


@pytest.mark.parametrize(
    ("body", "want"),
    [
        (chat(messages=[{"role": "user", "content": 5}]), "ChatRequest.messages.content of type string"),
        (chat(messages=[{"role": "user", "images": "x"}]), "ChatRequest.messages.images of type []api.ImageData"),
        (chat(options=[]), "cannot unmarshal array into Go struct field ChatRequest.options of type map"),
        (b"hello", "invalid character 'h'"),
    ],
)
def test_wrong_types_are_named(body: Any, want: str) -> None:
    with pytest.raises(BadRequestError, match=want.replace("[", r"\[")):
        exchange(CHAT, body)
