"""A conversation that Ollama's context does not hold: what is left of it, and when it is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelpool_simulators import text
from modelpool_simulators.ollama.api.conversations import Conversation, render

from .serving import ollama

ROLES = st.sampled_from(["user", "assistant", "tool", "system", "caller"])
HISTORIES = st.lists(st.tuples(ROLES, st.text("ab c", max_size=30)), min_size=1, max_size=12)


def messages_of(history: list[tuple[str, str]]) -> list[dict[str, Any]]:
    """A `caller` is an assistant that calls tools."""
    return [
        {"role": "assistant", "content": said, "tool_calls": [{}]}
        if role == "caller"
        else {"role": role, "content": said}
        for role, said in history
    ]


@given(HISTORIES, st.integers(1, 120))
def test_a_suffix_with_the_system_messages_is_left(history: list[tuple[str, str]], context: int) -> None:
    messages = messages_of(history)
    left = "".join(Conversation(messages=messages).prompt(context))
    suffixes = [
        [*(one for one in messages[:begin] if one["role"] == "system"), *messages[begin:]]
        for begin in range(len(messages))
    ]
    prompts = [render(one) for one in suffixes]
    assert left in prompts
    fit = [prompt for prompt in prompts if text.count(prompt) <= context]
    assert text.count(left) <= context or not fit or messages[-1]["role"] == "tool"
    if text.count(prompts[0]) <= context:
        assert left == prompts[0]


def test_the_answer_of_a_tool_stays_with_its_call() -> None:
    told = [("user", "a " * 50), ("caller", "calls"), ("tool", "one"), ("tool", "two")]
    messages = messages_of(told)
    assert "".join(Conversation(messages=messages).prompt(1)) == render(messages[1:])


@pytest.mark.parametrize("path", ["/api/chat", "/v1/chat/completions"])
async def test_a_long_conversation_is_answered_and_a_long_message_is_not(path: str) -> None:
    said = [{"role": "user" if place % 2 == 0 else "assistant", "content": "word " * 40} for place in range(41)]
    async with ollama(FAKE_OLLAMA_PRELOADED="cogito:8b", OLLAMA_CONTEXT_LENGTH="256") as (session, _):
        for messages, more, want in (
            (said, {}, 200),
            ([{"role": "user", "content": "word " * 400}], {}, 400),
            (said, {"truncate": False}, 400 if path == "/api/chat" else 200),
        ):
            body = json.dumps({"model": "cogito:8b", "messages": messages, "stream": False, **more})
            async with session.post(path, data=body) as response:
                assert response.status == want, await response.text()
