"""Whether a live object still says what was applied. Pure, so that a second reconciliation writes nothing.

The seal tells that the same manifest was applied; every field of it must also still be so, as an edit by hand does not
touch the seal. The API server adds fields and writes quantities in its own way; neither is a difference. Items that
others added to a list that is merged are not ours to remove, and server-side apply would not remove them. What others
added to a map is `foreign_fields`' matter.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from modelpool_operator.api.quantity import number_of
from modelpool_operator.planning.objects.identity import Manifest, digest, seal_of

ATOMIC_LISTS: Final = frozenset(
    {
        "matchExpressions",
        "nodeSelectorTerms",
        "preferredDuringSchedulingIgnoredDuringExecution",
        "requiredDuringSchedulingIgnoredDuringExecution",
        "tolerations",
    }
)
"""Lists of objects that server-side apply replaces whole, so that an item too many is a difference."""

EXACT_FIELDS: Final = frozenset({"ingress", "podSelector"})
"""Of a NetworkPolicy: whatever is added lets somebody in, or takes a pod out. Server-side apply replaces them whole."""

QUANTITY_FIELDS: Final = frozenset({"limits", "requests", "sizeLimit"})

_KEYS: Final = ("mountPath", "uid", "name")
"""Fields by which the items of a merged list are told apart; the first that all of them have, each another one."""


class Item(NamedTuple):
    """An item of a merged list, by the field that tells it from the others."""

    key: str
    value: str


Step = str | int | Item
"""From an object to what is in it: a key of a map, or the place of an item."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A field that is not as wanted."""

    steps: tuple[Step, ...]
    wanted: Any
    """None where it shall not be there."""
    live: Any
    """None where it is not there."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Return the steps in words."""
        return tuple(step.value if isinstance(step, Item) else str(step) for step in self.steps)

    @property
    def path(self) -> str:
        """Return where it is, `/spec/replicas`."""
        return "/" + "/".join(self.labels)


def is_in_place(wanted: Manifest, live: Manifest) -> bool:
    """Return whether `live` is what `wanted`, not yet sealed, would make of it."""
    return seal_of(live) == digest(wanted) and holds(wanted, live)


def difference(wanted: Any, live: Any, path: str = "") -> str | None:
    """Return the first field of `wanted` that `live` does not have in the same way, or None; both are at `path`."""
    first = next(differences(wanted, live), None)
    return None if first is None else f"{path}{first.path}"


def holds(wanted: Any, live: Any) -> bool:
    """Return whether every field of `wanted` is so in `live`."""
    return next(differences(wanted, live), None) is None


def differences(
    wanted: Any, live: Any, steps: tuple[Step, ...] = (), *, quantity: bool = False
) -> Iterator[Difference]:
    """Yield the fields of `wanted` that `live` does not have in the same way."""
    if wanted == live:
        return
    if isinstance(wanted, Mapping):
        if live is not None and not isinstance(live, Mapping):
            yield Difference(steps, wanted, live)
            return
        for key, value in wanted.items():
            found = (live or {}).get(key)
            if key in EXACT_FIELDS and value != found:
                yield Difference((*steps, key), value, found)
                continue
            yield from differences(value, found, (*steps, key), quantity=quantity or key in QUANTITY_FIELDS)
    elif isinstance(wanted, list):
        yield from _differences_of_lists(wanted, live, steps)
    elif not (live is None and wanted in (None, "", 0, False)):
        same = _amount(wanted) == _amount(live) if quantity else wanted == live
        if not same:
            yield Difference(steps, wanted, live)


def item_key(steps: tuple[Step, ...], items: list[Any]) -> str | None:
    """Return the field that tells the items of a merged list apart; None where the list is atomic, or nothing does."""
    if not items or not all(isinstance(item, Mapping) for item in items) or (steps[-1:] and steps[-1] in ATOMIC_LISTS):
        return None
    told = (key for key in _KEYS if len({str(item.get(key)) for item in items if key in item}) == len(items))
    return next(told, None)


def item_of(live: Any, item: Item) -> Any:
    """Return the item of a list, or None."""
    found = live if isinstance(live, list) else ()
    return next((one for one in found if isinstance(one, Mapping) and str(one.get(item.key)) == item.value), None)


def inside(place: Any, step: Step) -> Any:
    """Return what is one step further, or None."""
    if isinstance(step, Item):
        return item_of(place, step)
    if isinstance(step, int):
        return place[step] if isinstance(place, list) and step < len(place) else None
    return place.get(step) if isinstance(place, Mapping) else None


def _differences_of_lists(wanted: list[Any], live: Any, steps: tuple[Step, ...]) -> Iterator[Difference]:
    if live is not None and not isinstance(live, list):
        yield Difference(steps, wanted, live)
        return
    key = item_key(steps, wanted)
    if key is not None:
        for one in wanted:
            item = Item(key, str(one[key]))
            found = item_of(live, item)
            if found is None:
                yield Difference((*steps, item), one, None)
            else:
                yield from differences(one, found, (*steps, item))
    elif len(wanted) != len(live or ()):
        yield Difference(steps, wanted, live)
    else:
        for place, (one, found) in enumerate(zip(wanted, live or (), strict=True)):
            if not holds(one, found):
                yield Difference((*steps, place), one, found)


def _amount(value: Any) -> Any:
    """Return a quantity as a number, anything else as it is."""
    number = number_of(value)
    return value if number is None else number
