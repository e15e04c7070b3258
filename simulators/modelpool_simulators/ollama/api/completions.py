"""POST /v1/completions. Its streams carry a usage of zeros in every chunk when the usage is asked for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from aiohttp import web

from . import errors, openai, reading, session
from .state import KEY


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
        **openai.limits(model, body),
    )
    head = openai.head(body, "cmpl", "text_completion")
    pieces = session.answer(server, ask)
    if body.get("stream") is True:
        return await openai.stream(request, _text_events(head, pieces, usage=openai.wants_usage(body)))
    got, end = await openai.collect(pieces)
    choice = {"text": "".join(one.content for one in got), "index": 0, "finish_reason": end.reason}
    return errors.openai({**head, "choices": [choice], "usage": openai.usage(end)})


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
        yield openai.event({**start, "choices": [choice], **rest, **nothing})
        if ended and usage and isinstance(piece, session.End):
            yield openai.event({**start, "choices": [], **rest, "usage": openai.usage(piece)})
    yield openai.DONE
