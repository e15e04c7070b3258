"""POST /v1/chat/completions and /v1/completions, GET /v1/models: OpenAI's dialect as Ollama speaks it.

`n`, `max_completion_tokens` and `tool_choice` are ignored, as in the real server.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import AsyncIterator
from typing import Any

from aiohttp import web

from ... import engine
from .. import golang
from ..store import Model
from . import errors, logprobs, reading, session
from .reading import Body
from .state import KEY, State

DONE = b"data: [DONE]\n\n"


async def chat(request: web.Request) -> web.StreamResponse:
    """Answer a conversation."""
    server = request.app[KEY]
    body = await reading.read(request, "ChatCompletionRequest", checked=True)
    if not body.get("messages"):
        raise errors.ApiError(400, "[] is too short - 'messages'", checked=True)
    ask = _conversation(server, body)
    head = _head(body, "chatcmpl", "chat.completion")
    pieces = session.answer(server, ask)
    shown = int(body.get("top_logprobs") or 0) if body.get("logprobs") is True else None
    if body.get("stream") is True:
        head["object"] = "chat.completion.chunk"
        return await stream(request, _chat_events(head, pieces, usage=_wants_usage(body), shown=shown))
    return errors.openai(await _chat_whole(head, pieces, shown))


async def completions(request: web.Request) -> web.StreamResponse:
    """Continue a prompt."""
    server = request.app[KEY]
    body = await reading.read(request, "CompletionRequest", checked=True)
    prompt = body.get("prompt")
    prompt = prompt[0] if isinstance(prompt, list) and prompt else prompt
    said = [{"role": "user", "content": str(prompt or "")}]
    model = server.model(body.get("model"))
    ask = session.Ask(
        model=model,
        prompt=session.render(said, system=model.system),
        topic=str(prompt or ""),
        think=False,
        **_limits(model, body),
    )
    head = _head(body, "cmpl", "text_completion")
    pieces = session.answer(server, ask)
    if body.get("stream") is True:
        return await stream(request, _text_events(head, pieces, usage=_wants_usage(body)))
    got, end = await _collect(pieces)
    choice = {"text": "".join(one.content for one in got), "index": 0, "finish_reason": end.reason}
    return errors.openai({**head, "choices": [choice], "usage": _usage(end)})


async def models(request: web.Request) -> web.Response:
    """List the models; none is `null`, as in the real server."""
    found = [_model(model) for model in request.app[KEY].store.all()]
    return errors.openai({"object": "list", "data": found or None})


async def model(request: web.Request) -> web.Response:
    """Describe one model."""
    return errors.openai(_model(request.app[KEY].model(request.match_info["name"])))


async def stream(request: web.Request, events: AsyncIterator[bytes]) -> web.StreamResponse:
    """Send events as they come; nothing goes out before the first one."""
    first = await anext(events)
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    response.enable_chunked_encoding()
    await response.prepare(request)
    await response.write(first)
    async for event in events:
        await response.write(event)
    await response.write_eof()
    return response


def event(value: Any) -> bytes:
    """Frame one event."""
    return b"data: " + golang.encode(value) + b"\n\n"


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
        topic=session.written(messages[-1].get("content")),
        think=None if effort is None else effort != "none",
        schema=schema,
        tools=tools,
        answered_tools=any(message.get("role") == "tool" for message in messages),
        images=_images(messages),
        **_limits(model, body),
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


def _limits(model: Model, body: Body) -> dict[str, Any]:
    stop = body.get("stop") or model.parameters.get("stop") or []
    context = model.parameters.get("num_ctx")
    return {
        "limit": int(body["max_tokens"]) if body.get("max_tokens") else None,
        "stops": [stop] if isinstance(stop, str) else [str(one) for one in stop],
        "seed": int(body.get("seed") or 0),
        "context": int(context) if context else None,
    }


async def _chat_whole(
    head: dict[str, Any], pieces: AsyncIterator[session.Piece | session.End], shown: int | None
) -> dict[str, Any]:
    got, end = await _collect(pieces)
    message: dict[str, Any] = {"role": "assistant", "content": "".join(one.content for one in got)}
    if thinking := "".join(one.thinking for one in got):
        message["reasoning"] = thinking
    if calls := [call for one in got for call in one.calls]:
        message["tool_calls"] = [_call(index, call) for index, call in enumerate(calls)]
    choice = {"index": 0, "message": message, "finish_reason": _reason(end)}
    if shown is not None:
        tokens = [token for one in got for token in one.tokens]
        choice["logprobs"] = {"content": logprobs.native(tokens, shown)}
    return {**head, "choices": [choice], "usage": _usage(end)}


async def _chat_events(
    head: dict[str, Any], pieces: AsyncIterator[session.Piece | session.End], *, usage: bool, shown: int | None
) -> AsyncIterator[bytes]:
    role = {"role": "assistant"}
    try:
        async for piece in pieces:
            if isinstance(piece, session.End):
                yield event({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": _reason(piece)}]})
                if usage:
                    yield event({**head, "choices": [], "usage": _usage(piece)})
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
            yield event({**head, "choices": [choice]})
    except engine.EngineDeadError:
        if role:
            raise
        # The real server ends like this: an empty chunk without a model, then nothing.
        yield event({**head, "model": "", "choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": None}]})
        return
    yield DONE


async def _text_events(
    head: dict[str, Any], pieces: AsyncIterator[session.Piece | session.End], *, usage: bool
) -> AsyncIterator[bytes]:
    start = {"id": head["id"], "object": head["object"], "created": head["created"]}
    rest = {"model": head["model"], "system_fingerprint": head["system_fingerprint"]}
    nothing = {"usage": {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}} if usage else {}
    async for piece in pieces:
        ended = isinstance(piece, session.End)
        choice = {
            "text": "" if isinstance(piece, session.End) else piece.content,
            "index": 0,
            "finish_reason": piece.reason if isinstance(piece, session.End) else None,
        }
        yield event({**start, "choices": [choice], **rest, **nothing})
        if ended and usage and isinstance(piece, session.End):
            yield event({**start, "choices": [], **rest, "usage": _usage(piece)})
    yield DONE


async def _collect(
    pieces: AsyncIterator[session.Piece | session.End],
) -> tuple[list[session.Piece], session.End]:
    got: list[session.Piece] = []
    async for piece in pieces:
        if isinstance(piece, session.End):
            return got, piece
        got.append(piece)
    raise errors.ApiError(500, errors.CRASHED)


def _head(body: Body, prefix: str, kind: str) -> dict[str, Any]:
    return {
        "id": f"{prefix}-{random.randrange(999)}",  # noqa: S311 - as unsafe as the real one
        "object": kind,
        "created": int(time.time()),
        "model": body["model"],
        "system_fingerprint": "fp_ollama",
    }


def _usage(end: session.End) -> dict[str, int]:
    return {
        "prompt_tokens": end.prompt_tokens,
        "completion_tokens": end.tokens,
        "total_tokens": end.prompt_tokens + end.tokens,
    }


def _wants_usage(body: Body) -> bool:
    return (body.get("stream_options") or {}).get("include_usage") is True


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


def _model(model: Model) -> dict[str, Any]:
    return {"id": model.name, "object": "model", "created": model.modified // 10**9, "owned_by": "library"}
