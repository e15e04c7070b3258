"""Looking: everything one pass needs. Children and pods come from the mirror, nodes and logs are asked for."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from modelpool_operator.api import names
from modelpool_operator.api.pool import ModelPool
from modelpool_operator.api.status import SharingStatus
from modelpool_operator.cluster import errors, inventories, kinds
from modelpool_operator.cluster.client import Client, Object
from modelpool_operator.cluster.mirror import Mirror
from modelpool_operator.cluster.together import together
from modelpool_operator.planning.changes.adoption import is_orphan
from modelpool_operator.planning.manifests.volumes import is_retained
from modelpool_operator.planning.objects.identity import CLAIM
from modelpool_operator.planning.observation.observed import Observed, Said
from modelpool_operator.planning.observation.pod_views import LINES, PodView
from modelpool_operator.planning.placement import node_choice
from modelpool_operator.planning.placement.pool_placement import with_sharing
from modelpool_operator.planning.reporting import hanging
from modelpool_operator.planning.sharing import auto
from modelpool_operator.planning.sharing.inventory import NodeView

logger = logging.getLogger(__name__)

LOG_SECONDS: Final = 3.0
"""How long a log is waited for: the API server asks the node for it, which may have fallen silent."""


async def observe(
    client: Client,
    mirror: Mirror,
    pool: ModelPool,
    *,
    claimed: Mapping[str, names.ObjectRef] | None = None,
    chosen: SharingStatus | None = None,
    now: Callable[[], datetime] | None = None,
    nodes: Sequence[NodeView] | None = None,
) -> Observed:
    """Return what exists for a pool.

    Args:
        client: the API server.
        mirror: what it was last known to hold.
        pool: whose children, by our label; of them, only those whose controlling owner is this very pool count, and
            volumes that were made to outlive a pool of this name, and what was left behind by one.
        claimed: names that older pools serve.
        chosen: the way of sharing that the pool's status holds.
        now: the clock by which something hangs; None where nobody is to be asked about it.
        nodes: all of them, where a watch tells of them; None: ask.

    Raises:
        errors.ClusterError: something could not be read; a decision without it would be a wrong one.
    """
    pods = mirror.of(kinds.PODS, pool.ref)
    views = [PodView.from_manifest(pod) for pod in pods]
    children = _children(mirror, pool)
    runs = any(child["kind"] == "Deployment" for child in children)
    every_node = _wants_every_node(pool, views, children)
    looker = with_sharing(pool, auto.kept(pool.spec, chosen, runs=runs))
    return Observed.from_manifests(
        children=children,
        pods=pods,
        slices=mirror.of(kinds.ENDPOINT_SLICES, pool.ref),
        inventory=await inventories.look(client, looker, _nodes_of(views), every_node=every_node, known=nodes),
        every_node=every_node,
        chosen=chosen,
        logs=await _logs(client, pool.ref.namespace, views),
        claimed=claimed,
        ended=mirror.ended(pool.ref),
        said=await _said(client, pool, children, views, now()) if now is not None else None,
    )


def look_again(mirror: Mirror, pool: ModelPool, observed: Observed) -> Observed:
    """Return what was observed with children, pods and endpoints as they are now; nothing is asked for anew.

    Raises:
        errors.ClusterError: something is not known any more.
    """
    seen = Observed.from_manifests(
        children=_children(mirror, pool),
        pods=mirror.of(kinds.PODS, pool.ref),
        slices=mirror.of(kinds.ENDPOINT_SLICES, pool.ref),
        logs={pod.name: pod.log for pod in observed.pods},
    )
    return replace(observed, children=seen.children, pods=seen.pods, endpoints=seen.endpoints)


def engines_of(mirror: Mirror, pool: names.ObjectRef) -> Observed:
    """Return what the mirror has of a pool's engines and volumes, whoever owns them.

    Raises:
        errors.ClusterError: it is not known.
    """
    wanted = (kinds.child("apps/v1", "Deployment"), kinds.child("v1", CLAIM))
    children = [child for kind in wanted for child in mirror.of(kind, pool)]
    return Observed.from_manifests(children=children, pods=mirror.of(kinds.PODS, pool))


def _children(mirror: Mirror, pool: ModelPool) -> list[Object]:
    found = [child for kind in kinds.CHILDREN for child in mirror.of(kind, pool.ref)]
    return [child for child in found if owned_by(child, pool.uid) or is_retained(child) or is_orphan(child)]


def _wants_every_node(pool: ModelPool, pods: Iterable[PodView], children: list[Object]) -> bool:
    """Whether it matters which nodes there are at all: before a pool has engines, and while a pod finds no node."""
    lost = any(pod.unschedulable is not None and not pod.deleting for pod in pods)
    return lost or (not node_choice.has_engines(children) and node_choice.is_made_for(pool))


def owned_by(manifest: Mapping[str, Any], uid: str) -> bool:
    """Whether the controlling owner of an object has this uid. A label alone makes nothing ours to change or delete."""
    owners = manifest["metadata"].get("ownerReferences") or ()
    return any(owner.get("uid") == uid and owner.get("controller") for owner in owners)


async def _said(
    client: Client, pool: ModelPool, children: Sequence[Object], pods: Iterable[PodView], now: datetime
) -> Mapping[tuple[str, str], Said]:
    """Return what Events say of whatever hangs. They tell why, and no decision hangs on them."""
    asked = hanging.whom_to_ask(hanging.candidates(pool, children, pods), now)
    try:
        found = await together([_events(client, pool.ref.namespace, one) for one in asked])
    except errors.ClusterError as exc:
        logger.debug("Could not read Events", extra={"pool": pool.ref, "error": str(exc)})
        return {}
    told = {(one.kind, one.name): hanging.said_in(one.kind, events) for one, events in zip(asked, found, strict=True)}
    return {key: said for key, said in told.items() if said is not None}


async def _events(client: Client, namespace: str, about: hanging.Hanging) -> list[Object]:
    fields = f"involvedObject.kind={about.kind},involvedObject.name={about.name}"
    fields += f",involvedObject.uid={about.uid}" if about.uid else ""
    return await client.list_all(kinds.EVENTS, namespace, fields=fields)


def _nodes_of(pods: Iterable[PodView]) -> set[str]:
    """Return the nodes on which pods of the pool hold cards."""
    return {pod.node for pod in pods if pod.node is not None and pod.held > 0}


async def _logs(client: Client, namespace: str, pods: Iterable[PodView]) -> dict[str, list[str]]:
    wanted = [pod for pod in pods if pod.wants_log]
    found = await together([_log(client, names.ObjectRef(namespace, pod.name), pod.component) for pod in wanted])
    return {pod.name: lines for pod, lines in zip(wanted, found, strict=True)}


async def _log(client: Client, ref: names.ObjectRef, container: str) -> list[str]:
    """Return the last lines of a starting engine, or none: a log tells how far it is, and no decision hangs on it."""
    try:
        async with asyncio.timeout(LOG_SECONDS):
            return await client.log(ref, container=container, lines=LINES)
    except (errors.ClusterError, TimeoutError) as exc:
        logger.debug("Could not read a log", extra={"pod": ref.name, "error": str(exc)})
        return []
