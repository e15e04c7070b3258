"""What becomes of each request at the first engine that has it, and what its caller is to see. Pure.

An engine that has aborted a request once answers it from then on, and so do the others: it is the abort that is tried,
not what two aborts of one request come to.
"""

import json
from enum import StrEnum
from typing import Final, NamedTuple

MODEL: Final = "qwen3:8b"
WORD: Final = "half"
WHOLE: Final = "and all"


class Fate(StrEnum):
    """How an engine treats a request."""

    FINE = "fine"
    BEFORE = "before"
    """Closed without a byte, at once."""
    LATER = "later"
    """Closed without a byte, after a while."""
    HEAD = "head"
    """Closed behind the head of the answer."""
    PART = "part"
    """Closed in the middle of an answer in one piece."""
    MIDDLE = "middle"
    """Closed in the middle of a stream."""


class Seen(StrEnum):
    """What a caller saw."""

    ANSWERED = "answered"
    BROKEN = "broken"
    """A part of an answer, and that it broke."""
    REFUSED = "refused"
    """An error's status."""
    CUT = "cut"
    """A part of an answer, and nothing that says so; or nothing at all."""


class Asked(NamedTuple):
    """One request."""

    path: str
    body: bytes
    fate: Fate


def wanted(fate: Fate) -> Seen:
    """What the caller is to see, as long as some engine lives."""
    return Seen.BROKEN if fate is Fate.MIDDLE else Seen.ANSWERED


_PATHS: Final = ("/v1/chat/completions", "/api/chat")
_STREAMED: Final = (Fate.BEFORE, Fate.LATER, Fate.HEAD, Fate.MIDDLE)
_IN_ONE: Final = (Fate.BEFORE, Fate.LATER, Fate.HEAD, Fate.PART)


def asked(number: int, aborts_of_1000: int) -> Asked:
    """The request with a number. Aborts are spread evenly over it, and their kinds, dialects and ways over them."""
    before = number * aborts_of_1000 // 1000
    ordinal = (number + 1) * aborts_of_1000 // 1000 - 1
    aborts = ordinal >= before
    kind = ordinal if aborts else number
    stream = kind % 2 == 0
    path = _PATHS[kind // 2 % 2]
    fate = (_STREAMED if stream else _IN_ONE)[kind // 4 % 4] if aborts else Fate.FINE
    message = {"role": "user", "content": f"{number} {fate}"}
    body = {"model": MODEL, "stream": stream, "messages": [message]}
    return Asked(path, json.dumps(body).encode(), fate)


def read(body: bytes) -> tuple[str, Fate, bool]:
    """What an engine needs of a request: its number, its fate, and whether it is to be streamed."""
    told = json.loads(body)
    number, fate = told["messages"][-1]["content"].split()
    return number, Fate(fate), bool(told.get("stream"))
