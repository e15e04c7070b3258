"""What is the matter with one child, compared with what is wanted of it, and what is sent to put it right. Pure."""

from typing import Final

from modelpool_operator.api import names
from modelpool_operator.planning.changes import adoption, comparison, foreign_fields
from modelpool_operator.planning.manifests import volumes
from modelpool_operator.planning.objects.identity import CLAIM, Manifest, digest, is_going, ref_of, seal_of
from modelpool_operator.planning.observation.observed import Observed

UNCHANGEABLE: Final = frozenset({"Job", "ResourceClaim"})
"""Kinds that are made and never changed."""
KEPT: Final = frozenset({CLAIM})
"""Kinds that outlive the wish for them: hours of download. They go with the pool, or outlive it where it says so."""


def reason_for(wanted: Manifest, observed: Observed) -> str | None:
    """Return why `wanted` must be applied, or None when nothing is to be done now."""
    live = observed.children.get(ref_of(wanted))
    if live is None:
        waits = wanted["kind"] == "Job" and not _ollama_answers(wanted, observed)
        return None if waits else "is absent"
    if is_going(live):
        return None
    if adoption.is_orphan(live) and wanted["metadata"].get("ownerReferences"):
        return "has no owner and is taken up again"
    if wanted["kind"] in UNCHANGEABLE:
        return None
    if wanted["kind"] == CLAIM:
        return volumes.change_of(wanted, live)
    added = foreign_fields.foreign_fields_in(wanted, live)
    if comparison.is_in_place(wanted, live):
        return f"{added[0].path} was added by somebody else" if added else None
    changed = comparison.difference(wanted, live)
    if seal_of(live) != digest(wanted):
        return f"the pool wants {changed} changed" if changed else "was not applied by this version"
    return f"{changed} was changed by somebody else"


def is_applied(wanted: Manifest, observed: Observed) -> bool:
    """Return whether a child that is to be changed needs no applying: it has all, can have no more, or is patched."""
    live = observed.children.get(ref_of(wanted))
    if live is None or wanted["kind"] == CLAIM:
        return False
    if wanted["kind"] in UNCHANGEABLE or comparison.is_in_place(wanted, live):
        return True
    trim = foreign_fields.trim_of(wanted, live)
    return trim is not None and trim.is_all


def trim_of(wanted: Manifest, observed: Observed) -> foreign_fields.Trim | None:
    """Return what of a child is put right otherwise than by applying it, or None."""
    live = observed.children.get(ref_of(wanted))
    if live is not None and wanted["kind"] in UNCHANGEABLE:
        return adoption.adoption_of(wanted, live)
    return None if live is None else foreign_fields.trim_of(wanted, live)


def is_retemplated(wanted: Manifest, observed: Observed) -> bool:
    """Return whether it is a Deployment that is there, with another template of its pods."""
    live = observed.children.get(ref_of(wanted)) if wanted["kind"] == "Deployment" else None
    if live is None:
        return False
    found = comparison.difference(wanted["spec"]["template"], live["spec"]["template"], "/spec/template")
    return found is not None


def to_send(wanted: Manifest, observed: Observed) -> Manifest:
    """Return a child as it is applied: of a volume that is there, with what cannot change as it is."""
    live = observed.children.get(ref_of(wanted))
    return volumes.as_changed(wanted, live) if live is not None and wanted["kind"] == CLAIM else wanted


def _ollama_answers(job: Manifest, observed: Observed) -> bool:
    """Return whether a server is there to pull for: a Job that starts earlier only wastes its retries."""
    pool = job["metadata"]["ownerReferences"][0]["name"]
    server = observed.child("Deployment", names.ollama_name(pool))
    return server is not None and ((server.get("status") or {}).get("availableReplicas") or 0) > 0
