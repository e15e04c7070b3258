"""vLLM's answers as types: only the fields that become something, for speed."""

from typing import Final

import msgspec

from .exchange import Usage


class FunctionDelta(msgspec.Struct):
    """A piece of a call: the name comes once, the arguments in parts, or as the object that they are."""

    name: str | None = None
    arguments: str | dict[str, object] | None = None


class ToolDelta(msgspec.Struct):
    """A piece of the call number `index`."""

    index: int | None = None
    id: str | None = None
    function: FunctionDelta | None = None


class Delta(msgspec.Struct):
    """What a chunk adds. Newer engines say `reasoning`, older ones `reasoning_content`."""

    content: str | None = None
    reasoning: str | None = None
    reasoning_content: str | None = None
    tool_calls: list[ToolDelta] | None = None


class TopLogprob(msgspec.Struct, omit_defaults=True):
    """One alternative to a token. The same on both sides, so it is read and written by this type."""

    token: str
    logprob: float
    bytes: list[int] | None = None


class TokenLogprob(TopLogprob, omit_defaults=True):
    """One token with its alternatives."""

    top_logprobs: list[TopLogprob] | None = None


class Logprobs(msgspec.Struct):
    """`content` for a chat, the other three for a completion."""

    content: list[TokenLogprob] | None = None
    tokens: list[str] | None = None
    token_logprobs: list[float | None] | None = None
    top_logprobs: list[dict[str, float] | None] | None = None


class Choice(msgspec.Struct):
    """`delta` in a chat's stream, `message` in its whole answer, `text` in a completion."""

    index: int = 0
    delta: Delta | None = None
    message: Delta | None = None
    text: str | None = None
    finish_reason: str | None = None
    logprobs: Logprobs | None = None


class ErrorBody(msgspec.Struct):
    """The error that a stream ends in."""

    message: str = ""
    code: int | str | None = None


class Chunk(msgspec.Struct):
    """One event of a stream, or a whole answer."""

    choices: list[Choice] = []
    usage: Usage | None = None
    error: ErrorBody | str | None = None


class Counted(msgspec.Struct, gc=False):
    """An answer of `/tokenize`, as far as it is read: the tokens themselves are many."""

    count: int
    max_model_len: int | None = None


decode: Final = msgspec.json.Decoder(Chunk).decode
decode_count: Final = msgspec.json.Decoder(Counted).decode
FAULTS: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What it raises."""


def token_logprobs(found: Logprobs) -> list[TokenLogprob]:
    """Ollama's shape of either form."""
    if found.content is not None:
        for token in found.content:
            token.top_logprobs = token.top_logprobs or None
        return found.content
    tokens, values, tops = found.tokens or [], found.token_logprobs or [], found.top_logprobs or []
    out = []
    for place, text in enumerate(tokens):
        value = values[place] if place < len(values) else None
        if value is None:  # the first token of an echoed prompt has none
            continue
        top = tops[place] if place < len(tops) else None
        others = [TopLogprob(other, chance, list(other.encode())) for other, chance in (top or {}).items()]
        out.append(TokenLogprob(text, value, list(text.encode()), others or None))
    return out
