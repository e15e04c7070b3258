"""What the gateway is meant to reach, as ratios to others. Pure.

A goal that is missed is printed with its figure; it fails no build, because peers and machines differ. What must not
get worse is the guard's business.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from .measures import Ratio


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """A bound for one ratio."""

    measure: str
    peer: str
    bound: float
    at_least: bool = False

    def met(self, value: float) -> bool:
        """Whether a ratio keeps to it."""
        return value >= self.bound if self.at_least else value <= self.bound

    def __str__(self) -> str:
        return f"{'>=' if self.at_least else '<='} {self.bound:g}"


_ROUTER: Final = "vllm-router"

ALL: Final = (
    Goal(measure="cpu per request, 32 connections", peer=_ROUTER, bound=0.85),
    Goal(measure="cpu per chunk, paced", peer=_ROUTER, bound=0.9),
    Goal(measure="cpu per chunk, paced, translated", peer="untranslated", bound=1.5),
    Goal(measure="requests/s, 32 connections", peer=_ROUTER, bound=1.2, at_least=True),
    Goal(measure="requests/s, 256 connections", peer=_ROUTER, bound=1.0, at_least=True),
    *(
        Goal(measure=f"requests/s of 160 KB, {count} connections", peer=_ROUTER, bound=1.3, at_least=True)
        for count in (1, 32, 256)
    ),
    *(
        Goal(measure=f"chunks/s, fast{how}", peer=peer, bound=bound, at_least=True)
        for how in ("", ", one a write")
        for peer, bound in ((_ROUTER, 2.5), ("nginx", 1.0))
    ),
    Goal(measure="added p50, 1 connection", peer=_ROUTER, bound=1.0),
    Goal(measure="added p50, 200 requests/s", peer=_ROUTER, bound=1.0),
    Goal(measure="added time to first token, p50", peer=_ROUTER, bound=1.0),
    Goal(measure="memory at rest", peer=_ROUTER, bound=0.7),
    Goal(measure="memory with 1,000 streams", peer=_ROUTER, bound=0.7),
    Goal(measure="requests/s, 32 connections", peer="litellm", bound=50.0, at_least=True),
    Goal(measure="requests/s, 32 connections", peer="production-stack", bound=15.0, at_least=True),
)


def of(ratio: Ratio) -> Goal | None:
    """The goal for a ratio, if there is one."""
    return next((goal for goal in ALL if (goal.measure, goal.peer) == (ratio.measure, ratio.peer)), None)


def missed(ratios: Sequence[Ratio]) -> list[tuple[Goal, Ratio]]:
    """Goals that neither the median nor the best round reached."""
    pairs = [(goal, ratio) for ratio in ratios if (goal := of(ratio)) is not None]
    return [(goal, ratio) for goal, ratio in pairs if not goal.met(ratio.median) and not goal.met(ratio.best)]
