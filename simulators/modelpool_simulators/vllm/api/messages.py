"""POST /v1/messages and /v1/messages/count_tokens, Anthropic's API in the shape vLLM gives it."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Mapping
from typing import Any

from aiohttp import web

from ... import scripts
from . import answering, requests, sse, state
from .errors import reply

Channel = scripts.Channel

_REASONS = {"stop": "end_turn", "length": "max_tokens", "abort": "end_turn"}
_DELTAS = {
    Channel.CONTENT: ("text", "text_delta", "text"),
    Channel.REASONING: ("thinking", "thinking_delta", "thinking"),
    Channel.ARGUMENTS: ("tool_use", "input_json_delta", "partial_json"),
}


async def messages(request: web.Request) -> web.StreamResponse:
    """Answer a conversation."""
    server = request.app[state.KEY]
    body = await requests.read(request)
    server.check_model(body.get("model"))
    server.engine.check()
    asked = _understand(server, body)
    answer = _Answer(server, asked, state.identifier(request, "chatcmpl"))
    if asked.sampling.stream:
        return await sse.send(request, answer.stream())
    return reply(await answer.whole())


async def count_tokens(request: web.Request) -> web.Response:
    """Count the tokens of a conversation."""
    server = request.app[state.KEY]
    body = await requests.read(request)
    server.check_model(body.get("model"))
    return reply({"input_tokens": len(_understand(server, body | {"max_tokens": 1, "stream": False}).prompt)})


def _understand(server: state.State, body: requests.Body) -> answering.Asked:
    said = [_message(one) for one in requests.messages(body)]
    if body.get("system"):
        said.insert(0, {"role": "system", "content": requests.written(body["system"])})
    tools = [
        {
            "type": "function",
            "function": {"name": tool.get("name"), "parameters": tool.get("input_schema")},
        }
        for tool in body.get("tools") or []
    ]
    chat = {
        key: value for key, value in body.items() if key not in ("tools", "tool_choice", "system", "stop_sequences")
    }
    if tools:
        chat["tools"] = tools
        choice = (body.get("tool_choice") or {}).get("type", "auto")
        chat["tool_choice"] = "required" if choice in ("any", "tool") else choice
    if (body.get("thinking") or {}).get("type") == "disabled":
        chat["reasoning_effort"] = "none"
    return answering.conversation(server, chat, said, stop=body.get("stop_sequences"))


def _message(message: Mapping[str, Any]) -> Mapping[str, Any]:
    """Turn a message with tool results into one a chat template knows."""
    content = message.get("content")
    if isinstance(content, list):
        results = [part for part in content if isinstance(part, Mapping) and part.get("type") == "tool_result"]
        if results:
            return {"role": "tool", "content": requests.written(results[0].get("content"))}
    return message


class _Answer:
    """One answer, in either shape."""

    def __init__(self, server: state.State, asked: answering.Asked, identifier: str) -> None:
        self._server = server
        self._asked = asked
        self._tally = answering.Tally(prompt=len(asked.prompt))
        self._id = identifier

    async def whole(self) -> dict[str, Any]:
        """Return the answer in one piece."""
        with answering.generating(self._server, self._asked) as (generation, *_):
            _, last = await answering.collect(generation, self._tally)
        script = generation.script
        content: list[dict[str, Any]] = []
        if reasoning := script.text(Channel.REASONING):
            content.append({"type": "thinking", "thinking": reasoning, "signature": ""})
        if (said := script.text(Channel.CONTENT)) or not self._asked.brief.calls:
            content.append({"type": "text", "text": said})
        for call in self._asked.brief.calls:
            arguments = requests.decode_object(script.text(Channel.ARGUMENTS))
            content.append({"type": "tool_use", "id": _call_id(), "name": call.name, "input": arguments})
        return {
            "id": self._id,
            "type": "message",
            "role": "assistant",
            "content": content,
            "model": self._server.flags.name,
            "stop_reason": self._reason(last.finish),
            "usage": {"input_tokens": self._tally.prompt, "output_tokens": self._tally.completion},
        }

    async def stream(self) -> AsyncIterator[bytes]:
        """Yield the answer as events."""
        with answering.generating(self._server, self._asked) as (generation, *_):
            yield self._event("message_start", message=self._start())
            index, kind, finish = -1, "", None
            async for output in generation:
                self._tally.count(output)
                finish = output.finish
                for token in output.tokens:
                    if token.channel is Channel.TOOL or (
                        token.channel in _DELTAS and _DELTAS[token.channel][0] != kind
                    ):
                        if index >= 0:
                            yield self._event("content_block_stop", index=index)
                        index += 1
                        kind = "tool_use" if token.channel is Channel.TOOL else _DELTAS[token.channel][0]
                        block = self._block(kind, token)
                        yield self._event("content_block_start", content_block=block, index=index)
                    if token.channel in _DELTAS:
                        _, delta, field = _DELTAS[token.channel]
                        change = {"type": delta, field: token.text}
                        yield self._event("content_block_delta", delta=change, index=index)
            if index >= 0:
                yield self._event("content_block_stop", index=index)
            usage = {"input_tokens": self._tally.prompt, "output_tokens": self._tally.completion}
            end = {"stop_reason": self._reason(finish), "stop_sequence": generation.script.stop}
            yield self._event("message_delta", delta=end, usage=usage)
            yield self._event("message_stop")

    def _event(self, kind: str, **fields: Any) -> bytes:
        return sse.event({"type": kind, **fields}, kind)

    def _start(self) -> dict[str, Any]:
        return {
            "id": self._id,
            "type": "message",
            "role": "assistant",
            "content": [],
            "model": self._server.flags.name,
            "stop_reason": None,
            "stop_sequence": None,
            "usage": {"input_tokens": self._tally.prompt, "output_tokens": 0},
        }

    def _block(self, kind: str, token: scripts.Token) -> dict[str, Any]:
        match kind:
            case "tool_use":
                return {"type": "tool_use", "id": _call_id(), "name": token.text, "input": {}}
            case "thinking":
                return {"type": "thinking", "thinking": "", "signature": ""}
            case _:
                return {"type": "text", "text": ""}

    def _reason(self, finish: str | None) -> str:
        if self._asked.brief.calls and finish == "stop":
            return "tool_use"
        return _REASONS.get(finish or "stop", "end_turn")


def _call_id() -> str:
    return f"chatcmpl-tool-{secrets.token_hex(8)}"
