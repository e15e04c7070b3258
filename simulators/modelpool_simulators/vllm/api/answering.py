"""From a conversation to generations: prompt, brief, scripts, and the life of a generation.

Every text dialect goes through here; none of its own shape is known.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ... import engine, scripts, text
from . import media, requests
from .errors import RequestError
from .state import State

Conversation = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request, understood."""

    prompt: list[str]
    """Its tokens."""
    brief: scripts.Brief
    sampling: requests.Sampling
    arrived: float
    """On the loop's clock."""


@dataclass(slots=True, kw_only=True)
class Tally:
    """What was generated so far, for the usage."""

    prompt: int
    completion: int = 0
    reasoning: int = 0

    def count(self, output: engine.Output) -> None:
        """Add the tokens of one output."""
        self.completion += len(output.tokens)
        self.reasoning += sum(token.channel is scripts.Channel.REASONING for token in output.tokens)


def conversation(state: State, body: requests.Body, messages: Conversation, **changes: Any) -> Asked:
    """Understand a chat; raises RequestError."""
    arrived = state.now()
    if requests.shows_images(messages) and (not state.loaded.model.vision or state.flags.language_model_only):
        raise RequestError(f"{body.get('model') or state.flags.name} is not a multimodal model")
    media.check(messages, state.flags)
    calls = tool_calls(state, body, messages)
    thinking = thinks(state, body)
    prompt = text.split(render(messages, body.get("tools"), thinking=thinking, state=state))
    sampling = requests.sampling(body | changes, prompt_tokens=len(prompt), max_model_len=state.loaded.max_model_len)
    brief = scripts.Brief(
        prompt=_topic(messages),
        seed=sampling.seed,
        thinking=thinking,
        calls=calls,
        schema=schema(body),
        reply=state.settings.reply,
        thought=state.settings.thought,
        sentences=state.settings.sentences,
    )
    return Asked(prompt=prompt, brief=brief, sampling=sampling, arrived=arrived)


def render(messages: Conversation, tools: Any, *, thinking: bool, state: State) -> str:
    """Write a conversation as the model reads it."""
    lines = []
    if tools:
        lines.append(f"<|im_start|>system\n# Tools\n{json.dumps(tools)}<|im_end|>\n")
    lines += [
        f"<|im_start|>{message['role']}\n{requests.written(message.get('content'))}<|im_end|>\n" for message in messages
    ]
    off = "<think>\n\n</think>\n\n" if state.flags.reasoning_parser and not thinking else ""
    return "".join([*lines, f"<|im_start|>assistant\n{off}"])


def thinks(state: State, body: requests.Body) -> bool:
    """Tell whether the answer begins with reasoning: the parser is set and nobody switched thinking off."""
    if not state.flags.reasoning_parser:
        return False
    if body.get("reasoning_effort") == "none":
        return False
    options = {**state.flags.chat_template_kwargs, **(body.get("chat_template_kwargs") or {})}
    return options.get("enable_thinking", options.get("thinking", True)) is not False


def tool_calls(state: State, body: requests.Body, messages: Conversation) -> tuple[scripts.ToolCall, ...]:
    """Decide which tool is called: the named one, or the first one until a tool has answered."""
    tools = body.get("tools") or []
    choice = body.get("tool_choice", "auto" if tools else "none")
    if not tools or choice == "none":
        return ()
    if isinstance(choice, Mapping):
        name = choice.get("function", {}).get("name")
        if not state.flags.tool_call_parser:
            raise RequestError(f'tool_choice=function "{name}" requires --tool-call-parser to be set')
        chosen = [tool for tool in tools if tool.get("function", {}).get("name") == name]
        if not chosen:
            raise RequestError(
                f"The tool specified in `tool_choice` does not match any of the specified `tools`: {name}"
            )
        return _calls(chosen)
    if choice == "required":
        if not state.flags.tool_call_parser:
            raise RequestError('tool_choice="required" requires --tool-call-parser to be set')
        return _calls(tools)
    if not (state.flags.auto_tool_choice and state.flags.tool_call_parser):
        raise RequestError('"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set')
    answered = state.settings.reply is not None or any(message["role"] == "tool" for message in messages)
    return () if answered else _calls(tools)


def _calls(tools: Sequence[Mapping[str, Any]]) -> tuple[scripts.ToolCall, ...]:
    function = tools[0].get("function", {})
    return (scripts.ToolCall(name=str(function.get("name")), parameters=function.get("parameters") or {}),)


def schema(body: requests.Body) -> Any:
    """Return the JSON Schema the content must follow, or None."""
    wanted = body.get("response_format") or {}
    structured = body.get("structured_outputs") or {}
    if "json" in structured:
        return structured["json"]
    match wanted.get("type") if isinstance(wanted, Mapping) else None:
        case "json_schema":
            return (wanted.get("json_schema") or {}).get("schema") or {}
        case "json_object":
            return {"type": "object", "properties": {"answer": {"type": "string"}}}
        case _:
            return None


def script(asked: Asked, choice: int) -> scripts.Script:
    """Write the answer of one choice."""
    sampling = asked.sampling
    limits = scripts.Limits(tokens=sampling.max_tokens, stops=sampling.stops, ignore_end=sampling.ignore_end)
    brief = asked.brief
    if choice:
        brief = scripts.Brief(
            **{name: getattr(brief, name) for name in scripts.Brief.__slots__ if name != "seed"},
            seed=brief.seed + choice,
        )
    return scripts.write(brief, limits)


@contextlib.contextmanager
def generating(state: State, asked: Asked) -> Iterator[list[engine.Generation]]:
    """Have every choice generated for as long as the block runs; leaving it early stops the engine's work."""
    state.metrics.asked(choices=asked.sampling.choices, max_tokens=asked.sampling.max_tokens)
    generations: list[engine.Generation] = []
    try:
        for choice in range(asked.sampling.choices):
            written = script(asked, choice)
            generations.append(state.engine.submit(written, asked.prompt, now=asked.arrived))
        yield generations
    except engine.EngineBusyError:
        state.metrics.add("admission_rejections", 1, "max_num_queued_reqs")
        raise
    finally:
        for generation in generations:
            state.engine.abandon(generation)


async def collect(generation: engine.Generation, tally: Tally) -> tuple[list[scripts.Token], engine.Output]:
    """Wait for a whole answer; return its tokens and its last output."""
    tokens: list[scripts.Token] = []
    last = engine.Output(tokens=())
    async for last in generation:
        tokens.extend(last.tokens)
        tally.count(last)
    return tokens, last


async def merged(generations: Sequence[engine.Generation]) -> AsyncIterator[tuple[int, engine.Output]]:
    """Yield the outputs of all choices as they come, each with the index of its choice."""
    running = dict(enumerate(generations))
    while running:
        if len(running) == 1:
            ((index, generation),) = running.items()
            async for output in generation:
                yield index, output
            return
        for index, generation in list(running.items()):
            output = await generation.get()
            yield index, output
            if output.finish is not None:
                del running[index]


def _topic(messages: Conversation) -> str:
    """What made-up text is about: the last thing said."""
    return requests.written(messages[-1].get("content")) if messages else ""
