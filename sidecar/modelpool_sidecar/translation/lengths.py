"""What vLLM says of lengths: refusals of what does not fit its context, and the counts of `/tokenize`.

Its releases word them in several ways; 0.32 and before refuse an answer that might not fit, later ones bound it.
"""

import re
from enum import Enum
from typing import Final

import msgspec

from ..dialects.errors import Reason, Refusal
from . import engine_chunks, engine_errors
from .engine_chunks import Counted


class Overflow(Enum):
    """What does not fit."""

    ANSWER = "answer"
    """As many tokens as were asked for, beside this prompt."""
    PROMPT = "prompt"
    """The prompt itself, or with a single token after it."""


class Overrun:
    """What a refusal says. Read-only."""

    __slots__ = ("context_length", "overflow", "prompt_tokens")

    def __init__(self, overflow: Overflow, context_length: int | None, prompt_tokens: int | None) -> None:
        self.overflow = overflow
        self.context_length = context_length
        """Tokens, where they are named."""
        self.prompt_tokens = prompt_tokens
        """Exactly, where they are named; most refusals know only that they are too many."""


_PROMPTS: Final = re.compile(
    r"your prompt contains (?:at least )?\d+ (?:input tokens|characters)"
    r"|prompt \(length \d+\)"
    r"|Input length \(\d+\) exceeds"
    r"|max_tokens must be at least 1, got (?:0|-\d+)\b"
)
_ANSWERS: Final = re.compile(
    r"(?:max_tokens|max_completion_tokens)=\d+ ?cannot be greater than"
    r"|[Hh]owever, you requested \d+ (?:output )?tokens"
    r"|and requested [1-9]\d* output tokens"
)
_PASSED: Final = re.compile(r"You passed (\d+) input (?:tokens|characters)")
_CONTEXT: Final = re.compile(
    r"(?:maximum context length is|context length is only|maximum model length of|max_model_len=|max_total_tokens=)"
    r" ?(\d+)|context length \((\d+)\)"
)
_MOST_DIGITS: Final = 12
_EXACTLY: Final = re.compile(r"prompt \(length (\d+)\)|Input length \((\d+)\)")


def read(message: str) -> Overrun | None:
    """What a refusal says of lengths; None when it is about something else."""
    if _ANSWERS.search(message):
        overflow = Overflow.ANSWER
    elif _PROMPTS.search(message) or _PASSED.search(message):
        overflow = Overflow.PROMPT
    else:
        return None
    return Overrun(overflow, _number(_CONTEXT, message), _number(_EXACTLY, message))


def _number(pattern: re.Pattern[str], message: str) -> int | None:
    found = pattern.search(message)
    if found is None:
        return None
    return int(next(group for group in found.groups() if group is not None)[:_MOST_DIGITS])


def counted(body: bytes) -> Counted | None:
    """An answer of `/tokenize`; None when it is none."""
    try:
        return engine_chunks.decode_count(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def refusal(prompt_tokens: int, context_length: int) -> Refusal:
    """A prompt that does not fit, in the words of Ollama, which quotes its runner: an error in the error's text."""
    words = f"request ({prompt_tokens} tokens) exceeds the available context size ({context_length} tokens)"
    quoted = {
        "code": 400,
        "message": f"{words}, try increasing it",
        "type": "exceed_context_size_error",
        "n_prompt_tokens": prompt_tokens,
        "n_ctx": context_length,
    }
    return Refusal(reason=Reason.BAD_REQUEST, detail=msgspec.json.encode({"error": quoted}).decode())


def of(body: bytes) -> Overrun | None:
    """What the body of an error answer says of lengths."""
    return read(engine_errors.message_of(body))
