"""Looking at what nodes offer, and only as far as a pool leaves it open: cards' memory, or the way to share them.

Nodes, devices and classes belong to no namespace; an installation may not let us look at them. Where a pool depends on
what is there, a refusal ends the pass; where it would only contradict what the pool says, it does not.
"""

import logging
from collections.abc import Collection
from typing import Final

from modelpool_operator.api import names
from modelpool_operator.api.pool import ModelPool, Sharing
from modelpool_operator.cluster import errors, kinds
from modelpool_operator.cluster.client import Client, Object
from modelpool_operator.cluster.together import together
from modelpool_operator.planning.inventory import Inventory, slice_memory_label

logger = logging.getLogger(__name__)

DRIVER: Final = f"spec.driver={names.DRA_DRIVER}"


async def look(client: Client, pool: ModelPool, used: Collection[str], *, every_node: bool = False) -> Inventory:
    """Return what nodes offer to a pool.

    Args:
        client: the API server.
        pool: what it says of its cards is not looked for; `auto` is what was chosen for it, where something was.
        used: nodes on which pods of the pool hold cards.
        every_node: whether to look at all nodes all the same, to see which of them the pool may be on.

    Raises:
        errors.ClusterError: something that the pool depends on could not be read.
    """
    gpus = pool.spec.gpus
    if gpus.memory is None or gpus.sharing is Sharing.AUTO:
        return await _offers(client, pool, every_node=every_node)
    try:
        if every_node or gpus.sharing is Sharing.DRA:
            return await _offers(client, pool, every_node=every_node)
        return await _nodes(client, used)
    except errors.DeniedError as exc:
        logger.debug("Could not look at nodes", extra={"pool": pool.ref, "error": str(exc)})
        return Inventory()


async def _offers(client: Client, pool: ModelPool, *, every_node: bool) -> Inventory:
    """Return what the nodes offer that the pool may be on.

    By its labels, a node of NVIDIA's device plugin is found; one of the DRA driver may have none of them.
    """
    gpus, is_open = pool.spec.gpus, pool.spec.gpus.sharing is Sharing.AUTO
    by_devices = gpus.sharing is Sharing.DRA
    labels = ",".join(f"{key}={value}" for key, value in sorted(pool.spec.node_selector.items()))
    if not labels and not is_open and not by_devices:
        labels = slice_memory_label(gpus.resource_name) or names.NODE_GPU_MEMORY_LABEL
    nodes = await client.list_all(kinds.NODES, labels=None if every_node else labels or None)
    labelled = Inventory.from_manifests(nodes=nodes)
    known = gpus.memory is not None or labelled.memories(by_devices=False, resource=gpus.resource_name)
    if known and not is_open and not by_devices:
        return labelled
    slices, classes, runtimes = await together(
        [
            _optional(client, kinds.RESOURCE_SLICES, DRIVER),
            _optional(client, kinds.DEVICE_CLASSES, f"metadata.name={names.DRA_DRIVER}") if is_open else _nothing(),
            client.list_all(kinds.RUNTIME_CLASSES) if is_open else _nothing(),
        ]
    )
    return Inventory.from_manifests(
        nodes=nodes, resource_slices=slices, device_classes=classes, runtime_classes=runtimes
    )


async def _nodes(client: Client, used: Collection[str]) -> Inventory:
    """Return what the labels of these nodes say."""
    found = await together([client.list_all(kinds.NODES, fields=f"metadata.name={name}") for name in sorted(used)])
    return Inventory.from_manifests(nodes=(node for objects in found for node in objects))


async def _optional(client: Client, kind: kinds.Kind, fields: str) -> list[Object]:
    """Return objects of a kind that an older cluster does not serve."""
    try:
        return await client.list_all(kind, fields=fields)
    except errors.AbsentError:
        return []


async def _nothing() -> list[Object]:
    return []
