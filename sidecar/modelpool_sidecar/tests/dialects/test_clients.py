"""What the gateway words itself, read with the types of the clients people use."""

import json

import ollama
import openai.types
import pytest
from openai.types.chat import ChatCompletionMessageParam
from pydantic import TypeAdapter

from modelpool_sidecar.dialects import model_cards
from modelpool_sidecar.translation import Translation

from ..translation.asking import TIMINGS, asked, chat, exchange
from . import recordings
from .test_model_cards import BARE, NOW, QWEN

LATER = TIMINGS.dispatched_ns + 1_000


def test_ollamas_client_reads_the_catalog() -> None:
    listed = ollama.ListResponse.model_validate_json(model_cards.tags([QWEN, BARE]).body)
    assert [model.model for model in listed.models] == ["qwen3:8b", "qwen3", "gemma3:4b", "cogito"]
    assert listed.models[0].modified_at is not None
    running = ollama.ProcessResponse.model_validate_json(model_cards.resident([QWEN], epoch_ns=NOW).body)
    assert running.models[0].context_length == 8192
    for card in (QWEN, BARE):
        shown = ollama.ShowResponse.model_validate_json(model_cards.show(card).body)
        assert shown.modelinfo is not None
        assert shown.capabilities == list(card.capabilities)


def test_openais_client_reads_the_catalog() -> None:
    models = [openai.types.Model.model_validate(one) for one in json.loads(model_cards.models([QWEN]).body)["data"]]
    assert [model.id for model in models] == ["qwen3:8b", "qwen3", "gemma3:4b"]


@pytest.mark.parametrize(
    "name", ["25-chat-reasoning-parser-stream", "18c-chat-tools-auto-stream", "12-chat-stream-usage"]
)
def test_ollamas_client_reads_a_translated_chat(name: str) -> None:
    body = recordings.load(f"vllm/{name}").body
    reply = exchange(Translation.CHAT, chat()).open(TIMINGS)
    lines = (reply.feed(body, LATER) + reply.close(LATER)).splitlines()
    parts = [ollama.ChatResponse.model_validate_json(line) for line in lines]
    assert [part.done for part in parts] == [False] * (len(parts) - 1) + [True]
    assert parts[-1].eval_count
    if name.startswith("18c"):
        (call,) = parts[0].message.tool_calls or []
        assert call.function.arguments == {"city": "Paris"}
    if name.startswith("25"):
        assert "".join(part.message.thinking or "" for part in parts) == "The user greets me."


def test_what_ollamas_client_sends_is_what_openai_takes() -> None:
    """A conversation with a tool, an image and a thought, built by one client and checked by the other's types."""
    call = ollama.Message.ToolCall(function=ollama.Message.ToolCall.Function(name="f", arguments={"a": 1}))
    turns = [
        ollama.Message(role="system", content="s"),
        ollama.Message(role="user", content="look", images=[ollama.Image(value="iVBORw0KGgo=")]),
        ollama.Message(role="assistant", thinking="hm", tool_calls=[call]),
        ollama.Message(role="tool", content="2", tool_name="f"),
    ]
    sent = [json.loads(turn.model_dump_json(exclude_none=True)) for turn in turns]
    messages = asked(Translation.CHAT, {"model": "m", "messages": sent})["messages"]
    checked = TypeAdapter(list[ChatCompletionMessageParam]).validate_python(messages)
    assert len(checked) == len(turns)
    assert messages[3]["tool_call_id"] == messages[2]["tool_calls"][0]["id"]
