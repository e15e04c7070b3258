"""What a user does who follows the advice of a situation; after it the engine's pod has a node."""

from collections.abc import Callable
from typing import Any, Final

from modelpool_under_test.processes.pools import Pool

Object = dict[str, Any]


def size(wanted: str) -> Callable[[Pool], None]:
    """Return an edit of `cache.size`."""
    return edit(lambda spec: spec["cache"].update(size=wanted))


def edit(change: Callable[[Object], object]) -> Callable[[Pool], None]:
    """Return an edit of the pool's spec; what is set to None goes."""

    def remedy(pool: Pool) -> None:
        def changed(spec: Object) -> None:
            spec.setdefault("cache", {})
            change(spec)

        pool.edit(changed)

    return remedy


def another_class(pool: Pool) -> None:
    """Name a StorageClass that is there, and have the claim made anew."""
    edit(lambda spec: spec["cache"].update(storageClassName="kwok"))(pool)
    claim_anew(pool)


def claim_anew(pool: Pool) -> None:
    """Delete the claim, as the advice has it."""
    pool.cluster.kubectl("delete", "persistentvolumeclaim", f"{pool.name}-cache", f"--namespace={pool.namespace}")


def pods_anew(pool: Pool) -> None:
    """End the pods that still use the claim, as the advice has it."""
    selector = f"--selector=modelpool.dev/pool={pool.name}"
    pool.cluster.kubectl("delete", "pods", selector, f"--namespace={pool.namespace}")


REMEDIES: Final[dict[str, Callable[[Pool], None]]] = {
    "Nobody provisions": another_class,
    "No such StorageClass": another_class,
    "Quota on volumes": size("20Gi"),
    "LimitRange on volumes": size("5Gi"),
    "Claim deleted": pods_anew,
    "Volume deleted": claim_anew,
    "LimitRange on containers": edit(lambda spec: spec["vllm"].update(resources={"limits": {"memory": "4Gi"}})),
    "No such service account": edit(lambda spec: spec.update(serviceAccountName=None)),
    "No such priority class": edit(lambda spec: spec.update(priorityClassName=None)),
    "No such runtime class": edit(lambda spec: spec["gpus"].update(runtimeClassName=None)),
}
"""By title."""
