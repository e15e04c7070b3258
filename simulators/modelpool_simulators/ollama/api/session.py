"""From an understood request to pieces of an answer: load the model, generate, measure.

Knows no dialect. The native API, OpenAI's and Anthropic's all frame the same pieces.
"""

from __future__ import annotations

import json
import secrets
import string
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ... import engine, scripts, text
from ..runners import Runner
from ..store import Model
from .conversations import Conversation, render, written
from .errors import ApiError
from .state import State

__all__ = ["Ask", "Conversation", "End", "Piece", "ToolCall", "answer", "check", "render", "written"]

Channel = scripts.Channel

_LETTERS = string.ascii_lowercase + string.digits


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A request, understood."""

    model: Model
    prompt: str
    """As the model reads it."""
    topic: str
    """What made-up text is about."""
    limit: int | None = None
    """Tokens of the answer; None for no limit."""
    stops: Sequence[str] = ()
    seed: int = 0
    context: int | None = None
    keep_alive: float | None = None
    think: bool | None = None
    schema: Any = None
    tools: Sequence[Mapping[str, Any]] = ()
    answered_tools: bool = False
    """A tool has answered already, so none is called again."""
    images: bool = False
    conversation: Conversation | None = None
    """What the prompt says, where its beginning may be left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """A complete call."""

    name: str
    arguments: dict[str, Any]
    id: str = field(default_factory=lambda: "call_" + "".join(secrets.choice(_LETTERS) for _ in range(8)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """One piece of an answer."""

    content: str = ""
    thinking: str = ""
    calls: Sequence[ToolCall] = ()
    tokens: Sequence[str] = ()
    """The tokens it is made of, for log probabilities."""


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """How an answer ended, and what it cost. Durations are nanoseconds."""

    reason: str
    total_duration: int
    load_duration: int
    prompt_tokens: int
    prompt_duration: int
    tokens: int
    duration: int
    called: bool
    answer: str
    """The content, for the context of /api/generate."""


async def answer(state: State, ask: Ask) -> AsyncIterator[Piece | End]:
    """Generate an answer; raises ApiError, BusyError or EngineDeadError."""
    started = time.monotonic_ns()
    check(ask)
    async with state.runners.using(ask.model, keep_alive=ask.keep_alive, context=ask.context) as runner:
        loaded = time.monotonic_ns()
        arrived = state.now()
        prompt = text.split(ask.prompt)
        if ask.conversation is not None and len(prompt) > runner.context:
            prompt = ask.conversation.prompt(runner.context)
        _fits(ask, len(prompt), runner)
        script = scripts.write(_brief(state, ask), _limits(ask, runner, len(prompt)))
        generation = runner.engine.submit(script, prompt, now=arrived)
        try:
            async for piece in _pieces(generation):
                yield piece
        finally:
            runner.engine.abandon(generation)
        timing = generation.timing
        first = timing.first_token or timing.arrived
        yield End(
            reason="length" if script.finish == "length" else "stop",
            total_duration=time.monotonic_ns() - started,
            load_duration=loaded - started,
            prompt_tokens=len(prompt),
            prompt_duration=max(_nanoseconds(first - (timing.scheduled or timing.arrived)), 1000),
            tokens=generation.sent,
            duration=max(_nanoseconds((timing.last_token or first) - first), 1000),
            called=any(token.channel is Channel.TOOL for token in script.tokens),
            answer=script.text(Channel.CONTENT),
        )


def check(ask: Ask) -> None:
    """Refuse what the model cannot do; raises ApiError."""
    abilities = ask.model.capabilities()
    name = ask.model.name.removesuffix(":latest")
    if "completion" not in abilities:
        raise ApiError(400, f'"{name}" does not support chat')
    if ask.tools and "tools" not in abilities:
        raise ApiError(400, f"registry.ollama.ai/library/{ask.model.name} does not support tools")
    if ask.think and "thinking" not in abilities:
        raise ApiError(400, f'"{name}" does not support thinking')
    if ask.images and "vision" not in abilities:
        inner = {
            "code": 500,
            "message": "image input is not supported - hint: if this is unexpected, you may need to provide the mmproj",
            "type": "server_error",
        }
        raise ApiError(500, json.dumps({"error": inner}, separators=(",", ":")))


def _fits(ask: Ask, tokens: int, runner: Runner) -> None:
    if tokens <= runner.context:
        return
    inner = {
        "code": 400,
        "message": f"request ({tokens} tokens) exceeds the available context size ({runner.context} tokens), "
        "try increasing it",
        "type": "exceed_context_size_error",
        "n_prompt_tokens": tokens,
        "n_ctx": runner.context,
    }
    raise ApiError(400, json.dumps({"error": inner}, separators=(",", ":")))


def _brief(state: State, ask: Ask) -> scripts.Brief:
    settings = state.settings
    calls = []
    if ask.tools and not ask.answered_tools and settings.reply is None:
        function = ask.tools[0].get("function") or {}
        calls = [scripts.ToolCall(name=str(function.get("name")), parameters=function.get("parameters") or {})]
    return scripts.Brief(
        prompt=ask.topic,
        seed=ask.seed,
        thinking="thinking" in ask.model.capabilities() and ask.think is not False and settings.thought != "",
        calls=calls,
        schema=ask.schema,
        reply=settings.reply,
        thought=settings.thought,
        sentences=settings.sentences,
    )


def _limits(ask: Ask, runner: Runner, prompt: int) -> scripts.Limits:
    room = max(runner.context - prompt, 1)
    return scripts.Limits(tokens=min(ask.limit or room, room), stops=ask.stops)


async def _pieces(generation: engine.Generation) -> AsyncIterator[Piece]:
    """Group tokens into pieces; a tool call comes in one piece when it is complete."""
    name, arguments = "", ""
    async for output in generation:
        for token in output.tokens:
            match token.channel:
                case Channel.CONTENT:
                    if token.text:
                        yield Piece(content=token.text, tokens=[token.text])
                case Channel.REASONING:
                    yield Piece(thinking=token.text, tokens=[token.text])
                case Channel.TOOL:
                    name = token.text
                case Channel.ARGUMENTS:
                    arguments += token.text
                case Channel.SILENT:
                    pass
        if name and output.finish is not None:
            yield Piece(calls=[ToolCall(name=name, arguments=_object(arguments))])


def _object(written: str) -> dict[str, Any]:
    try:
        value = json.loads(written)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _nanoseconds(seconds: float) -> int:
    return int(seconds * 10**6) * 1000
