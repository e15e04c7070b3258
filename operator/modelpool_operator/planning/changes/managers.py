"""Who holds a field of an object: the API server keeps book of it in `metadata.managedFields`. Pure."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from modelpool_operator.api import names
from modelpool_operator.planning.changes.comparison import Item, Step, inside


def manager_of(live: Mapping[str, Any], steps: Sequence[Step]) -> str | None:
    """Return the manager, other than the operator, that holds a field of an object; the latest, where several do.

    What admission changes in a request of the operator's is not held by others.
    """
    entries = [
        entry
        for entry in live["metadata"].get("managedFields") or ()
        if entry.get("manager") not in (names.FIELD_MANAGER, names.STATUS_FIELD_MANAGER)
        and _holds(entry.get("fieldsV1") or {}, steps, live)
    ]
    latest = max(entries, key=lambda entry: entry.get("time") or "", default=None)
    return latest.get("manager") if latest else None


def _holds(fields: Mapping[str, Any], steps: Sequence[Step], live: Any) -> bool:
    """Return whether a set of fields of `live` has this one, something in it, or ends above it."""
    if not steps or not fields:
        return not steps
    found = inside(live, steps[0])
    return any(
        _is_about(key, steps[0], found) and (not below or _holds(below, steps[1:], found))
        for key, below in fields.items()
    )


def _is_about(key: str, step: Step, found: Any) -> bool:
    """Return whether a key of managed fields means a step; an item is known by fields of its own, often by several."""
    kind, _, said = key.partition(":")
    if not isinstance(step, Item):
        return kind == "f" and said == str(step)
    keys = json.loads(said) if kind == "k" and isinstance(found, Mapping) else {}
    return bool(keys) and all(str(found.get(name)) == str(value) for name, value in keys.items())
