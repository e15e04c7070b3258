"""Who holds a field of an object: the API server keeps book of it in `metadata.managedFields`. Pure."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from modelpool_operator.api import names


def manager_of(live: Mapping[str, Any], labels: Sequence[str]) -> str | None:
    """Return the manager, other than the operator, that holds a field of an object; the latest, where several do.

    What admission changes in a request of the operator's is not held by others.
    """
    entries = [
        entry
        for entry in live["metadata"].get("managedFields") or ()
        if entry.get("manager") != names.FIELD_MANAGER and _holds(entry.get("fieldsV1") or {}, labels)
    ]
    latest = max(entries, key=lambda entry: entry.get("time") or "", default=None)
    return latest.get("manager") if latest else None


def _holds(fields: Mapping[str, Any], labels: Sequence[str]) -> bool:
    """Return whether a set of fields has this one, something in it, or ends above it."""
    if not labels or not fields:
        return not labels
    for key, below in fields.items():
        kind, _, said = key.partition(":")
        fits = said == labels[0] if kind == "f" else kind == "k" and labels[0] in map(str, json.loads(said).values())
        if fits and (not below or _holds(below, labels[1:])):
            return True
    return False
