"""What kopf watches, ModelPools, and that each event wakes its pool. Nothing is decided here, and nothing is written.

kopf's handlers of raw events persist nothing: no finalizer, no annotation, no patch. What is remembered of a pool is a
hash; the object itself is let go at once. Children and pods are the mirror's (`cluster.reflector`).
"""

from typing import Any, Final

import kopf

from modelpool_operator.api import names
from modelpool_operator.api.names import ObjectRef
from modelpool_operator.handlers.memo import Memo

REGISTRY: Final = kopf.OperatorRegistry()
"""kopf's decorators fill it; the program hands it to kopf. kopf's own global registry stays empty."""


@kopf.on.event(names.GROUP, names.VERSION, names.PLURAL, registry=REGISTRY)
async def pool_changed(event: kopf.RawEvent, body: kopf.Body, memo: Memo, **_: Any) -> None:
    """Wake a pool when anything of it but its status changed."""
    ref = ObjectRef(body.metadata.namespace or "", body.metadata.name or "")
    memo.readiness.seen(ref)
    if memo.changes.is_news(body, deleted=event["type"] == "DELETED"):
        memo.queue.add(ref)
