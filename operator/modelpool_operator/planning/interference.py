"""Who has changed a child behind the operator's back: the API server keeps book of who holds every field. Pure."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from modelpool_operator.api import names
from modelpool_operator.planning import comparison
from modelpool_operator.planning.manifests import ChildRef, ref_of
from modelpool_operator.planning.observed import Observed
from modelpool_operator.planning.plan import Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Interference:
    """A field of a child that is put back."""

    child: ChildRef
    field: str
    """Its path, `/spec/replicas`."""
    manager: str | None
    """The field manager that holds it, such as `kubectl-edit`; None where nobody does, as of what was removed."""

    def __str__(self) -> str:
        who = f"'{self.manager}'" if self.manager else "somebody"
        return f"{self.child}: {self.field} was changed by {who} and is put back; change the ModelPool instead"


def found_in(plan: Plan, observed: Observed) -> Iterator[Interference]:
    """Yield what a plan puts back: fields that differ in children which were applied as they are wanted."""
    for wanted in plan.apply:
        live = observed.children.get(ref_of(wanted))
        if live is None or _seal(live) != _seal(wanted):
            continue
        field = comparison.difference(wanted, live)
        if field is not None:
            yield Interference(child=ref_of(wanted), field=field, manager=manager_of(live, field))


def manager_of(live: Mapping[str, Any], field: str) -> str | None:
    """Return the manager, other than the operator, that holds a field of an object; the latest, where several do."""
    parts = field.strip("/").split("/")
    entries = [
        entry
        for entry in live["metadata"].get("managedFields") or ()
        if entry.get("manager") != names.FIELD_MANAGER and _holds(entry.get("fieldsV1") or {}, parts)
    ]
    latest = max(entries, key=lambda entry: entry.get("time") or "", default=None)
    return latest.get("manager") if latest else None


def _seal(manifest: Mapping[str, Any]) -> str | None:
    seal: str | None = (manifest["metadata"].get("annotations") or {}).get(names.APPLIED_ANNOTATION)
    return seal


def _holds(fields: Mapping[str, Any], parts: list[str]) -> bool:
    """Return whether a set of fields has this one, or ends above it. A part may hold slashes itself: `a.dev/b`."""
    if not parts or not fields:
        return not parts
    for count in range(1, len(parts) + 1):
        label, rest = "/".join(parts[:count]), parts[count:]
        for key, below in fields.items():
            kind, _, said = key.partition(":")
            fits = said == label if kind == "f" else kind == "k" and label in map(str, json.loads(said).values())
            if fits and (not below or _holds(below, rest)):
                return True
    return False
