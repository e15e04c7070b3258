"""Who has changed a child behind the operator's back, and what is put back. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from modelpool_operator.api import names
from modelpool_operator.planning.changes.comparison import differences
from modelpool_operator.planning.changes.foreign_fields import foreign_fields_in
from modelpool_operator.planning.changes.managers import manager_of
from modelpool_operator.planning.objects.identity import ChildRef, Manifest, seal_of

_SEAL: Final = ("metadata", "annotations", names.APPLIED_ANNOTATION)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """A field of a child that is put back."""

    child: ChildRef
    field: str
    """Its path, `/spec/replicas`."""
    manager: str | None
    """The field manager that holds it, such as `kubectl-edit`; None where nobody does, as of what was removed."""

    @property
    def who(self) -> str:
        """Return the manager in words."""
        return f"'{self.manager}'" if self.manager else "somebody"

    def __str__(self) -> str:
        return f"{self.child}: {self.field} was changed by {self.who} and is put back; change the ModelPool instead"


def found_in(wanted: Mapping[ChildRef, Manifest], live: Mapping[ChildRef, Manifest]) -> Iterator[Drift]:
    """Yield what others changed in children that were applied, in whatever way they are wanted.

    Args:
        wanted: sealed manifests.
        live: what there is.
    """
    for ref, manifest in wanted.items():
        found = live.get(ref)
        if found is None or not (seal_of(found) == seal_of(manifest) or _took_the_seal(found)):
            continue
        changes = (*differences(manifest, found), *foreign_fields_in(manifest, found))
        by = [(manager_of(found, one.steps), one) for one in changes]
        if by:  # What somebody holds says more than what is gone, and any field more than the seal.
            manager, one = min(by, key=lambda held: (held[0] is None, held[1].steps == _SEAL))
            yield Drift(child=ref, field=one.path, manager=manager)


def _took_the_seal(live: Manifest) -> bool:
    """Return whether a child bears a seal of somebody else's, or none although it was applied: not an older one."""
    if seal_of(live) is not None:
        return manager_of(live, _SEAL) is not None
    return any(entry.get("manager") == names.FIELD_MANAGER for entry in live["metadata"].get("managedFields") or ())
