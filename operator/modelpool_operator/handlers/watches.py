"""What is watched, and which pool each event wakes. Nothing is decided here, and nothing is written.

kopf's handlers of raw events persist nothing: no finalizer, no annotation, no patch. What is remembered of an object is
its pool's reference and a hash; the object itself is let go at once.
"""

from typing import Any, Final

import kopf

from modelpool_operator.api import names
from modelpool_operator.api.names import ObjectRef
from modelpool_operator.handlers.memo import Memo

REGISTRY: Final = kopf.OperatorRegistry()
"""kopf's decorators fill it; the program hands it to kopf. kopf's own global registry stays empty."""

CHILDREN: Final = (
    "deployments.apps",
    "jobs.batch",
    "poddisruptionbudgets.policy",
    "services",
    "configmaps",
    "persistentvolumeclaims",
    "pods",
)
"""Watched with a label selector (see `lifecycle`), so that nobody else's objects come by."""


@kopf.on.event(names.GROUP, names.VERSION, names.PLURAL, registry=REGISTRY)
async def pool_changed(event: kopf.RawEvent, body: kopf.Body, memo: Memo, **_: Any) -> None:
    """Wake a pool when anything of it but its status changed."""
    ref = ObjectRef(body.metadata.namespace or "", body.metadata.name or "")
    memo.readiness.seen(ref)
    if memo.changes.is_news(body, deleted=event["type"] == "DELETED"):
        memo.queue.add(ref)


@kopf.on.event("apps", "v1", "deployments", registry=REGISTRY)
@kopf.on.event("batch", "v1", "jobs", registry=REGISTRY)
@kopf.on.event("policy", "v1", "poddisruptionbudgets", registry=REGISTRY)
@kopf.on.event("", "v1", "services", registry=REGISTRY)
@kopf.on.event("", "v1", "configmaps", registry=REGISTRY)
@kopf.on.event("", "v1", "persistentvolumeclaims", registry=REGISTRY)
@kopf.on.event("", "v1", "pods", registry=REGISTRY)
async def child_changed(body: kopf.Body, memo: Memo, **_: Any) -> None:
    """Wake the pool that an object belongs to by its label."""
    pool = body.metadata.labels.get(names.POOL_LABEL)
    if pool:
        memo.queue.add(ObjectRef(body.metadata.namespace or "", pool))
