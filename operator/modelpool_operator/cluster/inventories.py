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
from modelpool_operator.planning.inventory import Inventory

logger = logging.getLogger(__name__)

DRIVER: Final = f"spec.driver={names.DRA_DRIVER}"


async def look(client: Client, pool: ModelPool, used: Collection[str]) -> Inventory:
    """Return what nodes offer to a pool.

    Args:
        client: the API server.
        pool: what it says of its cards is not looked for.
        used: nodes on which pods of the pool hold cards.

    Raises:
        errors.ClusterError: something that the pool depends on could not be read.
    """
    gpus = pool.spec.gpus
    is_open = gpus.sharing is Sharing.AUTO
    if not is_open and gpus.memory is not None:
        return await _contradiction(client, used, by_devices=gpus.sharing is Sharing.DRA)
    labels = ",".join(f"{key}={value}" for key, value in sorted(pool.spec.node_selector.items()))
    everywhere = None if is_open else names.NODE_GPU_MEMORY_LABEL
    nodes = await client.list_all(kinds.NODES, labels=labels or everywhere)
    labelled = Inventory.from_manifests(nodes=nodes)
    if labelled.memories(by_devices=False) and gpus.sharing not in (Sharing.AUTO, Sharing.DRA):
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


async def _contradiction(client: Client, used: Collection[str], *, by_devices: bool) -> Inventory:
    """Return what the nodes on which a pool runs say of cards that it has declared; nothing where we may not look."""
    if not used:
        return Inventory()
    reads = [client.list_all(kinds.NODES, fields=f"metadata.name={name}") for name in sorted(used)]
    if by_devices:
        reads += [_optional(client, kinds.RESOURCE_SLICES, f"{DRIVER},spec.nodeName={name}") for name in sorted(used)]
    try:
        found = await together(reads)
    except errors.DeniedError as exc:
        logger.debug("Could not look at a node", extra={"nodes": sorted(used), "error": str(exc)})
        return Inventory()
    nodes, slices = found[: len(used)], found[len(used) :]
    return Inventory.from_manifests(
        nodes=(node for objects in nodes for node in objects),
        resource_slices=(one for objects in slices for one in objects),
    )


async def _optional(client: Client, kind: kinds.Kind, fields: str) -> list[Object]:
    """Return objects of a kind that an older cluster does not serve."""
    try:
        return await client.list_all(kind, fields=fields)
    except errors.AbsentError:
        return []


async def _nothing() -> list[Object]:
    return []
