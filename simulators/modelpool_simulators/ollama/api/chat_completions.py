"""POST /v1/chat/completions: OpenAI's dialect as Ollama speaks it.

`n`, `max_completion_tokens` and `tool_choice` are ignored, as in the real server.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

from aiohttp import web

from ... import engine
from . import errors, logprobs, openai, reading, session
from .reading import Body
from .state import KEY, State


async def chat(request: web.Request) -> web.StreamResponse:
    """Answer a conversation."""
    server = request.app[KEY]
    body = await reading.read(request, "ChatCompletionRequest", checked=True)
    if not body.get("messages"):
        raise errors.ApiError(400, "[] is too short - 'messages'", checked=True)
    ask = _conversation(server, body)
    head = openai.head(body, "chatcmpl", "chat.completion")
    pieces = session.answer(server, ask)
    shown = int(body.get("top_logprobs") or 0) if body.get("logprobs") is True else None
    if body.get("stream") is True:
        head["object"] = "chat.completion.chunk"
        return await openai.stream(request, _chat_events(head, pieces, usage=openai.wants_usage(body), shown=shown))
    return errors.openai(await _chat_whole(head, pieces, shown))


def _conversation(server: State, body: Body) -> session.Ask:
    model = server.model(body.get("model"))
    messages = body["messages"]
    tools = body.get("tools") or []
    effort = body.get("reasoning_effort") or (body.get("reasoning") or {}).get("effort")
    wanted = body.get("response_format") or {}
    schema = None
    if wanted.get("type") == "json_object":
        schema = reading.schema("json")
    elif wanted.get("type") == "json_schema":
        schema = reading.schema((wanted.get("json_schema") or {}).get("schema") or "json")
    return session.Ask(
        model=model,
        prompt=session.render(messages, tools, system=model.system),
        conversation=session.Conversation(messages=messages, tools=tools, system=model.system),
        topic=session.written(messages[-1].get("content")),
        think=None if effort is None else effort != "none",
        schema=schema,
        tools=tools,
        answered_tools=any(message.get("role") == "tool" for message in messages),
        images=_images(messages),
        **openai.limits(model, body),
    )


def _images(messages: list[dict[str, Any]]) -> bool:
    parts = [part for message in messages if isinstance(message.get("content"), list) for part in message["content"]]
    images = [part for part in parts if isinstance(part, dict) and part.get("type") == "image_url"]
    for part in images:
        url = part.get("image_url")
        address = url.get("url") if isinstance(url, dict) else url
        if not str(address).startswith("data:"):
            raise errors.ApiError(400, "invalid image input")
    return bool(images)


async def _chat_whole(
    head: dict[str, Any], pieces: AsyncIterator[session.Piece | session.End], shown: int | None
) -> dict[str, Any]:
    got, end = await openai.collect(pieces)
    message: dict[str, Any] = {"role": "assistant", "content": "".join(one.content for one in got)}
    if thinking := "".join(one.thinking for one in got):
        message["reasoning"] = thinking
    if calls := [call for one in got for call in one.calls]:
        message["tool_calls"] = [_call(index, call) for index, call in enumerate(calls)]
    choice = {"index": 0, "message": message, "finish_reason": _reason(end)}
    if shown is not None:
        tokens = [token for one in got for token in one.tokens]
        choice["logprobs"] = {"content": logprobs.native(tokens, shown)}
    return {**head, "choices": [choice], "usage": openai.usage(end)}


async def _chat_events(
    head: dict[str, Any], pieces: AsyncIterator[session.Piece | session.End], *, usage: bool, shown: int | None
) -> AsyncIterator[bytes]:
    role = {"role": "assistant"}
    try:
        async for piece in pieces:
            if isinstance(piece, session.End):
                yield openai.event({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": _reason(piece)}]})
                if usage:
                    yield openai.event({**head, "choices": [], "usage": openai.usage(piece)})
                continue
            delta: dict[str, Any] = {**role, "content": piece.content}
            role = {}
            if piece.thinking:
                delta["reasoning"] = piece.thinking
            if piece.calls:
                delta["tool_calls"] = [_call(index, call) for index, call in enumerate(piece.calls)]
            choice: dict[str, Any] = {"index": 0, "delta": delta, "finish_reason": None}
            if shown is not None:
                choice["logprobs"] = {"content": logprobs.native(piece.tokens, shown)}
            yield openai.event({**head, "choices": [choice]})
    except engine.EngineDeadError:
        if role:
            raise
        # The real server ends like this: an empty chunk without a model, then nothing.
        yield openai.event(
            {**head, "model": "", "choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": None}]}
        )
        return
    yield openai.DONE


def _reason(end: session.End) -> str:
    return "tool_calls" if end.called and end.reason == "stop" else end.reason


def _call(index: int, call: session.ToolCall) -> dict[str, Any]:
    arguments = json.dumps(call.arguments, separators=(",", ":"), ensure_ascii=False)
    return {
        "id": call.id,
        "index": index,
        "type": "function",
        "function": {"name": call.name, "arguments": arguments},
    }
