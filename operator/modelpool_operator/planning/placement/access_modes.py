"""Whether the volume of weights that is there can be mounted by all engines that the pool wants."""

from typing import Final

from modelpool_operator.api.pool import ModelPool
from modelpool_operator.planning import sharing
from modelpool_operator.planning.memory.refusals import Refusal
from modelpool_operator.planning.objects.identity import Manifest

MANY: Final = "ReadWriteMany"


def objection_to(pool: ModelPool, live: Manifest | None) -> Refusal | None:
    """Refuse replicas on several nodes where the volume that is there can be mounted on one. Its mode cannot change.

    Args:
        pool: what is wanted.
        live: the pool's own claim of weights, or None where there is none.
    """
    replicated = next((model for model in pool.spec.models if model.most_replicas > 1), None)
    if (
        replicated is None
        or pool.spec.cache.existing_claim is not None
        or live is None
        or MANY in (live["spec"].get("accessModes") or ())
    ):
        return None
    name, modes = live["metadata"]["name"], ", ".join(live["spec"].get("accessModes") or ())
    field = "replicas" if replicated.autoscaling is None else "autoscaling.maxReplicas"
    here = ", or this one where all replicas stand on one node" if sharing.mode_of(pool.spec).whole_cards else ""
    message = (
        f"`{field}` of {replicated.name} is {replicated.most_replicas}, for several nodes, but PersistentVolumeClaim"
        f" {name} is {modes}, which one node can mount, and that cannot change: name a {MANY} claim in"
        f" `cache.existingClaim`{here}, or delete the pool's Deployments and this claim, whose weights are then fetched"
        " again"
    )
    return Refusal(reason="VolumeOnOneNode", message=message)
