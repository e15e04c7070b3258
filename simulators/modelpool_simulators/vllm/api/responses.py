"""POST /v1/responses, in the basic shape: text in, one message out, whole or streamed."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Mapping
from typing import Any

from aiohttp import web

from ... import scripts
from . import answering, requests, sse, state
from .errors import reply


async def responses(request: web.Request) -> web.StreamResponse:
    """Answer an input."""
    server = request.app[state.KEY]
    body = await requests.read(request)
    server.check_model(body.get("model"))
    server.engine.check()
    messages = _messages(body)
    chat = {key: value for key, value in body.items() if key not in ("tools", "tool_choice", "stream_options")}
    asked = answering.conversation(server, chat, messages, max_tokens=body.get("max_output_tokens"))
    answer = _Answer(server, body, asked)
    if asked.sampling.stream:
        return await sse.send(request, answer.stream())
    return reply(await answer.whole())


def _messages(body: requests.Body) -> list[Mapping[str, Any]]:
    given = requests.required(body, "input")
    said = [{"role": "user", "content": given}] if isinstance(given, str) else given
    messages = [one if "role" in one else {"role": "user", "content": ""} for one in said]
    if body.get("instructions"):
        messages.insert(0, {"role": "system", "content": body["instructions"]})
    return requests.messages({"messages": messages})


class _Answer:
    """One answer, in either shape."""

    def __init__(self, server: state.State, body: requests.Body, asked: answering.Asked) -> None:
        self._server = server
        self._body = body
        self._asked = asked
        self._tally = answering.Tally(prompt=len(asked.prompt))
        self._created = state.created()
        self._id = f"resp_{secrets.token_hex(8)}"
        self._item = f"msg_{secrets.token_hex(8)}"

    async def whole(self) -> dict[str, Any]:
        """Return the answer in one piece."""
        with answering.generating(self._server, self._asked) as (generation, *_):
            tokens, last = await answering.collect(generation, self._tally)
        said = "".join(token.text for token in tokens if token.channel is scripts.Channel.CONTENT)
        return self._response("incomplete" if last.finish == "length" else "completed", [self._message(said)])

    async def stream(self) -> AsyncIterator[bytes]:
        """Yield the answer as events."""
        number = 0

        def event(kind: str, **fields: Any) -> bytes:
            nonlocal number
            number += 1
            return sse.event({**fields, "sequence_number": number - 1, "type": kind}, kind)

        place = {"item_id": self._item, "output_index": 0, "content_index": 0}
        said = ""
        with answering.generating(self._server, self._asked) as (generation, *_):
            yield event("response.created", response=self._response("in_progress", []))
            yield event("response.in_progress", response=self._response("in_progress", []))
            begun = {**self._message(""), "content": [], "status": "in_progress"}
            yield event("response.output_item.added", item=begun, output_index=0)
            part = {"annotations": [], "text": "", "type": "output_text", "logprobs": []}
            yield event("response.content_part.added", **place, part=part)
            finish = None
            async for output in generation:
                self._tally.count(output)
                delta = "".join(token.text for token in output.tokens if token.channel is scripts.Channel.CONTENT)
                if delta:
                    said += delta
                    yield event("response.output_text.delta", **place, delta=delta, logprobs=[])
                finish = output.finish
            yield event("response.output_text.done", **place, text=said, logprobs=[])
            yield event("response.content_part.done", **place, part={**part, "text": said})
            message = self._message(said)
            yield event("response.output_item.done", item=message, output_index=0)
            status = "incomplete" if finish == "length" else "completed"
            yield event("response.completed", response=self._response(status, [message]))

    def _message(self, said: str) -> dict[str, Any]:
        return {
            "id": self._item,
            "content": [{"annotations": [], "text": said, "type": "output_text", "logprobs": None}],
            "role": "assistant",
            "status": "completed",
            "type": "message",
            "phase": None,
        }

    def _response(self, status: str, output: list[dict[str, Any]]) -> dict[str, Any]:
        tally = self._tally
        return {
            "id": self._id,
            "created_at": self._created,
            "incomplete_details": {"reason": "max_output_tokens"} if status == "incomplete" else None,
            "instructions": self._body.get("instructions"),
            "metadata": self._body.get("metadata"),
            "model": self._server.flags.name,
            "object": "response",
            "output": output,
            "parallel_tool_calls": True,
            "temperature": float(self._body.get("temperature") or 1.0),
            "tool_choice": "none",
            "tools": [],
            "top_p": float(self._body.get("top_p") or 1.0),
            "background": False,
            "max_output_tokens": self._asked.sampling.max_tokens,
            "max_tool_calls": None,
            "previous_response_id": None,
            "prompt": None,
            "reasoning": None,
            "service_tier": "auto",
            "status": status,
            "text": None,
            "top_logprobs": None,
            "truncation": "disabled",
            "usage": None if status == "in_progress" else _usage(tally),
            "user": None,
            "presence_penalty": 0.0,
            "frequency_penalty": 0.0,
            "kv_transfer_params": None,
            "ec_transfer_params": None,
            "input_messages": None,
            "output_messages": None,
        }


def _usage(tally: answering.Tally) -> dict[str, Any]:
    return {
        "input_tokens": tally.prompt,
        "input_tokens_details": {
            "cached_tokens": 0,
            "cache_write_tokens": 0,
            "input_tokens_per_turn": [],
            "cached_tokens_per_turn": [],
        },
        "output_tokens": tally.completion,
        "output_tokens_details": {
            "reasoning_tokens": tally.reasoning,
            "tool_output_tokens": 0,
            "output_tokens_per_turn": [],
            "tool_output_tokens_per_turn": [],
        },
        "total_tokens": tally.prompt + tally.completion,
    }
