"""What is the matter with one child, compared with what is wanted of it, and what is sent to put it right. Pure."""

from typing import Final, NamedTuple

from modelpool_operator.api import names
from modelpool_operator.planning.changes import adoption, comparison, foreign_fields
from modelpool_operator.planning.manifests import volumes
from modelpool_operator.planning.objects.identity import CLAIM, Manifest, digest, is_going, ref_of, seal_of
from modelpool_operator.planning.observation.observed import Observed

_LEFT: Final = "has no owner and is taken up again"
UNCHANGEABLE: Final = frozenset({"Job", "ResourceClaim"})
"""Kinds that are made and never changed."""
KEPT: Final = frozenset({CLAIM})
"""Kinds that outlive the wish for them: hours of download. They go with the pool, or outlive it where it says so."""


class Change(NamedTuple):
    """Why a child is to be put right, and how."""

    reason: str
    apply: Manifest | None = None
    """What is sent whole, not yet sealed; None of a child that has all, can have no more, or is patched."""
    trim: foreign_fields.Trim | None = None
    """What is put right otherwise than by applying it."""
    retemplated: bool = False
    """Whether it is a Deployment that is there, with another template of its pods."""


def change_of(wanted: Manifest, observed: Observed) -> Change | None:
    """Return what is to be done about `wanted`, or None when nothing is to be done now."""
    live, kind = observed.children.get(ref_of(wanted)), wanted["kind"]
    if live is None:
        waits = kind == "Job" and not _ollama_answers(wanted, observed)
        return None if waits else Change("is absent", apply=wanted)
    if is_going(live):
        return None
    is_left = adoption.is_orphan(live) and bool(wanted["metadata"].get("ownerReferences"))
    if kind in UNCHANGEABLE:
        return Change(_LEFT, trim=adoption.adoption_of(wanted, live)) if is_left else None
    if kind == CLAIM:
        why = _LEFT if is_left else volumes.change_of(wanted, live)
        if why is None:
            return None
        # As it is applied, what cannot change stays as it is.
        return Change(why, apply=volumes.as_changed(wanted, live), trim=foreign_fields.trim_of(wanted, live))
    in_place = comparison.is_in_place(wanted, live)
    reason = _LEFT if is_left else _difference(wanted, live, in_place=in_place)
    if reason is None:
        return None
    trim = foreign_fields.trim_of(wanted, live)
    is_done = in_place or (trim is not None and trim.is_all)
    return Change(reason, apply=None if is_done else wanted, trim=trim, retemplated=_is_retemplated(wanted, live))


def _difference(wanted: Manifest, live: Manifest, *, in_place: bool) -> str | None:
    """Return in what a child is not as wanted, and whose doing that is, or None."""
    if in_place:
        added = foreign_fields.foreign_fields_in(wanted, live)
        return f"{added[0].path} was added by somebody else" if added else None
    changed = comparison.difference(wanted, live)
    if seal_of(live) != digest(wanted):
        return f"the pool wants {changed} changed" if changed else "was not applied by this version"
    return f"{changed} was changed by somebody else"


def _is_retemplated(wanted: Manifest, live: Manifest) -> bool:
    if wanted["kind"] != "Deployment":
        return False
    return comparison.difference(wanted["spec"]["template"], live["spec"]["template"], "/spec/template") is not None


def _ollama_answers(job: Manifest, observed: Observed) -> bool:
    """Return whether a server is there to pull for: a Job that starts earlier only wastes its retries."""
    pool = job["metadata"]["ownerReferences"][0]["name"]
    server = observed.child("Deployment", names.ollama_name(pool))
    return server is not None and ((server.get("status") or {}).get("availableReplicas") or 0) > 0
