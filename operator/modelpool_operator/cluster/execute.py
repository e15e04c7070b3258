"""Carrying a plan out: apply in the plan's order, then delete. Decides nothing and forgets nothing that failed."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from modelpool_operator.api import names
from modelpool_operator.api.names import ObjectRef
from modelpool_operator.cluster import errors, kinds
from modelpool_operator.cluster.client import Client, Object
from modelpool_operator.cluster.mirror import Mirror
from modelpool_operator.cluster.observe import owned_by
from modelpool_operator.planning.changes.foreign_fields import Trim
from modelpool_operator.planning.changes.plan import Plan
from modelpool_operator.planning.manifests.volumes import is_retained
from modelpool_operator.planning.objects.identity import ChildRef, Manifest, ref_of
from modelpool_operator.planning.observation.observed import Observed

logger = logging.getLogger(__name__)

_REFUSALS: Final = (
    errors.RejectedError,
    errors.DeniedError,
    errors.TakenError,
    errors.ConflictError,
    errors.AbsentError,
    errors.StuckError,
)
"""What concerns one object and not the next."""
NO_VERSION: Final = "1"
"""A resourceVersion that no object of a pool can have: the API server had written its own ones before."""
PATIENCE: Final = 2.0
"""Seconds after which the next object is written beside one that takes its time, as behind a webhook that hangs."""
SLOW_WRITES: Final = 32
"""Writes that others are made beside, at once and for all pools together: each holds a connection, and an API server
that is busy with everything gets no faster by more of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a plan."""

    applied: int = 0
    deleted: int = 0
    refused: Mapping[ChildRef, str] = field(default_factory=dict)
    """What the API server refused, with what it said. The rest of the plan was carried out."""
    answers: Mapping[ChildRef, Object] = field(default_factory=dict)
    """What has all that was wanted of it, as it was stored: of a child that is trimmed and applied, by the second."""
    found: Mapping[ChildRef, Object] = field(default_factory=dict)
    """Children that were there although nobody saw them, as they were before: somebody took their labels away."""

    @property
    def failures(self) -> tuple[str, ...]:
        """Return what the API server refused, as sentences for the status."""
        return tuple(self.refused.values())


class _Work:
    """One plan on its way."""

    def __init__(self, client: Client, mirror: Mirror, pool: ObjectRef, plan: Plan, observed: Observed) -> None:
        self._client = client
        self._mirror = mirror
        self._pool = pool
        self._plan = plan
        self._observed = observed
        self.refused: dict[ChildRef, str] = {}
        self.answers: dict[ChildRef, Object] = {}
        self.found: dict[ChildRef, Object] = {}
        self.deleted = 0
        self.away: errors.UnreachableError | None = None
        """Why the pass has to end, if it has to."""

    def steps(self) -> Iterator[tuple[ChildRef, Callable[[], Awaitable[None]]]]:
        """Yield what is to be done, child by child."""
        trims = {trim.ref: trim for trim in self._plan.trims}
        applied = {ref_of(manifest): manifest for manifest in self._plan.apply}
        for ref in dict.fromkeys((*trims, *applied)):
            yield ref, lambda ref=ref: self._change(ref, trims.get(ref), applied.get(ref))  # type: ignore[misc]
        for ref in self._plan.delete:
            yield ref, lambda ref=ref: self._delete(ref)  # type: ignore[misc]

    async def attempt(self, ref: ChildRef, step: Callable[[], Awaitable[None]]) -> None:
        """Do one step, and keep what was refused."""
        try:
            await step()
        except _REFUSALS as exc:
            self.refused[ref] = str(exc)
        except errors.UnreachableError as exc:
            self.away = self.away or exc

    async def _change(self, ref: ChildRef, trim: Trim | None, manifest: Manifest | None) -> None:
        kind = kinds.child(ref.api_version, ref.kind)
        if trim is not None:
            where = ObjectRef(self._pool.namespace, ref.name)
            try:
                answer = await self._client.patch(kind, where, trim.patch, manager=names.FIELD_MANAGER)
            except errors.ConflictError:
                return  # It changed since we looked, of which the watch tells.
            if manifest is None:
                self._took(ref, answer)
            else:
                self._mirror.note(kind, answer)
        if manifest is not None:
            send = self._apply if ref in self._observed.children else self._make
            self._took(ref, await send(manifest))

    def _took(self, ref: ChildRef, answer: Object) -> None:
        self.answers[ref] = answer
        self._mirror.note(kinds.child(ref.api_version, ref.kind), answer)

    async def _apply(self, manifest: Manifest) -> Object:
        ref = ref_of(manifest)
        return await self._client.apply(kinds.child(ref.api_version, ref.kind), manifest, manager=names.FIELD_MANAGER)

    async def _make(self, manifest: Manifest) -> Object:
        """Apply what was not observed, and take over nothing.

        Server-side apply makes an object of any resourceVersion where there is none. Where there is one, it refuses a
        version that the object does not have: so one request both asks and makes, and nobody comes in between.

        Raises:
            errors.TakenError: an object of that name is there and is not this pool's.
        """
        try:
            return await self._apply({**manifest, "metadata": {**manifest["metadata"], "resourceVersion": NO_VERSION}})
        except errors.ConflictError:
            await self._assert_ours(manifest)
            return await self._apply(manifest)

    async def _assert_ours(self, manifest: Manifest) -> None:
        ref, namespace = ref_of(manifest), manifest["metadata"]["namespace"]
        kind = kinds.child(ref.api_version, ref.kind)
        labels, owners = manifest["metadata"].get("labels") or {}, manifest["metadata"].get("ownerReferences") or ()
        for found in await self._client.list_all(kind, namespace, fields=f"metadata.name={ref.name}"):
            same_pool = (found["metadata"].get("labels") or {}).get(names.POOL_LABEL) == labels.get(names.POOL_LABEL)
            ours = any(owned_by(found, owner["uid"]) for owner in owners)
            if not ours and not (is_retained(found) and same_pool):
                others = [one for one in found["metadata"].get("ownerReferences") or () if one.get("controller")]
                whose = next((f", but {one['kind']} {one['name']}'s" for one in others), "")
                raise errors.TakenError(
                    f"Could not apply {ref}: an object of that name is there and is not this pool's{whose}"
                )
            self.found[ref] = found

    async def _delete(self, child: ChildRef) -> None:
        """Delete a child, unless another object bears its name now, of which the watch tells."""
        kind, ref = kinds.child(child.api_version, child.kind), ObjectRef(self._pool.namespace, child.name)
        first = child in self._plan.replaced
        try:
            uid = self._observed.children[child]["metadata"]["uid"]
            answer = await self._client.delete(kind, ref, uid=uid, dependents_first=first)
            self.deleted += 1
            if first and answer.get("kind") == child.kind:
                self._mirror.note(kind, answer)
                return
        except errors.AbsentError:
            logger.debug("What was to be deleted is gone already", extra={"child": str(child)})
        except errors.ConflictError:
            return
        self._mirror.drop(kind, ref)


async def _wait_for(write: asyncio.Task[None], slow: asyncio.Semaphore | None) -> None:
    """Wait for the end of a write; for a while only, where one more may be left to itself."""
    await asyncio.wait((write,), timeout=PATIENCE)
    if write.done() or slow is None:
        return
    if slow.locked():
        await asyncio.wait((write,))
        return
    await slow.acquire()
    write.add_done_callback(lambda _: slow.release())


async def execute(
    client: Client,
    mirror: Mirror,
    pool: ObjectRef,
    plan: Plan,
    observed: Observed,
    *,
    slow: asyncio.Semaphore | None = None,
) -> Outcome:
    """Change the cluster as the plan says, and have the mirror show it.

    Args:
        client: the API server.
        mirror: what it is known to hold.
        pool: whose plan.
        plan: what to do.
        observed: what was there when it was made.
        slow: how many more writes may be left to themselves while the next ones are made; None: any number.

    One refused object does not hold up the others: a quota on volumes is no reason to leave a Service out of date. Nor
    does one whose write takes its time. An API server that does not answer at all ends the pass, since the next request
    would fare no better.

    Raises:
        errors.UnreachableError: the pass is to be repeated later.
    """
    work = _Work(client, mirror, pool, plan, observed)
    async with asyncio.TaskGroup() as group:
        for ref, step in work.steps():
            task = group.create_task(work.attempt(ref, step), name=f"write {ref}")
            await _wait_for(task, slow)
            if work.away is not None:
                break
    if work.away is not None:
        raise work.away
    done = Outcome(
        applied=len(work.answers),
        deleted=work.deleted,
        refused=work.refused,
        answers=work.answers,
        found=work.found,
    )
    if plan:
        logger.log(
            logging.WARNING if done.failures else logging.INFO,
            "Executed a plan",
            extra={
                "applied": done.applied,
                "deleted": done.deleted,
                "reasons": plan.reasons,
                "failures": done.failures,
            },
        )
    return done
