"""POST /api/generate and /api/chat: newline-delimited JSON, or one object."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from aiohttp import web

from ... import engine
from .. import golang
from . import errors, logprobs, reading, session
from .reading import Body
from .state import KEY, State

Fields = dict[str, Any]


async def generate(request: web.Request) -> web.StreamResponse:
    """Answer a prompt."""
    server = request.app[KEY]
    body = await reading.read(request, "GenerateRequest")
    model = server.model(body.get("model"))
    keep_alive = _keep_alive(body)
    options = model.parameters | reading.options(body)
    if not body.get("prompt"):
        reason = await _load_or_unload(server, body, keep_alive)
        return errors.reply({**_head(body), "response": "", "done": True, "done_reason": reason})
    raw = body.get("raw") is True
    if raw and (body.get("template") or body.get("system") or body.get("context")):
        raise errors.ApiError(400, "raw mode does not support template, system, or context")
    system = body.get("system") or model.system
    said = [{"role": "user", "content": body["prompt"]}]
    ask = session.Ask(
        model=model,
        prompt=body["prompt"] if raw else session.render(said, system=system),
        topic=body["prompt"],
        think=reading.thinks(body.get("think")),
        schema=reading.schema(body.get("format")),
        images=bool(body.get("images")),
        keep_alive=keep_alive,
        **_limits(options),
    )

    def frame(piece: session.Piece) -> Fields:
        thinking = {"thinking": piece.thinking} if piece.thinking else {}
        return {"response": piece.content, **thinking}

    def context(end: session.End) -> Fields:
        return {} if raw else {"context": server.vocabulary.numbers(ask.prompt + end.answer)}

    return await _send(request, body, ask, frame, context)


async def chat(request: web.Request) -> web.StreamResponse:
    """Answer a conversation."""
    server = request.app[KEY]
    body = await reading.read(request, "ChatRequest")
    think = reading.thinks(body.get("think"))
    model = server.model(body.get("model"))
    keep_alive = _keep_alive(body)
    options = model.parameters | reading.options(body)
    messages = body.get("messages") or []
    if not messages:
        reason = await _load_or_unload(server, body, keep_alive)
        message = {"role": "assistant", "content": ""}
        return errors.reply({**_head(body), "message": message, "done": True, "done_reason": reason})
    tools = body.get("tools") or []
    truncates = body.get("truncate") is not False
    ask = session.Ask(
        model=model,
        prompt=session.render(messages, tools, system=model.system),
        conversation=session.Conversation(messages=messages, tools=tools, system=model.system) if truncates else None,
        topic=session.written(messages[-1].get("content")),
        think=think,
        schema=reading.schema(body.get("format")),
        tools=tools,
        answered_tools=any(message.get("role") == "tool" for message in messages),
        images=any(message.get("images") for message in messages),
        keep_alive=keep_alive,
        **_limits(options),
    )

    def frame(piece: session.Piece) -> Fields:
        message: Fields = {"role": "assistant", "content": piece.content}
        if piece.thinking:
            message["thinking"] = piece.thinking
        if piece.calls:
            message["tool_calls"] = [_call(index, call) for index, call in enumerate(piece.calls)]
        return {"message": message}

    return await _send(request, body, ask, frame, lambda _: {})


async def _send(
    request: web.Request,
    body: Body,
    ask: session.Ask,
    frame: Callable[[session.Piece], Fields],
    context: Callable[[session.End], Fields],
) -> web.StreamResponse:
    pieces = session.answer(request.app[KEY], ask)
    shown = int(body.get("top_logprobs") or 0) if body.get("logprobs") is True else None
    if body.get("stream") is False:
        return errors.reply(await _whole(body, pieces, frame, context, shown))
    return await ndjson(request, _lines(body, pieces, frame, context, shown))


async def _whole(
    body: Body,
    pieces: AsyncIterator[session.Piece | session.End],
    frame: Callable[[session.Piece], Fields],
    context: Callable[[session.End], Fields],
    shown: int | None,
) -> Fields:
    got: list[session.Piece] = []
    async for piece in pieces:
        if isinstance(piece, session.Piece):
            got.append(piece)
            continue
        joined = session.Piece(
            content="".join(one.content for one in got),
            thinking="".join(one.thinking for one in got),
            calls=[call for one in got for call in one.calls],
        )
        tokens = [token for one in got for token in one.tokens]
        extra = {} if shown is None else {"logprobs": logprobs.native(tokens, shown)}
        return {**_head(body), **frame(joined), **_done(piece, context(piece)), **extra}
    raise errors.ApiError(500, errors.CRASHED)


async def _lines(
    body: Body,
    pieces: AsyncIterator[session.Piece | session.End],
    frame: Callable[[session.Piece], Fields],
    context: Callable[[session.End], Fields],
    shown: int | None,
) -> AsyncIterator[Fields]:
    async for piece in pieces:
        if isinstance(piece, session.End):
            yield {**_head(body), **frame(session.Piece()), **_done(piece, context(piece))}
        else:
            extra = {} if shown is None else {"logprobs": logprobs.native(piece.tokens, shown)}
            yield {**_head(body), **frame(piece), "done": False, **extra}


async def ndjson(request: web.Request, lines: AsyncIterator[Fields]) -> web.StreamResponse:
    """Send lines as they come; nothing goes out before the first one, and an error after it is the last one."""
    first = await anext(lines)
    response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
    response.enable_chunked_encoding()
    await response.prepare(request)
    await response.write(golang.encode(first) + b"\n")
    try:
        async for line in lines:
            await response.write(golang.encode(line) + b"\n")
    except engine.EngineDeadError:
        await response.write(golang.encode({"error": errors.CRASHED}) + b"\n")
    await response.write_eof()
    return response


def _head(body: Body) -> Fields:
    return {"model": body["model"], "created_at": golang.timestamp(time.time_ns())}


def _done(end: session.End, context: Fields) -> Fields:
    """Write the last line's fields; what is zero is left out."""
    costs = {
        "total_duration": end.total_duration,
        "load_duration": end.load_duration,
        "prompt_eval_count": end.prompt_tokens,
        "prompt_eval_duration": end.prompt_duration,
        "eval_count": end.tokens,
        "eval_duration": end.duration,
    }
    return {"done": True, "done_reason": end.reason, **context, **{key: value for key, value in costs.items() if value}}


def _call(index: int, call: session.ToolCall) -> Fields:
    return {"id": call.id, "function": {"index": index, "name": call.name, "arguments": call.arguments}}


def _limits(options: Fields) -> dict[str, Any]:
    limit = int(options.get("num_predict", -1))
    stops: Sequence[str] = [str(stop) for stop in options.get("stop", [])]
    return {
        "limit": limit if limit > 0 else None,
        "stops": stops,
        "seed": int(options.get("seed") or 0),
        "context": int(options["num_ctx"]) if options.get("num_ctx") else None,
    }


def _keep_alive(body: Body) -> float | None:
    if body.get("keep_alive") is None:
        return None
    try:
        return golang.seconds(body["keep_alive"])
    except ValueError as error:
        raise errors.ApiError(400, str(error)) from None


async def _load_or_unload(server: State, body: Body, keep_alive: float | None) -> str:
    model = server.model(body["model"])
    if "completion" not in model.capabilities():
        raise errors.ApiError(400, f'"{body["model"]}" does not support generate')
    if keep_alive == 0:
        await server.runners.unload(model)
        return "unload"
    async with server.runners.using(model, keep_alive=keep_alive):
        return "load"
