"""What somebody added to a child where everything is the operator's: a selector's term, a limit, `paused`. Pure.

Server-side apply leaves alone what others hold and we do not mention; so it is taken out by name. Only what another
manager holds counts: what the API server fills in, and what admission adds to our own requests, is nobody's. Items of
merged lists (a sidecar, a variable), labels and annotations are left to whoever added them.

What others added may forbid what we want: a strategy has no `rollingUpdate` beside `Recreate`, a volume no two sources,
and two ports have no one name. Neither taking the one out nor applying the other is possible then, so one JSON patch
does both. What it puts back is held by us twice: by applying, and by that patch. The second hold is given up before
the pool wants something else, as what is only applied goes when it is applied no more.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final

from modelpool_operator.api import names
from modelpool_operator.planning.changes.comparison import (
    Difference,
    Item,
    Step,
    differences,
    inside,
    item_key,
    item_of,
)
from modelpool_operator.planning.changes.managers import manager_of
from modelpool_operator.planning.objects.identity import ChildRef, Manifest, digest, ref_of, seal_of, while_at

_OURS: Final[Mapping[str, tuple[str, ...]]] = {
    "ConfigMap": ("data", "binaryData"),
    "Deployment": ("spec",),
    "NetworkPolicy": ("spec",),
    "PodDisruptionBudget": ("spec",),
    "Service": ("spec",),
}
"""Where everything is ours, by kind. Volumes and Jobs are filled in by others, and cannot change."""
_THEIRS: Final = frozenset({("spec", "template", "metadata")})
"""Labels and annotations of pods: `kubectl rollout restart` works by one."""
_PORTS: Final = "ports"
"""A list of which the API server tells items apart by number and protocol, and wants each name once."""


@dataclass(frozen=True, slots=True)
class Trim:
    """What is put right in a child by a JSON patch, which fails when the child has changed meanwhile."""

    wanted: Manifest
    """The child as it shall be, not yet sealed."""
    patch: tuple[dict[str, Any], ...]
    is_all: bool = False
    """Whether nothing is left to be applied behind it."""

    @property
    def ref(self) -> ChildRef:
        """Return the identity of the child."""
        return ref_of(self.wanted)


def foreign_fields_in(wanted: Manifest, live: Manifest) -> tuple[Difference, ...]:
    """Return what somebody else added to `live` and `wanted` does not have."""
    found = (
        one
        for root in _OURS.get(wanted["kind"], ())
        for one in _added(wanted.get(root), live.get(root), (root,))
        if manager_of(live, one.steps) is not None
    )
    return tuple(found)


def trim_of(wanted: Manifest, live: Manifest) -> Trim | None:
    """Return how to put right what applying does not, or None when there is nothing."""
    roots, is_sealed = _OURS.get(wanted["kind"], ()), seal_of(live) == digest(wanted)
    changed = tuple(differences(wanted, live))
    ours = tuple(one for one in changed if one.steps[0] in roots)
    added = (*foreign_fields_in(wanted, live), *chain.from_iterable(_in_place_of(one, wanted, live) for one in ours))
    found = chain(ours, added) if added or any(_is_in_the_way(one, live, is_sealed) for one in ours) else ()
    puts_right = {operation["path"]: operation for operation in (_operation(one, wanted, live) for one in found)}
    highest = [one for path, one in puts_right.items() if not any(path.startswith(f"{above}/") for above in puts_right)]
    patch = (*highest, *(() if is_sealed or not roots else _given_up(live)))
    if not patch:
        return None
    is_all = is_sealed and bool(highest) and ours == changed
    return Trim(wanted, (while_at(live["metadata"]["resourceVersion"]), *patch), is_all)


def _is_in_the_way(one: Difference, live: Manifest, is_sealed: bool) -> bool:
    """Return whether somebody changed a port so that applying would add another one of its name."""
    return _PORTS in one.steps and (is_sealed or manager_of(live, one.steps) is not None)


def _in_place_of(one: Difference, wanted: Manifest, live: Manifest) -> Iterator[Difference]:
    """Yield what somebody has, even if empty, beside a field that is absent: a volume of another source, a probe."""
    mine, theirs, way = wanted, live, list(one.steps)
    while way and (found := inside(theirs, way[0])) is not None:
        mine, theirs = inside(mine, way.pop(0)), found
    above = one.steps[: len(one.steps) - len(way)]
    for key, value in theirs.items() if way and isinstance(theirs, Mapping) else ():
        if value == {} and key not in mine and manager_of(live, (*above, key)) is not None:
            yield Difference((*above, key), None, value)


def _added(wanted: Any, live: Any, steps: tuple[Step, ...]) -> Iterator[Difference]:
    if steps in _THEIRS:
        return
    if isinstance(live, Mapping) and (wanted is None or isinstance(wanted, Mapping)):
        for key, value in live.items():
            below = (*steps, key)
            if wanted is not None and key in wanted:
                yield from _added(wanted[key], value, below)
            elif value not in (None, "", 0, False, {}, []) and not _is_merged(below, value):
                yield Difference(below, None, value)
    elif isinstance(wanted, list) and (key := item_key(steps, wanted)) is not None:
        for one in wanted:
            item = Item(key, str(one[key]))
            yield from _added(one, item_of(live, item), (*steps, item))


def _is_merged(steps: tuple[Step, ...], value: Any) -> bool:
    return isinstance(value, list) and item_key(steps, value) is not None


def _operation(one: Difference, wanted: Any, live: Any) -> dict[str, Any]:
    """Return the operation of a JSON patch (RFC 6902) that puts a field right, with the first above it that is absent.

    Ports are replaced together: each may have what another shall have.
    """
    path = ""
    for step in one.steps:
        wanted, above, live = inside(wanted, step), live, inside(live, step)
        path = f"{path}/{_token(step, above, live)}"
        if step == _PORTS and isinstance(live, list):
            mine = wanted or []
            others = [port for port in live if not any(_is_one_port(port, own) for own in mine)]
            return {"op": "replace", "path": path, "value": [*mine, *others]}
        if live is None:
            return {"op": "add", "path": path, "value": wanted}
    return {"op": "remove", "path": path} if wanted is None else {"op": "replace", "path": path, "value": wanted}


def _token(step: Step, above: Any, found: Any) -> str:
    """Return a step as a part of a JSON pointer (RFC 6901); behind the last item, where it is not there."""
    if not isinstance(step, Item):
        return str(step).replace("~", "~0").replace("/", "~1")
    return "-" if found is None else str(next(place for place, one in enumerate(above) if one is found))


def _is_one_port(one: Manifest, other: Manifest) -> bool:
    """Return whether the API server would not take both."""
    numbers = [[port.get(key) for key in ("containerPort", "port", "protocol")] for port in (one, other)]
    return one.get("name") == other.get("name") or numbers[0] == numbers[1]


def _given_up(live: Manifest) -> Iterator[dict[str, Any]]:
    """Yield the operation that gives up what earlier patches of ours hold."""
    for place, entry in enumerate(live["metadata"].get("managedFields") or ()):
        if (entry.get("manager"), entry.get("operation")) == (names.FIELD_MANAGER, "Update"):
            yield {"op": "remove", "path": f"/metadata/managedFields/{place}"}
            return
