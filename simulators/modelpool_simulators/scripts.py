"""What is going to be answered: every token of an answer, written before the first one is sent.

Pure and deterministic: the same brief gives the same script. Knows neither HTTP nor time. Both engines write a
`Brief` from a request, hand the `Script` to the engine loop, and frame the tokens that come back by their channel.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from . import schemas, text


class Channel(Enum):
    """Where a token belongs in the answer."""

    REASONING = "reasoning"
    CONTENT = "content"
    TOOL = "tool"
    """A tool call begins; the text is the function's name."""
    ARGUMENTS = "arguments"
    SILENT = "silent"
    """Counted, never shown: end of turn, end of thinking."""


@dataclass(frozen=True, slots=True)
class Token:
    """One step of the decoder."""

    text: str
    channel: Channel = Channel.CONTENT


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """A function and the schema of its arguments."""

    name: str
    parameters: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Brief:
    """What the answer depends on."""

    prompt: str
    seed: int = 0
    thinking: bool = False
    calls: Sequence[ToolCall] = ()
    schema: Any = None
    """A JSON Schema the content must follow; None for free text."""
    reply: str | None = None
    """Fixed content, in place of made-up sentences."""
    thought: str | None = None
    """Fixed reasoning."""
    sentences: int = 3
    """Natural length of made-up content."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What ends the answer before its natural end."""

    tokens: int
    stops: Sequence[str] = ()
    ignore_end: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """The tokens of an answer and why it ends."""

    tokens: tuple[Token, ...]
    finish: str
    """`stop` or `length`."""
    stop: str | None = None
    """The stop string that was met."""

    def text(self, channel: Channel) -> str:
        """Join what one channel says."""
        return "".join(token.text for token in self.tokens if token.channel is channel)


END = Token("", Channel.SILENT)


def write(brief: Brief, limits: Limits) -> Script:
    """Write the answer to a brief within limits."""
    source = _endless(brief) if limits.ignore_end and not brief.calls and brief.schema is None else _natural(brief)
    if limits.stops:
        return _until_stop(source, limits)
    tokens = tuple(itertools.islice(source, limits.tokens))
    return Script(tokens=tokens, finish="stop" if tokens and tokens[-1] is END else "length")


def _natural(brief: Brief) -> Iterator[Token]:
    yield from _thinking(brief)
    if brief.calls:
        for call in brief.calls:
            yield Token(call.name, Channel.TOOL)
            arguments = json.dumps(schemas.instance(call.parameters) or {}, ensure_ascii=False)
            yield from (Token(piece, Channel.ARGUMENTS) for piece in text.split(arguments))
    elif brief.schema is not None:
        content = json.dumps(schemas.instance(brief.schema), separators=(",", ":"), ensure_ascii=False)
        yield from map(Token, text.split(content))
    elif brief.reply is not None:
        yield from map(Token, text.split(brief.reply))
    else:
        for sentence in itertools.islice(text.sentences(brief.prompt, brief.seed), brief.sentences):
            yield from map(Token, text.split(sentence))
    yield END


def _endless(brief: Brief) -> Iterator[Token]:
    yield from _thinking(brief)
    for sentence in itertools.repeat(brief.reply) if brief.reply else text.sentences(brief.prompt, brief.seed):
        yield from map(Token, text.split(sentence))


def _thinking(brief: Brief) -> Iterator[Token]:
    if not brief.thinking:
        return
    thought = brief.thought
    if thought is None:
        thought = f"The user wrote {text.count(brief.prompt)} tokens. A short answer is enough."
    yield from (Token(piece, Channel.REASONING) for piece in text.split(thought))
    yield Token("", Channel.SILENT)


def _until_stop(source: Iterator[Token], limits: Limits) -> Script:
    tokens: list[Token] = []
    content = ""
    for token in itertools.islice(source, limits.tokens):
        if token is END:
            tokens.append(token)
            return Script(tokens=tuple(tokens), finish="stop")
        if token.channel is Channel.CONTENT:
            content += token.text
            met = min((stop for stop in limits.stops if stop in content), key=content.index, default=None)
            if met is not None:
                tokens.append(token)
                return Script(tokens=_cut(tokens, content.index(met)), finish="stop", stop=met)
        tokens.append(token)
    return Script(tokens=tuple(tokens), finish="length")


def _cut(tokens: Sequence[Token], length: int) -> tuple[Token, ...]:
    """Keep the number of tokens and only `length` characters of content."""
    kept = []
    for token in tokens:
        if token.channel is Channel.CONTENT:
            kept.append(Token(token.text[:length]))
            length = max(0, length - len(token.text))
        else:
            kept.append(token)
    return tuple(kept)
