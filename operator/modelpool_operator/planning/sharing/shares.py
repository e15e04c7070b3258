"""Where the engines of a pool stand: which cards each has, and what it may take. Values, made by `placement.layout`."""

from dataclasses import dataclass
from enum import Enum

from modelpool_operator.api.models import Engine
from modelpool_operator.api.pool import Filling, Sharing
from modelpool_operator.planning.memory.arithmetic import Term


class Choice(Enum):
    """Who chose the cards of an engine."""

    PINNED = "pinned"
    """The user."""
    SETTLED = "settled"
    """The plan before this one: it runs there."""
    FREE = "free"
    """This plan."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What one engine may take of each of its cards."""

    model: str
    """Of a server of the whole pool, its own name."""
    engine: Engine
    of_pool: bool = False
    """Whether it is that of the one server which runs several models of the pool."""
    gpus: tuple[int, ...]
    bytes: int
    """Of each card, the context not included."""
    fraction: float
    """Of each card's memory: what vLLM is told, unless it sees a slice as the whole card."""
    overhead: int
    """Bytes of each card beside the share."""
    memory: int
    """Bytes of each of its cards."""
    start: int
    """Place in the start order, from 0: after every earlier share that has a card in common."""
    lines: tuple[Term, ...] = ()
    """What is known to go into the share, per card: weights, runtime, one sequence's KV cache."""
    notes: tuple[str, ...] = ()
    """What could not be checked, in words."""
    longest_context: int | None = None
    """Tokens of one sequence that there is room for, where the engine chooses; None where that is not known."""
    choice: Choice = Choice.FREE


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedCard:
    """One card with what was put on it; `planned + reserve + free == memory`, less what others hold of it."""

    index: int
    memory: int
    reserve: int
    planned: int
    free: int
    """Less than 0 where others came to a card that was full."""
    shares: tuple[Share, ...] = ()
    """In start order."""
    held: tuple[Term, ...] = ()
    """What others hold of it."""
    node: str | None = None
    """Where it is, if that is known."""

    @property
    def named(self) -> str:
        """`card 0 of node gpu-1`, or `card 0`."""
        return f"card {self.index} of node {self.node}" if self.node else f"card {self.index}"

    @property
    def unplanned(self) -> int:
        """Bytes that the pool leaves, whether others hold them or nobody does."""
        return self.memory - self.planned


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """The answer."""

    cards: tuple[PlannedCard, ...]
    shares: tuple[Share, ...]
    """In start order: largest first, as the one that finds no room should be the smallest."""
    filling: Filling = Filling.SPREAD
    sharing: Sharing = Sharing.TIME_SLICING
    """The way of sharing it was made for: the pool's, or the one that was chosen for it."""
    beside: tuple[str, ...] = ()
    """What the user should know of others on the same cards, as sentences."""
    nodes: tuple[str, ...] = ()
    """Where it is counted: the nodes on which the pool stands, and those on which it shall, as many as it needs."""

    def share_of(self, model: str) -> Share | None:
        """Return the share of a model with an engine of its own, or None when it holds none."""
        return next((share for share in self.shares if not share.of_pool and share.model == model), None)

    @property
    def ollama(self) -> Share | None:
        """The Ollama server's own share, or None when it runs on the CPU."""
        return next((share for share in self.shares if share.of_pool), None)

    @property
    def notes(self) -> tuple[str, ...]:
        """What could not be checked, of all models, and what there is to say of others on the cards."""
        return (*(note for share in self.shares for note in share.notes), *self.beside)
