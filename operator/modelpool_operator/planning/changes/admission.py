"""What admission makes of a child: images that are rewritten, resources that are added, a Job's time to live. Pure.

The answer to a write shows the object as it was stored. Where it is not as it was sent, nobody but admission, or the
API server's own defaults, can have changed it, in that very request. That is no fight: it is taken as it is, and shown
to the planning as it was asked for, for as long as it stays so. An operator that has just started does not know, and
learns it from one write, which changes nothing.
"""

import copy
import itertools
from collections.abc import Sequence
from typing import Any

from modelpool_operator.planning.changes.comparison import Difference, Item, differences, inside
from modelpool_operator.planning.changes.foreign_fields import foreign_fields_in
from modelpool_operator.planning.objects.identity import Manifest


def altered_in(sent: Manifest, answer: Manifest, *, trimmed: bool) -> tuple[Difference, ...]:
    """Return what was stored in another way than it was sent.

    Args:
        sent: the child as it shall be.
        answer: what was stored.
        trimmed: whether the request took out what others had added; only then did admission bring back what of it is
            there. In the answer to any other request it may have come from anybody, since the last look.
    """
    return (*differences(sent, answer), *(foreign_fields_in(sent, answer) if trimmed else ()))


def as_asked(live: Manifest, altered: Sequence[Difference]) -> Manifest:
    """Return a live child with the alterations taken back that it still has in the same way."""
    if not altered:
        return live
    view = copy.deepcopy(live)
    for one in altered:
        _take_back(view, one)
    return view


def _take_back(view: Any, one: Difference) -> None:
    place: Any = view
    for step, following in itertools.pairwise(one.steps):
        below = inside(place, step)
        if below is None and one.live is None and isinstance(place, dict):
            below = place[step] = [] if isinstance(following, Item) else {}
        if below is None:
            return
        place = below
    last = one.steps[-1]
    if inside(place, last) != one.live:
        return
    if isinstance(last, Item):
        if isinstance(place, list) and one.live is None:
            place.append(copy.deepcopy(one.wanted))
    elif one.wanted is None and isinstance(place, dict):
        place.pop(last, None)
    else:
        place[last] = copy.deepcopy(one.wanted)
