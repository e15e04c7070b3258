"""Whether the pods that answer are those that this generation of the pool wants. Pure.

A status speaks of one generation, and an engine that answers may be of an earlier one: the change waits for its turn,
was refused, hangs in a rollout that somebody paused, or does not come up. So a Deployment is held against the template
that the plan wants for it, and its pods against the template that they were made from.

The hash of a template is in the template, so one that somebody else has changed keeps it, and so do the pods that were
made from that. The Deployment's own count of its pods tells these apart, once its controller has seen the last change.
"""

from collections.abc import Sequence

from modelpool_operator.planning.changes.plan import Plan
from modelpool_operator.planning.objects.identity import Manifest, template_of
from modelpool_operator.planning.observation.observed import Observed
from modelpool_operator.planning.observation.pod_views import PodView


def why_behind(
    name: str, plan: Plan, observed: Observed, answering: Sequence[PodView], *, was_ready: bool
) -> str | None:
    """Return why the pods that answer are not all what the plan wants, or None.

    Args:
        name: of the Deployment.
        plan: which knows of no template where it is a refusal; then nothing can be told.
        observed: what was seen after the plan was carried out.
        answering: the Deployment's ready pods.
        was_ready: whether this generation was said to be ready before: a change of the number of replicas alone then
            makes nothing doubtful while its controller has not seen it.
    """
    wanted, live = plan.templates.get(name), observed.child("Deployment", name)
    if wanted is None:
        return None
    if live is None:
        return f"Deployment {name} is not there yet"
    if all(pod.template == wanted for pod in answering) and not _has_others(live, name in plan.retemplated, was_ready):
        return None
    if (live.get("spec") or {}).get("paused"):
        return f"Deployment {name} is paused; `kubectl rollout resume deployment/{name}` lets it go on"
    if template_of(live) != wanted:
        return f"Deployment {name} is not changed yet"
    return f"pods that Deployment {name} had before are not replaced yet"


def _has_others(live: Manifest, retemplated: bool, was_ready: bool) -> bool:
    """Return whether a Deployment has pods of another template than its own, by its own count."""
    generation, status = live["metadata"].get("generation"), live.get("status") or {}
    if retemplated or generation is None:
        return retemplated
    if (status.get("observedGeneration") or 0) < generation:
        return not was_ready
    updated = status.get("updatedReplicas") or 0
    return updated == 0 or updated < (status.get("replicas") or 0)
