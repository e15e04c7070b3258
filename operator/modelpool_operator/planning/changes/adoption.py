"""Which objects without an owner a pool takes up again: its own children that were left behind. Pure.

`kubectl delete mp x --cascade=orphan` lets the engines run on, and is meant for a pool that comes back: Kubernetes'
controllers adopt what has no controller and bears their labels, and so does a pool. What no operator has applied is
nobody's child, whatever its labels say; nor is a copy that somebody made, with all that stands in it: the API server
keeps book of who applied an object.
"""

from modelpool_operator.api import names
from modelpool_operator.planning.changes.foreign_fields import Trim
from modelpool_operator.planning.manifests.volumes import is_retained
from modelpool_operator.planning.objects.identity import Manifest, seal_of, while_at


def is_orphan(child: Manifest) -> bool:
    """Return whether an object was applied as a child of a pool, and has no owner where it should have one."""
    described = child["metadata"]
    owned = any(owner.get("controller") for owner in described.get("ownerReferences") or ())
    applied = seal_of(child) is not None and any(
        entry.get("manager") == names.FIELD_MANAGER and entry.get("operation") == "Apply"
        for entry in described.get("managedFields") or ()
    )
    return applied and not owned and not is_retained(child)


def adoption_of(wanted: Manifest, live: Manifest) -> Trim:
    """Return how to give an object of a kind that cannot change its owner."""
    described = live["metadata"]
    owners = [*(described.get("ownerReferences") or ()), *wanted["metadata"]["ownerReferences"]]
    added = {"op": "add", "path": "/metadata/ownerReferences", "value": owners}
    return Trim(wanted, (while_at(described["resourceVersion"]), added))
