"""POST /v1/messages: Anthropic's dialect as Ollama speaks it."""

from __future__ import annotations

import json
import secrets
from collections.abc import AsyncIterator
from typing import Any

from aiohttp import web

from .. import golang
from . import errors, openai, reading, session
from .reading import Body
from .state import KEY, State

_REASONS = {"stop": "end_turn", "length": "max_tokens"}


async def messages(request: web.Request) -> web.StreamResponse:
    """Answer a conversation."""
    server = request.app[KEY]
    body = await reading.read(request, "MessagesRequest", checked=True)
    if not body.get("messages"):
        raise errors.ApiError(400, "messages is required")
    if not body.get("max_tokens"):
        raise errors.ApiError(400, "max_tokens is required and must be positive")
    pieces = session.answer(server, _understand(server, body))
    identifier = f"msg_{secrets.token_hex(12)}"
    if body.get("stream") is True:
        return await openai.stream(request, _events(identifier, body, pieces))
    return errors.openai(await _whole(identifier, body, pieces))


def _understand(server: State, body: Body) -> session.Ask:
    model = server.model(body.get("model"))
    said = list(body["messages"])
    tools = [
        {"type": "function", "function": {"name": tool.get("name"), "parameters": tool.get("input_schema")}}
        for tool in body.get("tools") or []
    ]
    parts = [part for one in said if isinstance(one.get("content"), list) for part in one["content"]]
    kinds = {part.get("type") for part in parts if isinstance(part, dict)}
    thinking = (body.get("thinking") or {}).get("type")
    system = session.written(body.get("system")) or model.system
    return session.Ask(
        model=model,
        prompt=session.render(said, tools, system=system),
        topic=session.written(said[-1].get("content")),
        think=None if thinking is None else thinking == "enabled",
        limit=int(body["max_tokens"]),
        stops=[str(stop) for stop in body.get("stop_sequences") or []],
        tools=tools,
        answered_tools="tool_result" in kinds,
        images="image" in kinds,
    )


async def _whole(identifier: str, body: Body, pieces: AsyncIterator[session.Piece | session.End]) -> dict[str, Any]:
    got: list[session.Piece] = []
    async for piece in pieces:
        if isinstance(piece, session.Piece):
            got.append(piece)
            continue
        content: list[dict[str, Any]] = []
        if thinking := "".join(one.thinking for one in got):
            content.append({"type": "thinking", "thinking": thinking})
        calls = [call for one in got for call in one.calls]
        if piece.answer or not calls:
            content.append({"type": "text", "text": piece.answer})
        content += [{"type": "tool_use", "id": call.id, "name": call.name, "input": call.arguments} for call in calls]
        return {
            "id": identifier,
            "type": "message",
            "role": "assistant",
            "model": body["model"],
            "content": content,
            "stop_reason": _reason(piece),
            "usage": {"input_tokens": piece.prompt_tokens, "output_tokens": piece.tokens},
        }
    raise errors.ApiError(500, errors.CRASHED)


async def _events(
    identifier: str, body: Body, pieces: AsyncIterator[session.Piece | session.End]
) -> AsyncIterator[bytes]:
    start = {
        "id": identifier,
        "type": "message",
        "role": "assistant",
        "model": body["model"],
        "content": [],
        "usage": {"input_tokens": 0, "output_tokens": 0},
    }
    begun = False
    index, kind = -1, ""
    async for piece in pieces:
        if not begun:
            yield _event("message_start", message=start)
            begun = True
        if isinstance(piece, session.End):
            if index >= 0:
                yield _event("content_block_stop", index=index)
            usage = {"input_tokens": piece.prompt_tokens, "output_tokens": piece.tokens}
            yield _event("message_delta", delta={"stop_reason": _reason(piece)}, usage=usage)
            yield _event("message_stop")
            continue
        for wanted, block, delta in _blocks(piece):
            if wanted != kind or wanted == "tool_use":
                if index >= 0:
                    yield _event("content_block_stop", index=index)
                index, kind = index + 1, wanted
                yield _event("content_block_start", index=index, content_block=block)
            yield _event("content_block_delta", index=index, delta=delta)


def _blocks(piece: session.Piece) -> list[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Return kind, opening and delta of every block a piece adds to."""
    found: list[tuple[str, dict[str, Any], dict[str, Any]]] = []
    if piece.thinking:
        delta = {"type": "thinking_delta", "thinking": piece.thinking}
        found.append(("thinking", {"type": "thinking", "thinking": ""}, delta))
    if piece.content:
        found.append(("text", {"type": "text", "text": ""}, {"type": "text_delta", "text": piece.content}))
    for call in piece.calls:
        block = {"type": "tool_use", "id": call.id, "name": call.name, "input": {}}
        found.append(("tool_use", block, {"type": "input_json_delta", "partial_json": json.dumps(call.arguments)}))
    return found


def _event(kind: str, **fields: Any) -> bytes:
    return f"event: {kind}\n".encode() + b"data: " + golang.encode({"type": kind, **fields}) + b"\n\n"


def _reason(end: session.End) -> str:
    return "tool_use" if end.called and end.reason == "stop" else _REASONS[end.reason]
