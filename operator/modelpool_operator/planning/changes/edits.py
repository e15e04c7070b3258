"""How often a pool's spec is changed, and by whom: two who deploy it in turn change it for ever. Pure."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

FREE: Final = 20
"""Changes in a row that are carried out without a pause; where there are more, they are without end."""
FIRST: Final = 10.0
LONGEST: Final = 60.0
"""Seconds between two writes of a child that carry out changes of its pool."""
FREE_RETURNS: Final = 3
"""Changes in a row to what the spec was before, where they come quickly: two who undo each other, and no person."""
QUICK: Final = 60.0
"""Seconds between two changes, on the average, below which they come quickly."""
REMEMBERED: Final = 8
"""Specs of which it is known that they were there before."""
CALM: Final = 600.0
"""Seconds without a change by others after which what they did before counts no more."""
TOLD: Final = 60.0
"""Seconds, at the least, for which somebody is named after what he did last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edits:
    """The latest changes of a pool's spec, each of which followed the one before within `CALM`."""

    generation: int
    """Of the spec that was seen last."""
    last: float
    since: datetime
    """When the first of them was seen, by the calendar."""
    number: int = 0
    slowest: float = 0.0
    """The most seconds between two of them."""
    editor: str | None = None
    """Who changed the spec last."""
    began: float = 0.0
    """When the first of them was seen, in seconds."""
    specs: tuple[str, ...] = ()
    """Digests of the latest specs, or nothing where they are not known."""
    returns: int = 0
    """How many of them made the spec what it was before, by somebody else than the change that they undo."""
    alternate: bool = False
    """Whether there have been too many of these, too quickly."""

    @property
    def pause(self) -> float:
        """Return the seconds from the last write of a child to one that carries out the latest change."""
        returns = self.returns - FREE_RETURNS if self.alternate else 0
        return pause_after(max(self.number - FREE, returns), LONGEST)

    @property
    def are_without_end(self) -> bool:
        """Return whether there have been too many of them."""
        return self.number > FREE or self.alternate

    @property
    def told_until(self) -> float | None:
        """Return the time, in seconds, until which the editor is named, or None where he is not."""
        return self.last + max(TOLD, 2 * self.slowest) if self.are_without_end else None

    def words(self, now: float) -> str | None:
        """Return a sentence about them, or None where there is nothing to be told."""
        if self.told_until is None or now >= self.told_until:
            return None
        who = f"'{self.editor}'" if self.editor else "somebody"
        since = f"{self.since:%Y-%m-%dT%H:%M:%SZ}"
        return f"the ModelPool was changed {self.number} times since {since}, and by {who} last"


def seen(
    before: Edits | None, generation: int, editor: str | None, *, now: float, time: datetime, spec: str = ""
) -> Edits:
    """Return what is to be remembered of a spec that is seen; `spec` is its digest, where it is known."""
    specs = (spec,) if spec else ()
    if before is None:
        return Edits(generation=generation, last=now, since=time, specs=specs)
    if generation == before.generation:
        over = before.number and now - before.last > CALM
        return Edits(generation=generation, last=before.last, since=time, specs=before.specs[-1:]) if over else before
    known = (*before.specs, *specs)[-REMEMBERED:]
    if now - before.last > CALM:
        return Edits(generation=generation, last=now, since=time, number=1, editor=editor, began=now, specs=known[-2:])
    another = editor is None or editor != before.editor
    returns = before.returns + (another and spec in before.specs[:-1])
    quick = now - before.began <= QUICK * before.number
    return replace(
        before,
        generation=generation,
        last=now,
        number=before.number + 1,
        slowest=max(before.slowest, now - before.last),
        editor=editor,
        began=before.began if before.number else now,
        specs=known,
        returns=returns,
        alternate=before.alternate or (returns > FREE_RETURNS and quick),
    )


def pause_after(number: int, longest: float) -> float:
    """Return the seconds after so many writes more than are free."""
    return min(longest, FIRST * 2.0 ** min(number - 1, 16)) if number > 0 else 0.0
