"""What somebody added to a child where everything is the operator's: a selector's term, a limit, `paused`. Pure.

Server-side apply leaves alone what others hold and we do not mention; so it is taken out by name. Only what another
manager holds counts: what the API server fills in, and what admission adds to our own requests, is nobody's. Items of
merged lists (a sidecar, a variable), labels and annotations are left to whoever added them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from modelpool_operator.planning.comparison import Difference, Item, Step, item_key, item_of
from modelpool_operator.planning.managers import manager_of
from modelpool_operator.planning.manifests import ChildRef, Manifest, ref_of, while_at

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


@dataclass(frozen=True, slots=True)
class Trim:
    """What is taken out of a child, by a JSON patch that fails when the child has changed meanwhile."""

    wanted: Manifest
    """The child as it shall be, not yet sealed."""
    patch: tuple[dict[str, Any], ...]

    @property
    def ref(self) -> ChildRef:
        """Return the identity of the child."""
        return ref_of(self.wanted)


def strays_in(wanted: Manifest, live: Manifest) -> tuple[Difference, ...]:
    """Return what somebody else added to `live` and `wanted` does not have."""
    found = (
        one
        for root in _OURS.get(wanted["kind"], ())
        for one in _added(wanted.get(root), live.get(root), (root,))
        if manager_of(live, one.labels) is not None
    )
    return tuple(found)


def trim_of(wanted: Manifest, live: Manifest) -> Trim | None:
    """Return how to take out what somebody added, or None when there is nothing."""
    strays = strays_in(wanted, live)
    if not strays:
        return None
    removals = ({"op": "remove", "path": _pointer(one.steps, live)} for one in strays)
    return Trim(wanted, (while_at(live["metadata"]["resourceVersion"]), *removals))


def _added(wanted: Any, live: Any, steps: tuple[Step, ...]) -> Iterator[Difference]:
    if steps in _THEIRS:
        return
    if isinstance(live, Mapping) and (wanted is None or isinstance(wanted, Mapping)):
        for key, value in live.items():
            inside = (*steps, key)
            if wanted is not None and key in wanted:
                yield from _added(wanted[key], value, inside)
            elif value not in (None, "", 0, False, {}, []) and not _is_merged(inside, value):
                yield Difference(inside, None, value)
    elif isinstance(wanted, list) and (key := item_key(steps, wanted)) is not None:
        for one in wanted:
            item = Item(key, str(one[key]))
            yield from _added(one, item_of(live, item), (*steps, item))


def _is_merged(steps: tuple[Step, ...], value: Any) -> bool:
    return isinstance(value, list) and item_key(steps, value) is not None


def _pointer(steps: tuple[Step, ...], live: Any) -> str:
    """Return the steps as a JSON pointer (RFC 6901) into `live`."""
    parts = []
    for step in steps:
        if isinstance(step, Item):
            found = item_of(live, step)
            parts.append(str(next(place for place, one in enumerate(live) if one is found)))
            live = found
        else:
            parts.append(str(step).replace("~", "~0").replace("/", "~1"))
            live = live[step]
    return "/" + "/".join(parts)
