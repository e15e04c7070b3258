"""The differences between the gateway and an engine that are known and meant, each with its reason.

A run fails on any other, and on an explanation that explains nothing any more. `page` is docs/reference/differences.md.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Final


class Pair(Enum):
    """Which engine the gateway is held against, and how the call reaches it."""

    TRANSLATED = "ollama over vllm"
    """Ollama's dialect: a real Ollama, and the gateway with a real vLLM behind."""
    VLLM = "vllm passed on"
    OLLAMA = "ollama passed on"
    CLIENT = "official client"
    """What a client library makes of the translated answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """One known difference. `calls` and `where` are patterns that must match the whole text."""

    title: str
    reason: str
    where: str
    calls: str = ".*"
    pairs: tuple[Pair, ...] = (Pair.TRANSLATED,)


KNOWN: Final[tuple[Explanation, ...]] = ()


def explaining(pair: Pair, call: str, where: str) -> tuple[Explanation, ...]:
    """The explanations of this difference."""
    return tuple(
        one for one in KNOWN if pair in one.pairs and re.fullmatch(one.calls, call) and re.fullmatch(one.where, where)
    )


def page() -> str:
    """The reference page."""
    return "\n".join(_page()) + "\n"


def _page() -> Iterator[str]:
    yield "# Where the gateway differs from the engines"
    yield ""
    yield (
        "`make test-engines` sends the same calls to a real Ollama, to a real vLLM, and through the gateway. It\n"
        "compares status, headers, framing, order and type of every field, and values: both engines run the same\n"
        "weights without chance. These differences are known and meant; any other fails the run. The page is made\n"
        "from the table that the run uses. Not listed: every answer of the gateway also carries `X-Request-Id`, those\n"
        "of engines `X-ModelPool-*`, and streams `X-Accel-Buffering: no`, so that no proxy on the way holds them back."
    )
    for pair in Pair:
        known = [one for one in KNOWN if pair in one.pairs]
        if not known:
            continue
        yield ""
        yield f"## {_TITLES[pair]}"
        yield ""
        yield "| what | why |"
        yield "|---|---|"
        yield from (f"| {one.title} | {one.reason} |" for one in known)


_TITLES: Final = {
    Pair.TRANSLATED: "Ollama's API over vLLM, against a real Ollama",
    Pair.VLLM: "OpenAI's and Anthropic's API, against the vLLM behind",
    Pair.OLLAMA: "Both APIs, against the Ollama behind",
    Pair.CLIENT: "What Ollama's Python client returns",
}
