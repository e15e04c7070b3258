"""Which changes of children are because of others, and what is told of them, and of those that have to wait. Pure."""

from collections.abc import Collection

from modelpool_operator.planning.changes.edits import Edits
from modelpool_operator.planning.changes.pacing import Book, Paced, Writes, refused_in, seals_of
from modelpool_operator.planning.changes.plan import Plan
from modelpool_operator.planning.objects.identity import ChildRef


def undoing_in(
    plan: Plan, book: Book, edits: Edits, changed: Collection[ChildRef], *, carried: int | None
) -> frozenset[ChildRef]:
    """Return the children that are put right because of others, who were seen to have changed some of them.

    They are to be as they were sent last; or nobody has sent and nobody wants them, and the generation `carried` out
    last is the pool's. Where the pool is changed without end, its own changes are because of others, too.
    """
    found = set(changed)
    for ref, seal in seals_of(plan).items():
        known = book.get(ref)
        if known is None:
            is_answer = edits.are_without_end or (not seal and carried == edits.generation)
        elif seal == known.seal:
            is_answer = known.refusal is None
        else:
            is_answer = edits.are_without_end and known.generation != edits.generation
        found |= {ref} if is_answer else set()
    return frozenset(found)


def held_back(book: Book, done: Paced) -> tuple[str, ...]:
    """Return one sentence per change that waits for its time; what the API server refuses is told as refused."""
    refused = refused_in(book)
    return tuple(f"{ref}: {why}" for ref, why in done.why.items() if ref not in refused)


def fights(book: Book, now: float) -> tuple[str, ...]:
    """Return one sentence per child that is fought over, for as long as the fight lasts."""
    return tuple(
        _words(ref, known)
        for ref, known in sorted(book.items())
        if known.is_fought_over and (known.waits or now < known.told_until)
    )


def _words(ref: ChildRef, known: Writes) -> str:
    since = f"times since {known.since:%Y-%m-%dT%H:%M:%SZ}"
    if not known.seal:
        return f"{ref}: somebody makes it, and the pool does not want it; deleted {known.put_back} {since}"
    if known.cause is None and known.absent:
        return f"{ref}: somebody deletes it, or takes its labels away; made again {known.put_back} {since}"
    if known.cause is None:
        return f"{ref}: somebody changes it back each time; put back {known.put_back} {since}"
    return f"{ref}: {known.cause.who} changes {known.cause.field}; put back {known.put_back} {since}"
