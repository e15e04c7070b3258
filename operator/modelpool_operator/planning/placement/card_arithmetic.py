"""The arithmetic of a card, line by line: one text for `modelpool plan` and for the status of a pool.

Lines add up to the card's memory, and what stands under a line adds up to the line, in bytes and as shown.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from modelpool_operator.planning.engines.registry import PROFILES
from modelpool_operator.planning.memory import arithmetic
from modelpool_operator.planning.memory.arithmetic import CACHE, STATED_CACHE, Term, exact_gib, shown
from modelpool_operator.planning.sharing.shares import PlannedCard, Share


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One summand of a card."""

    label: str
    bytes: int
    shown: str
    """In GiB with two decimals, rounded such that the lines of a card add up."""
    parts: tuple["Line", ...] = ()
    """What is known to go into it; none where nothing is known."""

    @property
    def spelled(self) -> str | None:
        """The parts as a sum, `5.68Gi weights + 1.20Gi runtime`, or None."""
        return " + ".join(f"{part.shown} {part.label}" for part in self.parts) or None


def lines_of(card: PlannedCard, overhead_note: str = "") -> tuple[Line, ...]:
    """Return the lines of a card: each engine's share and context in start order, others, the reserve, what is free.

    Args:
        card: as planned.
        overhead_note: what an overhead holds beside the context, as the way of sharing says it.
    """
    terms = [
        *(term for share in card.shares for term in _terms(share, overhead_note)),
        *((Term(label=f"held by {term.label}", bytes=term.bytes), ()) for term in card.held),
        (Term(label="reserve", bytes=card.reserve), ()),
        (Term(label="free", bytes=card.free), ()),
    ]
    return tuple(_lines(terms))


def _lines(terms: Sequence[tuple[Term, Sequence[Term]]]) -> Iterator[Line]:
    amounts = shown([term.bytes for term, _ in terms])
    before = 0
    for (term, parts), amount in zip(terms, amounts, strict=True):
        shares = shown([part.bytes for part in parts], before)
        yield Line(
            label=term.label,
            bytes=term.bytes,
            shown=amount,
            parts=tuple(
                Line(label=part.label, bytes=part.bytes, shown=text) for part, text in zip(parts, shares, strict=True)
            ),
        )
        before += term.bytes


def _terms(share: Share, overhead_note: str) -> Iterator[tuple[Term, Sequence[Term]]]:
    """Yield a share with what goes into it, then what its process holds beside it."""
    where = f" on each of cards {', '.join(str(gpu) for gpu in share.gpus)}" if len(share.gpus) > 1 else ""
    name = PROFILES[share.engine].title if share.of_pool else share.model
    label = f"{name}: {share.fraction:g} of {exact_gib(share.memory)}{where}"
    yield Term(label=label, bytes=share.bytes), (*share.lines, _rest(share)) if share.lines else ()
    yield Term(label=f"{name}: CUDA context{overhead_note}", bytes=share.overhead), ()


def _rest(share: Share) -> Term:
    """Return what is left of a share: the engine takes all of it for its cache, unless it is told how large that is."""
    told = [term.label for term in share.lines if term.label.startswith(CACHE)]
    label = "to spare" if STATED_CACHE in told else f"more {CACHE}" if told else CACHE
    return Term(label=label, bytes=share.bytes - arithmetic.total(share.lines))
