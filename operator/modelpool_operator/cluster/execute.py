"""Carrying a plan out: apply in the plan's order, then delete. Decides nothing and forgets nothing that failed."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from modelpool_operator.api import names
from modelpool_operator.api.names import ObjectRef
from modelpool_operator.cluster import errors, kinds
from modelpool_operator.cluster.client import Client
from modelpool_operator.cluster.mirror import Mirror
from modelpool_operator.cluster.observe import owned_by
from modelpool_operator.planning.manifests import ChildRef, Manifest, ref_of
from modelpool_operator.planning.observed import Observed
from modelpool_operator.planning.plan import Plan
from modelpool_operator.planning.volumes import is_retained

logger = logging.getLogger(__name__)

_REFUSALS: Final = (
    errors.RejectedError,
    errors.DeniedError,
    errors.TakenError,
    errors.ConflictError,
    errors.AbsentError,
)
"""What concerns one object and not the next."""
NO_VERSION: Final = "1"
"""A resourceVersion that no object of a pool can have: the API server had written its own ones before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a plan."""

    applied: int = 0
    deleted: int = 0
    refused: Mapping[ChildRef, str] = field(default_factory=dict)
    """What the API server refused, with what it said. The rest of the plan was carried out."""

    @property
    def failures(self) -> tuple[str, ...]:
        """Return what the API server refused, as sentences for the status."""
        return tuple(self.refused.values())


async def execute(client: Client, mirror: Mirror, pool: ObjectRef, plan: Plan, observed: Observed) -> Outcome:
    """Change the cluster as the plan says, and have the mirror show it.

    One refused object does not hold up the others: a quota on volumes is no reason to leave a Service out of date. An
    API server that does not answer ends the pass, since the next request would fare no better.

    Raises:
        errors.UnreachableError: the pass is to be repeated later.
    """
    refused: dict[ChildRef, str] = {}
    applied = deleted = 0
    for manifest in plan.apply:
        try:
            send = _apply if ref_of(manifest) in observed.children else _make
            await send(client, mirror, manifest)
            applied += 1
        except _REFUSALS as exc:
            refused[ref_of(manifest)] = str(exc)
    for child in plan.delete:
        try:
            deleted += await _delete(client, mirror, pool, child, observed, dependents_first=child in plan.replaced)
        except (errors.RejectedError, errors.DeniedError) as exc:
            refused[child] = str(exc)
    if plan or refused:
        logger.log(
            logging.WARNING if refused else logging.INFO,
            "Executed a plan",
            extra={
                "applied": applied,
                "deleted": deleted,
                "reasons": plan.reasons,
                "failures": tuple(refused.values()),
            },
        )
    return Outcome(applied=applied, deleted=deleted, refused=refused)


async def _make(client: Client, mirror: Mirror, manifest: Manifest) -> None:
    """Apply what was not observed, and take over nothing.

    Server-side apply makes an object of any resourceVersion where there is none. Where there is one, it refuses a
    version that the object does not have: so one request both asks and makes, and nobody comes in between.

    Raises:
        errors.TakenError: an object of that name is there and is not this pool's.
    """
    try:
        fresh = {**manifest, "metadata": {**manifest["metadata"], "resourceVersion": NO_VERSION}}
        await _apply(client, mirror, fresh)
    except errors.ConflictError:
        await _assert_ours(client, manifest)
        await _apply(client, mirror, manifest)


async def _assert_ours(client: Client, manifest: Manifest) -> None:
    ref, namespace = ref_of(manifest), manifest["metadata"]["namespace"]
    kind = kinds.child(ref.api_version, ref.kind)
    labels, owners = manifest["metadata"].get("labels") or {}, manifest["metadata"].get("ownerReferences") or ()
    for found in await client.list_all(kind, namespace, fields=f"metadata.name={ref.name}"):
        same_pool = (found["metadata"].get("labels") or {}).get(names.POOL_LABEL) == labels.get(names.POOL_LABEL)
        if not any(owned_by(found, owner["uid"]) for owner in owners) and not (is_retained(found) and same_pool):
            raise errors.TakenError(f"Could not apply {ref}: an object of that name is there and is not this pool's")


async def _apply(client: Client, mirror: Mirror, manifest: Manifest) -> None:
    ref = ref_of(manifest)
    kind = kinds.child(ref.api_version, ref.kind)
    mirror.note(kind, await client.apply(kind, manifest, manager=names.FIELD_MANAGER))


async def _delete(
    client: Client, mirror: Mirror, pool: ObjectRef, child: ChildRef, observed: Observed, *, dependents_first: bool
) -> bool:
    kind, ref = kinds.child(child.api_version, child.kind), ObjectRef(pool.namespace, child.name)
    deleted = True
    try:
        uid = observed.children[child]["metadata"]["uid"]
        answer = await client.delete(kind, ref, uid=uid, dependents_first=dependents_first)
        if dependents_first and answer.get("kind") == child.kind:
            mirror.note(kind, answer)
            return True
    except errors.AbsentError:
        deleted = False
    except errors.ConflictError:
        return False  # Another object bears its name now, of which the watch tells.
    mirror.drop(kind, ref)
    return deleted
