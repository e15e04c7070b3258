"""POST /v1/chat/completions."""

from __future__ import annotations

import json
import secrets
from collections.abc import AsyncIterator, Iterator
from itertools import groupby
from typing import Any

from aiohttp import web

from ... import engine, schemas, scripts
from . import answering, errors, logprobs, requests, sse, state
from .errors import reply

Channel = scripts.Channel


async def completions(request: web.Request) -> web.StreamResponse:
    """Answer a conversation."""
    server = request.app[state.KEY]
    body = await requests.read(request)
    server.check_model(body.get("model"))
    server.engine.check()
    asked = answering.conversation(server, body, requests.messages(body))
    answer = _Answer(server, body, asked, state.identifier(request, "chatcmpl"))
    if flaw := schemas.flaw(asked.brief.schema):
        return await _refused(request, asked, f"Failed to convert the grammar from JSON schema: {flaw}")
    if not asked.sampling.stream:
        return reply(await answer.whole())
    with answering.generating(server, asked) as generations:
        return await sse.send(request, answer.stream(generations))


async def _refused(request: web.Request, asked: answering.Asked, message: str) -> web.StreamResponse:
    """Refuse what is found wrong after a stream has begun: its status is 200, and an event says 400."""
    if not asked.sampling.stream:
        raise errors.RequestError(message)

    async def told() -> AsyncIterator[bytes]:
        yield b"data: " + json.dumps(errors.body(message, "BadRequestError", 400)).encode() + b"\n\n"
        yield sse.DONE

    return await sse.send(request, told())


class _Answer:
    """One answer, in either shape."""

    def __init__(self, server: state.State, body: requests.Body, asked: answering.Asked, identifier: str) -> None:
        self._server = server
        self._asked = asked
        self._show_reasoning = body.get("include_reasoning") is not False
        self._logprobs = requests.integer(body, "top_logprobs") or 0 if body.get("logprobs") is True else None
        self._named = isinstance(body.get("tool_choice"), dict)
        self._tally = answering.Tally(prompt=len(asked.prompt))
        self._head = {"id": identifier, "created": state.created(), "model": server.answered_as(body.get("model"))}

    async def whole(self) -> dict[str, Any]:
        """Return the answer in one piece."""
        with answering.generating(self._server, self._asked) as generations:
            choices = [await self._choice(index, one) for index, one in enumerate(generations)]
        head = self._head
        return {
            "id": head["id"],
            "object": "chat.completion",
            "created": head["created"],
            "model": head["model"],
            "choices": choices,
            "service_tier": None,
            "system_fingerprint": self._server.fingerprint,
            "usage": {
                **self._usage(),
                "prompt_tokens_details": None,
                "completion_tokens_details": self._details(),
            },
            "prompt_logprobs": None,
            "prompt_token_ids": None,
            "prompt_text": None,
            "kv_transfer_params": None,
            "ec_transfer_params": None,
            "metrics": None,
        }

    async def _choice(self, index: int, generation: engine.Generation) -> dict[str, Any]:
        tokens, last = await answering.collect(generation, self._tally)
        calls = [_call(group) for group in _calls(tokens)]
        content = _join(tokens, Channel.CONTENT)
        reasoning = _join(tokens, Channel.REASONING) if self._show_reasoning else None
        message: dict[str, Any] = {
            "role": "assistant",
            "content": content if content is not None or calls or reasoning else "",
            "refusal": None,
            "annotations": None,
            "audio": None,
            "function_call": None,
        }
        if calls:
            message["tool_calls"] = calls
        message["reasoning"] = reasoning
        shown = None if self._logprobs is None else logprobs.chat(tokens, self._logprobs)
        return {
            "index": index,
            "message": message,
            "logprobs": shown,
            "finish_reason": self._reason(last.finish, called=bool(calls)),
            "stop_reason": last.stop,
            "token_ids": None,
            "routed_experts": None,
        }

    async def stream(self, generations: list[engine.Generation]) -> AsyncIterator[bytes]:
        """Yield the answer as events."""
        sampling = self._asked.sampling
        usage = sampling.usage or self._server.flags.force_usage
        for index in range(len(generations)):
            first = {
                "index": index,
                "delta": {"role": "assistant", "content": ""},
                "logprobs": None,
                "finish_reason": None,
            }
            yield sse.event(self._chunk(first) | {"prompt_token_ids": None, "prompt_text": None})
        called = [False] * len(generations)
        async for index, output in answering.merged(generations):
            called[index] |= any(token.channel is Channel.TOOL for token in output.tokens)
            for choice in self._deltas(index, output, called=called[index]):
                fields = self._chunk(choice)
                if choice["finish_reason"] is not None and not usage:
                    fields["system_fingerprint"] = self._server.fingerprint
                yield sse.event(fields)
        if usage:
            totals: dict[str, Any] = self._usage()
            if (details := self._details()) is not None:
                totals["completion_tokens_details"] = details
            yield sse.event(
                {
                    **self._start(),
                    "choices": [],
                    "usage": totals,
                    "system_fingerprint": self._server.fingerprint,
                }
            )
        yield sse.DONE

    def _deltas(self, index: int, output: engine.Output, *, called: bool) -> Iterator[dict[str, Any]]:
        groups = [(channel, list(group)) for channel, group in groupby(output.tokens, lambda token: token.channel)]
        shown = [(channel, group) for channel, group in groups if channel is not Channel.SILENT]
        self._tally.count(output)
        for position, (channel, group) in enumerate(shown):
            delta = self._delta(channel, group)
            last = position == len(shown) - 1 and output.finish is not None and not called
            shown_logprobs = None if self._logprobs is None else logprobs.chat(group, self._logprobs)
            choice = {"index": index, "delta": delta, "logprobs": shown_logprobs, "finish_reason": None}
            yield self._finish(choice, output, called=called) if last else {**choice, "token_ids": None}
            if last:
                return
        if output.finish is not None:
            delta = {} if called else {"content": ""}
            choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": None}
            yield self._finish(choice, output, called=called)

    def _finish(self, choice: dict[str, Any], output: engine.Output, *, called: bool) -> dict[str, Any]:
        reason = self._reason(output.finish, called=called)
        return {**choice, "finish_reason": reason, "stop_reason": output.stop, "token_ids": None}

    def _delta(self, channel: Channel, group: list[scripts.Token]) -> dict[str, Any]:
        said = "".join(token.text for token in group)
        match channel:
            case Channel.REASONING:
                return {"reasoning": said} if self._show_reasoning else {}
            case Channel.TOOL:
                call = {"id": _call_id(), "type": "function", "index": 0, "function": {"name": said}}
                return {"content": None, "tool_calls": [call]}
            case Channel.ARGUMENTS:
                return {"content": None, "tool_calls": [{"index": 0, "function": {"arguments": said}}]}
            case _:
                return {"content": said}

    def _chunk(self, choice: dict[str, Any]) -> dict[str, Any]:
        fields: dict[str, Any] = {**self._start(), "choices": [choice]}
        if self._asked.sampling.continuous_usage:
            fields["usage"] = {**self._usage(), "completion_tokens_details": self._details()}
        return fields

    def _start(self) -> dict[str, Any]:
        head = self._head
        return {
            "id": head["id"],
            "object": "chat.completion.chunk",
            "created": head["created"],
            "model": head["model"],
        }

    def _usage(self) -> dict[str, int]:
        prompt, completion = self._tally.prompt, self._tally.completion
        return {"prompt_tokens": prompt, "total_tokens": prompt + completion, "completion_tokens": completion}

    def _details(self) -> dict[str, int] | None:
        if not self._server.flags.reasoning_parser:
            return None
        return {"reasoning_tokens": self._tally.reasoning}

    def _reason(self, finish: str | None, *, called: bool) -> str | None:
        return "tool_calls" if called and finish == "stop" and not self._named else finish


def _join(tokens: list[scripts.Token], channel: Channel) -> str | None:
    """Join what one channel says; None when it says nothing at all."""
    said = [token.text for token in tokens if token.channel is channel]
    return "".join(said) if said else None


def _calls(tokens: list[scripts.Token]) -> Iterator[tuple[str, str]]:
    name, arguments = None, ""
    for token in tokens:
        if token.channel is Channel.TOOL:
            if name is not None:
                yield name, arguments
            name, arguments = token.text, ""
        elif token.channel is Channel.ARGUMENTS:
            arguments += token.text
    if name is not None:
        yield name, arguments


def _call(call: tuple[str, str]) -> dict[str, Any]:
    name, arguments = call
    return {"id": _call_id(), "type": "function", "function": {"name": name, "arguments": arguments}}


def _call_id() -> str:
    return f"chatcmpl-tool-{secrets.token_hex(8)}"
