"""What every gateway is asked: the bodies, and the scenarios by name. Pure data."""

import dataclasses
import json
from dataclasses import dataclass
from typing import Any, Final

from .asking import MODEL, Scenario

_PACE_MS: Final = 20.0
_TOKENS: Final = 100
_PACED_STREAMS: Final = 200
_LARGE: Final = 160 * 1024
"""Bytes of a request that carries a conversation of 40,000 tokens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A scenario and whom it is for."""

    name: str
    scenario: Scenario
    translated: bool = False
    """Asked in Ollama's dialect: only of who offers that before a vLLM."""
    first_round_only: bool = False

    @property
    def lasts(self) -> float:
        """Seconds, about."""
        return self.scenario.warmup + self.scenario.seconds + 0.1

    def scaled(self, factor: float) -> "Task":
        """The same, measured for longer or shorter; what comes before the measurement stays."""
        seconds = self.scenario.seconds * factor
        return dataclasses.replace(self, scenario=dataclasses.replace(self.scenario, seconds=seconds))


def body(*, stream: bool = False, size: int = 0) -> str:
    """A chat as OpenAI's and Ollama's clients send it, `size` bytes in all when that is more than it needs."""
    told = "What is the weather?"
    asked: dict[str, Any] = {"model": MODEL, "messages": [{"role": "user", "content": told}], "stream": stream}
    missing = size - len(json.dumps(asked))
    if missing > 0:
        turn = "The sky over the harbour was \N{LEFT DOUBLE QUOTATION MARK}grey\N{RIGHT DOUBLE QUOTATION MARK}.\n"
        times, rest = divmod(missing, len(json.dumps(turn)) - 2)
        asked["messages"][0]["content"] = turn * times + "." * rest + told
    return json.dumps(asked)


def _requests(connections: int, *, size: int = 0, seconds: float = 1.0) -> Scenario:
    return Scenario(body=body(size=size), connections=connections, seconds=seconds, warmup=0.2)


def _fast(path: str, *, tokens: int = 1000, burst: int = 8) -> Scenario:
    return Scenario(
        path=path, body=body(stream=True), stream=True, connections=128, tokens=tokens, burst=burst,
        warmup=0.5, seconds=1.5,
    )  # fmt: skip


def _paced(path: str) -> Scenario:
    whole = _TOKENS * _PACE_MS
    return Scenario(
        path=path,
        body=body(stream=True),
        stream=True,
        connections=_PACED_STREAMS,
        tokens=_TOKENS,
        pace_ms=_PACE_MS,
        stagger_ms=whole,
        warmup=whole / 1000 + 0.2,
        seconds=2.0,
    )


_THOUSAND: Final = Scenario(
    body=body(stream=True), stream=True, connections=1000, tokens=1000, pace_ms=250.0, stagger_ms=1500.0,
    warmup=4.0, seconds=0.5,
)  # fmt: skip

OPENAI: Final = "/v1/chat/completions"
OLLAMA: Final = "/api/chat"

# The thousand streams come first: nothing else has grown anybody's memory by then.
ALL: Final = (
    Task(name="streams-1000", scenario=_THOUSAND, first_round_only=True),
    *(Task(name=f"small-{count}", scenario=_requests(count)) for count in (1, 32, 256)),
    *(Task(name=f"large-{count}", scenario=_requests(count, size=_LARGE, seconds=0.8)) for count in (1, 32, 256)),
    Task(name="steady", scenario=Scenario(body=body(), rate=200.0, seconds=2.0)),
    Task(name="fast", scenario=_fast(OPENAI)),
    Task(name="fast-singly", scenario=_fast(OPENAI, tokens=200, burst=1)),
    Task(name="fast-translated", scenario=_fast(OLLAMA), translated=True),
    Task(name="paced", scenario=_paced(OPENAI)),
    Task(name="paced-translated", scenario=_paced(OLLAMA), translated=True),
)

QUICK: Final = ("small-1", "small-32", "small-256", "large-32", "fast", "fast-translated", "paced", "paced-translated")
"""What a look at a change needs."""
