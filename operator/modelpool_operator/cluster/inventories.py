"""Looking at what nodes offer, and only as far as a pool leaves it open: cards' memory, or the way to share them.

Nodes, devices and classes belong to no namespace; an installation may not let us look at them. Where a pool depends on
what is there, a refusal ends the pass; where it would only contradict what the pool says, it does not. Nodes that are
watched are not asked for.
"""

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from modelpool_operator.api import names
from modelpool_operator.api.pool import ModelPool, Sharing
from modelpool_operator.cluster import errors, kinds
from modelpool_operator.cluster.client import Client, Object
from modelpool_operator.cluster.together import together
from modelpool_operator.planning.sharing.inventory import Inventory, NodeView, slice_memory_label

logger = logging.getLogger(__name__)

DRIVER: Final = f"spec.driver={names.DRA_DRIVER}"


async def look(
    client: Client,
    pool: ModelPool,
    used: Collection[str],
    *,
    every_node: bool = False,
    known: Sequence[NodeView] | None = None,
) -> Inventory:
    """Return what nodes offer to a pool.

    Args:
        client: the API server.
        pool: what it says of its cards is not looked for; `auto` is what was chosen for it, where something was.
        used: nodes on which pods of the pool hold cards.
        every_node: whether to look at all nodes all the same, to see which of them the pool may be on.
        known: all nodes, where a watch tells of them; None: ask.

    Raises:
        errors.ClusterError: something that the pool depends on could not be read.
    """
    gpus = pool.spec.gpus
    if gpus.memory is None or gpus.sharing is Sharing.AUTO:
        return await _offers(client, pool, known, every_node=every_node)
    try:
        by_devices = gpus.sharing is Sharing.DRA
        if every_node or (by_devices and not used):
            return await _offers(client, pool, known, every_node=every_node)
        return await _here(client, sorted(used), known, by_devices=by_devices)
    except errors.DeniedError as exc:
        logger.debug("Could not look at nodes", extra={"pool": pool.ref, "error": str(exc)})
        return Inventory()


async def _offers(client: Client, pool: ModelPool, known: Sequence[NodeView] | None, *, every_node: bool) -> Inventory:
    """Return what the nodes offer that the pool may be on.

    By its labels, a node of NVIDIA's device plugin is found; one of the DRA driver may have none of them.
    """
    gpus, is_open = pool.spec.gpus, pool.spec.gpus.sharing is Sharing.AUTO
    by_devices = gpus.sharing is Sharing.DRA
    selector: dict[str, str | None] = dict(pool.spec.node_selector)
    if not selector and not is_open and not by_devices:
        selector = {slice_memory_label(gpus.resource_name) or names.NODE_GPU_MEMORY_LABEL: None}
    if every_node:
        selector = {}
    labelled = Inventory(nodes=await _labelled(client, selector) if known is None else _fitting(known, selector))
    is_told = gpus.memory is not None or labelled.memories(by_devices=False, resource=gpus.resource_name)
    if is_told and not is_open and not by_devices:
        return labelled
    slices, classes, runtimes = await together(
        [
            _optional(client, kinds.RESOURCE_SLICES, DRIVER),
            _optional(client, kinds.DEVICE_CLASSES, f"metadata.name={names.DRA_DRIVER}") if is_open else _nothing(),
            client.list_all(kinds.RUNTIME_CLASSES) if is_open else _nothing(),
        ]
    )
    found = Inventory.from_manifests(resource_slices=slices, device_classes=classes, runtime_classes=runtimes)
    return replace(found, nodes=labelled.nodes)


async def _labelled(client: Client, selector: Mapping[str, str | None]) -> tuple[NodeView, ...]:
    """Return the nodes that have these labels; None: whatever their value."""
    labels = ",".join(key if value is None else f"{key}={value}" for key, value in sorted(selector.items()))
    return Inventory.from_manifests(nodes=await client.list_all(kinds.NODES, labels=labels or None)).nodes


def _fitting(nodes: Iterable[NodeView], selector: Mapping[str, str | None]) -> tuple[NodeView, ...]:
    return tuple(
        node
        for node in nodes
        if all(key in node.labels and value in (None, node.labels[key]) for key, value in selector.items())
    )


async def _here(
    client: Client, used: Sequence[str], known: Sequence[NodeView] | None, *, by_devices: bool
) -> Inventory:
    """Return what the labels of these nodes say, and of those of the DRA driver their slices."""
    if known is None:
        found = await together([client.list_all(kinds.NODES, fields=f"metadata.name={name}") for name in used])
        known = Inventory.from_manifests(nodes=(node for objects in found for node in objects)).nodes
    asked = [_optional(client, kinds.RESOURCE_SLICES, f"{DRIVER},spec.nodeName={name}") for name in used if by_devices]
    slices = [one for objects in await together(asked) for one in objects]
    return replace(
        Inventory.from_manifests(resource_slices=slices), nodes=tuple(node for node in known if node.name in used)
    )


async def _optional(client: Client, kind: kinds.Kind, fields: str) -> list[Object]:
    """Return objects of a kind that an older cluster does not serve."""
    try:
        return await client.list_all(kind, fields=fields)
    except errors.AbsentError:
        return []


async def _nothing() -> list[Object]:
    return []
