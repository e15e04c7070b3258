"""What hangs without saying why, and what the control plane said of it: of some troubles only Events tell.

A claim that nobody provisions, a volume that is not mounted, a Job whose pods are denied: none says so in its status.
Pure; `cluster` asks for the Events of what `whom_to_ask` names.
"""

import itertools
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from modelpool_operator.api import names
from modelpool_operator.api.pool import ModelPool
from modelpool_operator.planning.manifests import volumes
from modelpool_operator.planning.objects.identity import CLAIM, Manifest
from modelpool_operator.planning.observation.observed import Said
from modelpool_operator.planning.observation.pod_views import PodView
from modelpool_operator.planning.reporting import volume_states

HANGS_AFTER: Final = timedelta(seconds=20)
"""Since it was made. Most volumes are there, most mounts are made by then, and nobody has been asked."""
MOST: Final = 8
"""Objects of a pool that are asked about in one pass."""
_STARTING: Final = frozenset({"", "ContainerCreating", "PodInitializing"})
_CLAIM_NEWS: Final = ("ProvisioningFailed", "FailedBinding", "ExternalProvisioning")
"""Reasons of Events about a claim, the more telling first; they come again and again, in turns."""
_POD_NEWS: Final = ("FailedAttachVolume", "FailedPrepareDynamicResources", "FailedCreatePodSandBox", "FailedMount")
"""The same of a pod's."""


class Hanging(NamedTuple):
    """Something that waits for others, and does not say for what."""

    kind: str
    name: str
    since: str
    """When it was made, or when somebody began to wait for it, as the API server writes it."""
    uid: str = ""
    """Of the object, where it is known: another one may have had the name."""


def candidates(pool: ModelPool, children: Iterable[Manifest], pods: Iterable[PodView]) -> tuple[Hanging, ...]:
    """Return what of a pool may come to hang: it was made, and has not come to where its status tells something."""
    pods, children = tuple(pods), tuple(children)
    living = [pod for pod in pods if not pod.deleting]
    found = [Hanging("Pod", pod.name, pod.created) for pod in living if _is_silent(pod)]
    nodeless = min((pod.created for pod in living if pod.node is None and pod.phase == "Pending"), default=None)
    if nodeless is not None:  # It may wait for a claim: one of the pool, or one that its users bring.
        own = {_name(child): child for child in children if child["kind"] == CLAIM}
        mounted = (claim for model in pool.spec.models for claim in volume_states.claims_of(pool, model, model.engine))
        found += [Hanging(CLAIM, name, nodeless) for name in dict.fromkeys(mounted) if name not in own]
        unbound = (claim for claim in own.values() if not volumes.is_bound(claim))
        found += [Hanging(CLAIM, _name(claim), nodeless, _uid(claim)) for claim in unbound]
    busy = {pod.model for pod in pods if pod.component == names.PULL_COMPONENT}
    jobs = (child for child in children if _has_no_pod(child, busy))
    found += [Hanging("Job", _name(job), _created(job), _uid(job)) for job in jobs]
    return tuple(sorted(found))


def whom_to_ask(found: Iterable[Hanging], now: datetime) -> tuple[Hanging, ...]:
    """Return those of the candidates that have taken too long, one of each kind in turn: many of one tell the same."""
    late = [one for one in found if now - _time(one.since, now) >= HANGS_AFTER]
    by_kind = [[one for one in late if one.kind == kind] for kind in dict.fromkeys(one.kind for one in late)]
    turns = (one for turn in itertools.zip_longest(*by_kind) for one in turn if one is not None)
    return tuple(itertools.islice(turns, MOST))


def said_in(kind: str, events: Iterable[Mapping[str, Any]]) -> Said | None:
    """Return the most telling of an object's Events, or None where they tell of no trouble.

    Of a pod, what came before it last went on is settled: a volume that was attached late is no trouble any more.
    """
    found = sorted(events, key=_when)
    if kind == CLAIM:
        return _most_specific([event for event in found if event.get("reason") in _CLAIM_NEWS], _CLAIM_NEWS)
    went_on = max((_when(event) for event in found if event.get("type") == "Normal"), default="")
    trouble = [event for event in found if event.get("type") == "Warning" and _when(event) > went_on]
    return _most_specific(trouble, _POD_NEWS)


def _most_specific(events: list[Mapping[str, Any]], order: tuple[str, ...]) -> Said | None:
    def rank(event: Mapping[str, Any]) -> int:
        reason = event.get("reason")
        return order.index(reason) if reason in order else len(order)

    if not events:
        return None
    best = min(rank(event) for event in events)
    event = [one for one in events if rank(one) == best][-1]
    return Said(reason=str(event.get("reason") or ""), message=" ".join(str(event.get("message") or "").split()))


def _is_silent(pod: PodView) -> bool:
    begun = any(one.running or one.ended_reason or one.waiting_reason not in _STARTING for one in pod.containers)
    return pod.node is not None and pod.phase == "Pending" and not pod.ready and not begun


def _has_no_pod(child: Manifest, busy: Iterable[str | None]) -> bool:
    if child["kind"] != "Job":
        return False
    status = child.get("status") or {}
    over = any(one.get("status") == "True" for one in status.get("conditions") or ())
    model = (child["metadata"].get("annotations") or {}).get(names.MODEL_ANNOTATION)
    return not over and not status.get("active") and model not in busy and not child["spec"].get("suspend")


def _name(child: Manifest) -> str:
    return str(child["metadata"]["name"])


def _uid(child: Manifest) -> str:
    return str(child["metadata"].get("uid") or "")


def _created(child: Manifest) -> str:
    return str(child["metadata"].get("creationTimestamp") or "")


def _when(event: Mapping[str, Any]) -> str:
    """Return when an Event was last seen; of one second, the less exact text counts as the later one."""
    series = event.get("series") or {}
    times = (series.get("lastObservedTime"), event.get("lastTimestamp"), event.get("eventTime"))
    return str(next((time for time in times if time), (event.get("metadata") or {}).get("creationTimestamp") or ""))


def _time(text: str, now: datetime) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return now
