"""POST /tokenize and /detokenize."""

from __future__ import annotations

from aiohttp import web

from ... import text
from . import answering, requests, state
from .errors import RequestError, reply


async def tokenize(request: web.Request) -> web.Response:
    """Cut a prompt or a conversation into tokens."""
    server = request.app[state.KEY]
    body = await requests.read(request)
    server.check_model(body.get("model"))
    if "messages" in body:
        thinking = answering.thinks(server, body)
        prompt = answering.render(requests.messages(body), body.get("tools"), thinking=thinking, state=server)
    else:
        prompt = str(requests.required(body, "prompt"))
    numbers = server.vocabulary.numbers(prompt)
    strings = None
    if body.get("return_token_strs") is True:
        strings = [token.replace(" ", "Ġ").replace("\n", "Ċ") for token in text.split(prompt)]
    limit = server.loaded.max_model_len
    return reply({"count": len(numbers), "max_model_len": limit, "tokens": numbers, "token_strs": strings})


async def detokenize(request: web.Request) -> web.Response:
    """Join tokens."""
    server = request.app[state.KEY]
    body = await requests.read(request)
    server.check_model(body.get("model"))
    try:
        return reply({"prompt": server.vocabulary.text(requests.required(body, "tokens"))})
    except (IndexError, TypeError):
        raise RequestError("Token id is out of vocabulary", param="tokens") from None
