"""Those who do the work: N workers at one queue, and one who puts every pool into it now and then.

A failure of a pass is the pool's matter: it is logged, counted and repeated later. A bug is treated alike, with its
traceback, since one pool that trips over it must not stop the others. Nor does one whose pass takes long.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from modelpool_operator.api import parsing
from modelpool_operator.api.names import ObjectRef
from modelpool_operator.api.pool import ModelPool
from modelpool_operator.api.status import ConditionStatus
from modelpool_operator.cluster import errors, kinds
from modelpool_operator.cluster.client import Client, Object
from modelpool_operator.handlers.memo import Changes
from modelpool_operator.handlers.model_names import ModelNames
from modelpool_operator.handlers.readiness import Readiness
from modelpool_operator.handlers.reconcile import Reconciler
from modelpool_operator.handlers.results import Outcome
from modelpool_operator.handlers.workqueue import DEFAULT_BACKOFF, WorkQueue
from modelpool_operator.planning.manifests.routes import entries_of
from modelpool_operator.planning.reporting.conditions import PLANNED
from modelpool_operator.telemetry import logs
from modelpool_operator.telemetry.metrics import Metrics

logger = logging.getLogger(__name__)

UNSEEN_AGAIN: Final = 5.0
"""Seconds until a listed pool that the watch has not shown is looked at: it may be gone, and nothing tells of that."""

TRIES: Final = 6
"""Refusals, over eight seconds, after which one of several namespaces counts as closed to us."""

PATIENCE: Final = 1.0
"""Seconds that a worker waits for the end of a pass; one that lasts longer, as behind a webhook that hangs, goes on
beside the next pool's."""
LONG_PASSES: Final = 4
"""Passes of one worker at once, of which all but the last one last longer. Each holds what it has read, and a
connection."""


async def work(
    queue: WorkQueue, reconciler: Reconciler, metrics: Metrics, readiness: Readiness, *, clock: Callable[[], float]
) -> None:
    """Take pools from the queue and reconcile them, one after the other but for those that take long, for ever."""
    running: set[asyncio.Task[None]] = set()

    async def reconcile(ref: ObjectRef) -> None:
        started = clock()
        with logs.about(ref):
            outcome = await _pass_over(ref, queue, reconciler, readiness)
        metrics.reconciles.labels(outcome).inc()
        metrics.reconcile_duration.observe(clock() - started)

    async with asyncio.TaskGroup() as passes:
        while True:
            ref = await queue.get()
            task = passes.create_task(reconcile(ref), name=f"pass over {ref.namespace}/{ref.name}")
            running.add(task)
            task.add_done_callback(running.discard)
            await asyncio.wait((task,), timeout=PATIENCE)
            if len(running) >= LONG_PASSES:
                await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)


async def _pass_over(ref: ObjectRef, queue: WorkQueue, reconciler: Reconciler, readiness: Readiness) -> str:
    try:
        result = await reconciler.reconcile(ref)
    except errors.ClusterError as exc:
        _wake(reconciler.owed(ref), queue)
        delay = queue.failed(ref)
        logger.warning("Could not reconcile", extra={"error": str(exc), "again": round(delay, 1)})
        return "failed"
    except Exception:
        _wake(reconciler.owed(ref), queue)
        delay = queue.failed(ref)
        logger.exception("Could not reconcile because of a bug", extra={"again": round(delay, 1)})
        return "failed"
    _wake(result.concerned, queue)
    if result.outcome is Outcome.GONE:
        queue.gone(ref)
        readiness.seen(ref)
    else:
        queue.succeeded(ref)
        if result.again is not None:
            queue.add(ref, delay=result.again)
    return result.outcome.value


def _wake(concerned: Iterable[ObjectRef], queue: WorkQueue) -> None:
    for other in concerned:
        queue.add(other)


class Resync:
    """Puts every pool into the queue: all at once at the start, and from then on spread over `every` seconds.

    The first list also tells who claims which name, so that the first pass over a pool knows of all others; only then
    is anything put into the queue. What it showed is no news when the watch shows it once more.
    """

    def __init__(
        self,
        client: Client,
        queue: WorkQueue,
        model_names: ModelNames,
        readiness: Readiness,
        changes: Changes,
        *,
        namespaces: Sequence[str],
        every: float,
    ) -> None:
        self._client = client
        self._queue = queue
        self._model_names = model_names
        self._readiness = readiness
        self._changes = changes
        self._namespaces: Sequence[str | None] = namespaces or (None,)
        self._every = every
        self.noted: list[ModelPool] = []
        """The pools of the first list that can be read; the one who takes them empties it."""
        self._listed: list[ObjectRef] = []

    async def start(self) -> list[ObjectRef]:
        """Return all pools, with their claims noted and every one in the queue."""
        pools = await self._list(note=True)
        for ref in pools:
            self._queue.add(ref)
        self._readiness.listed(pools)
        logger.info("Listed all ModelPools", extra={"pools": len(pools)})
        return pools

    def wake(self, namespace: str | None = None) -> None:
        """Put the pools of a namespace, or of all, into the queue, as they were listed last."""
        for ref in self._listed:
            if namespace in (None, ref.namespace):
                self._queue.add(ref)

    async def run(self, pools: list[ObjectRef]) -> None:
        """Put every pool into the queue again and again, for ever; first those that the watch has not shown."""
        await self._look_for_unseen()
        while True:
            pause = self._every / (len(pools) + 1)
            for ref in pools:
                await asyncio.sleep(pause)
                self._queue.add(ref)
            await asyncio.sleep(pause)
            pools = await self._list(note=False)

    async def _look_for_unseen(self) -> None:
        """Put the pools into the queue that the watch has not shown, again and again until all others are due."""
        pause = min(UNSEEN_AGAIN, self._every)
        for _ in range(int(self._every / pause)):
            if not self._readiness.missing:
                return
            await asyncio.sleep(pause)
            for ref in self._readiness.missing:
                self._queue.add(ref)

    async def _list(self, *, note: bool) -> list[ObjectRef]:
        found: list[ObjectRef] = []
        for namespace in self._namespaces:
            for body in await self._patiently(namespace):
                found.append(ObjectRef(body["metadata"]["namespace"], body["metadata"]["name"]))
                if note:
                    self._note(body)
        self._listed = found
        return found

    def _note(self, body: Object) -> None:
        self._changes.is_news(body)
        try:
            pool = parsing.from_body(body)
        except parsing.InvalidPoolError as exc:
            logger.debug("A ModelPool claims nothing, since it is invalid", extra={"error": str(exc)})
            return
        except Exception:  # Its pass will say so; the operator starts for all others.
            logger.exception("Could not read a ModelPool because of a bug")
            return
        self.noted.append(pool)
        status = parsing.status_of(body)
        refused = status and any(
            one.type == PLANNED and one.status is ConditionStatus.FALSE for one in status.conditions
        )
        if not refused:  # What a refused one has routes for, if anything, its first pass will see.
            self._model_names.note(pool.ref, pool.created, entries_of(pool))

    async def _patiently(self, namespace: str | None) -> list[Object]:
        """List the pools of a namespace, however long the API server, or the role that lets us, is in coming.

        One of several namespaces that stays denied, as when it was deleted, is left out until the next list.
        """
        failures = 0
        while True:
            try:
                return await self._client.list_all(kinds.POOLS, namespace)
            except errors.ClusterError as exc:
                failures += 1
                if failures >= TRIES and len(self._namespaces) > 1 and isinstance(exc, errors.DeniedError):
                    logger.warning("Leaves a namespace out", extra={"namespace": namespace, "error": str(exc)})
                    return []
                delay = DEFAULT_BACKOFF.delay(failures, 0)
                logger.warning("Could not list the ModelPools", extra={"error": str(exc), "again": delay})
                await asyncio.sleep(delay)
