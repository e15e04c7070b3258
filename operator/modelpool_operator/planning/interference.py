"""Who has changed a child behind the operator's back, and what is put back. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain

from modelpool_operator.planning.comparison import differences
from modelpool_operator.planning.managers import manager_of
from modelpool_operator.planning.manifests import ChildRef, Manifest, seal_of
from modelpool_operator.planning.strays import strays_in


@dataclass(frozen=True, slots=True, kw_only=True)
class Interference:
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


def found_in(wanted: Mapping[ChildRef, Manifest], live: Mapping[ChildRef, Manifest]) -> Iterator[Interference]:
    """Yield what others changed in children that were applied as they are wanted.

    Args:
        wanted: sealed manifests.
        live: what there is.
    """
    for ref, manifest in wanted.items():
        found = live.get(ref)
        if found is None or seal_of(found) != seal_of(manifest):
            continue
        one = next(chain(differences(manifest, found), strays_in(manifest, found)), None)
        if one is not None:
            yield Interference(child=ref, field=one.path, manager=manager_of(found, one.labels))
