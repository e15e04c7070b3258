"""POST /v1/responses, in the basic shape: text in, one message out, whole or streamed."""

from __future__ import annotations

import random
import time
from collections.abc import AsyncIterator
from typing import Any

from aiohttp import web

from .. import golang
from . import errors, openai, reading, session
from .reading import Body
from .state import KEY


async def responses(request: web.Request) -> web.StreamResponse:
    """Answer an input."""
    server = request.app[KEY]
    body = await reading.read(request, "ResponsesRequest", checked=True)
    model = server.model(body.get("model"))
    given = body.get("input") or ""
    messages = [{"role": "user", "content": given}] if isinstance(given, str) else list(given)
    if body.get("instructions"):
        messages.insert(0, {"role": "system", "content": body["instructions"]})
    limit = body.get("max_output_tokens")
    effort = (body.get("reasoning") or {}).get("effort")
    ask = session.Ask(
        model=model,
        prompt=session.render(messages, system=model.system),
        topic=session.written(messages[-1].get("content")) if messages else "",
        think=None if effort is None else effort != "none",
        limit=int(limit) if limit else None,
    )
    answer = _Answer(body)
    pieces = session.answer(server, ask)
    if body.get("stream") is True:
        return await openai.stream(request, answer.events(pieces))
    async for piece in pieces:
        if isinstance(piece, session.End):
            return errors.openai(answer.response("completed", [answer.message(piece.answer)], piece))
    raise errors.ApiError(500, errors.CRASHED)


class _Answer:
    """One answer, in either shape."""

    def __init__(self, body: Body) -> None:
        self._body = body
        self._created = int(time.time())
        self._id = f"resp_{random.randrange(10**6)}"  # noqa: S311 - as the real one
        self._item = f"msg_{random.randrange(10**6)}"  # noqa: S311 - as the real one

    def message(self, said: str) -> dict[str, Any]:
        """Write the output item."""
        content = [{"type": "output_text", "text": said, "annotations": [], "logprobs": []}]
        return {"id": self._item, "type": "message", "status": "completed", "role": "assistant", "content": content}

    def response(self, status: str, output: list[dict[str, Any]], end: session.End | None) -> dict[str, Any]:
        """Write the whole response."""
        body = self._body
        return {
            "id": self._id,
            "object": "response",
            "created_at": self._created,
            "completed_at": int(time.time()) if end else None,
            "status": status,
            "incomplete_details": None,
            "model": body["model"],
            "previous_response_id": None,
            "instructions": body.get("instructions"),
            "output": output,
            "error": None,
            "tools": body.get("tools") or [],
            "tool_choice": "auto",
            "truncation": "disabled",
            "parallel_tool_calls": True,
            "text": {"format": {"type": "text"}},
            "top_p": body.get("top_p") or 1,
            "presence_penalty": 0,
            "frequency_penalty": 0,
            "top_logprobs": 0,
            "temperature": body.get("temperature") or 1,
            "reasoning": None,
            "usage": _usage(end) if end else None,
            "max_output_tokens": body.get("max_output_tokens"),
            "max_tool_calls": None,
            "store": False,
            "background": False,
            "service_tier": "default",
            "metadata": {},
            "safety_identifier": None,
            "prompt_cache_key": None,
        }

    async def events(self, pieces: AsyncIterator[session.Piece | session.End]) -> AsyncIterator[bytes]:
        """Yield the answer as events."""
        number = -1

        def event(kind: str, **fields: Any) -> bytes:
            nonlocal number
            number += 1
            value = {"type": kind, "sequence_number": number, **fields}
            return f"event: {kind}\n".encode() + b"data: " + golang.encode(value) + b"\n\n"

        yield event("response.created", response=self.response("in_progress", [], None))
        yield event("response.in_progress", response=self.response("in_progress", [], None))
        begun = {**self.message(""), "status": "in_progress", "content": []}
        yield event("response.output_item.added", output_index=0, item=begun)
        place = {"item_id": self._item, "output_index": 0, "content_index": 0}
        part = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
        yield event("response.content_part.added", **place, part=part)
        async for piece in pieces:
            if isinstance(piece, session.Piece):
                if piece.content:
                    yield event("response.output_text.delta", **place, delta=piece.content, logprobs=[])
                continue
            yield event("response.output_text.done", **place, text=piece.answer, logprobs=[])
            yield event("response.content_part.done", **place, part={**part, "text": piece.answer})
            message = self.message(piece.answer)
            yield event("response.output_item.done", output_index=0, item=message)
            yield event("response.completed", response=self.response("completed", [message], piece))


def _usage(end: session.End) -> dict[str, Any]:
    return {
        "input_tokens": end.prompt_tokens,
        "output_tokens": end.tokens,
        "total_tokens": end.prompt_tokens + end.tokens,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens_details": {"reasoning_tokens": 0},
    }
