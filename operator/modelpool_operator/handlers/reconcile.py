"""One pass over one pool: parse, observe, plan, execute, report. Each step is somebody else's; here is their order."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime
from typing import Final

from modelpool_operator.api import parsing
from modelpool_operator.api.names import ObjectRef
from modelpool_operator.api.pool import ModelPool
from modelpool_operator.api.status import GatewayStatus, PoolStatus
from modelpool_operator.cluster import errors, kinds
from modelpool_operator.cluster.client import Client, Object
from modelpool_operator.cluster.execute import SLOW_WRITES, execute
from modelpool_operator.cluster.mirror import Mirror
from modelpool_operator.cluster.observe import look_again, observe
from modelpool_operator.cluster.recorder import News, Recorder
from modelpool_operator.handlers import failing
from modelpool_operator.handlers.card_holdings import CardHoldings
from modelpool_operator.handlers.engine_keys import EngineKeys
from modelpool_operator.handlers.failed_passes import FailedPasses
from modelpool_operator.handlers.model_names import ModelNames
from modelpool_operator.handlers.next_look import next_look
from modelpool_operator.handlers.reporting import Reporting
from modelpool_operator.handlers.results import Outcome, Result
from modelpool_operator.handlers.scaling import Scaling
from modelpool_operator.handlers.unplanned_pools import UnplannedPools
from modelpool_operator.handlers.write_histories import WriteHistories
from modelpool_operator.planning.changes import drift
from modelpool_operator.planning.changes import plan as plans
from modelpool_operator.planning.manifests import engine_keys
from modelpool_operator.planning.manifests.deployments import replicas_of
from modelpool_operator.planning.manifests.routes import entries_in, entries_of
from modelpool_operator.planning.observation.autoscaling import scaled
from modelpool_operator.planning.observation.installation import Installation
from modelpool_operator.planning.observation.observed import Observed
from modelpool_operator.planning.reporting import status as statuses
from modelpool_operator.planning.reporting.conditions import yes

logger = logging.getLogger(__name__)

TRY_AGAIN: Final = 60.0
"""Seconds until what the cluster did not have is looked for again: a driver was installed."""


class Reconciler:
    """Everything a pass needs, held together for the workers."""

    def __init__(
        self,
        client: Client,
        mirror: Mirror,
        recorder: Recorder,
        model_names: ModelNames,
        card_holdings: CardHoldings,
        *,
        now: Callable[[], datetime],
        clock: Callable[[], float],
        gateway: Callable[[ObjectRef], GatewayStatus | None],
        scaling: Scaling,
        elsewhere: Callable[[str], Awaitable[str | None]],
        keys: EngineKeys | None = None,
        gateways_in: Callable[[ObjectRef], str | None] = lambda _: None,
        on_status: Callable[[str, PoolStatus], None] = lambda _, __: None,
    ) -> None:
        """`keys`: engines', where they have some; `gateways_in`: the namespace of a pool's gateways, where known.

        `on_status` is called with the UID of a pool and each status that it is to have.
        """
        self._client = client
        self._mirror = mirror
        self._recorder = recorder
        self._model_names = model_names
        self._card_holdings = card_holdings
        self.unplanned = UnplannedPools(mirror, card_holdings, model_names)
        self._now = now
        self._histories = WriteHistories(clock)
        self._gateway = gateway
        self._scaling = scaling
        self._elsewhere = elsewhere
        self._keys = keys or EngineKeys(client, None)
        self._gateways_in = gateways_in
        self._slow = asyncio.Semaphore(SLOW_WRITES)
        self._reporting = Reporting(client, recorder, self._histories, now=now, on_status=on_status)
        self._failed_passes = FailedPasses(clock)
        self._owed: dict[ObjectRef, frozenset[ObjectRef]] = {}
        """Whom the pass over a pool concerns, from when that is known."""

    def owed(self, ref: ObjectRef) -> frozenset[ObjectRef]:
        """Return the other pools to whom the last pass over a pool made a difference before it raised."""
        return self._owed.pop(ref, frozenset())

    async def reconcile(self, ref: ObjectRef) -> Result:
        """Bring the cluster and the pool's status in line with its spec.

        Raises:
            Exception: the pass did not get through, which the pool's status says; repeat it later.
        """
        before = self._failed_passes.begin(ref)
        try:
            body = await self._client.get(kinds.POOLS, ref)
        except errors.AbsentError:
            return self._gone(ref)
        try:
            if await self._elsewhere(ref.namespace) is not None:
                return Result(outcome=Outcome.ELSEWHERE, again=TRY_AGAIN, concerned=self._let_be(ref))
            self._histories.of(ref).look(body, self._now())
            if body["metadata"].get("deletionTimestamp"):
                # Its children go by their ownerReferences; to apply them now would be to bring them back.
                return await self._leaving(body, ref)
            return await self._pass(body, ref)
        except (errors.UnreachableError, errors.DeniedError) as exc:
            if self._failed_passes.note(ref, before):
                await self._reporting.failed(ref, exc, lasting=self._failed_passes.are_lasting(ref))
            raise
        except Exception as exc:
            await self._reporting.failed(ref, exc)
            raise

    async def _pass(self, body: Object, ref: ObjectRef) -> Result:
        try:
            pool = parsing.from_body(body)
        except parsing.InvalidPoolError as exc:
            return await self._refuse(body, ref, exc)
        self._scaling.put(pool)
        return await self._carry_out(pool, body)

    async def _carry_out(self, pool: ModelPool, body: Object) -> Result:
        previous = parsing.status_of(body)
        history = self._histories.of(pool.ref)
        observed = await self._look(pool, previous)
        scales = self._scaling.decide(pool, replicas_of(pool, observed))
        pool, observed = scaled(pool, scales), replace(observed, scales=scales)
        # Nothing is awaited from here until the plan is noted: no other one is made meanwhile.
        observed = replace(observed, neighbours=self._card_holdings.beside(pool))
        plan = plans.make_plan(pool, observed)
        paced = history.paced(plan, observed, time=self._now())
        concerned = self._card_holdings.put(pool, observed, plan, paced.plan.without(history.refused))
        # A pool that is refused holds what the routes of its last plan say, as the gateway goes by them.
        entries = entries_of(pool) if plan.refusal is None else entries_in(observed.children.values())
        concerned |= self._model_names.put(pool.ref, pool.created, entries)
        self._owed[pool.ref] = concerned
        observed = replace(observed, claimed=self._model_names.lost_by(pool.ref))
        keyless: tuple[str, ...] = ()
        if plan.key is not None and (keyless := await self._keys.make(pool)):
            waiting = engine_keys.waiting_for(plan.key, plan.changed, observed)
            plan, paced = plan.without(waiting), replace(paced, plan=paced.plan.without(waiting))
        done = await execute(self._client, self._mirror, pool.ref, paced.plan, observed, slow=self._slow)
        put_back = tuple(drift.found_in(plan.changed, {**observed.children, **done.found}))
        history.note(paced, done, put_back, observed, time=self._now())
        then = look_again(self._mirror, pool, observed)
        then = replace(then, children=history.as_asked(then.children), refused=history.refused)
        failures = (*keyless, *history.refused.values())
        status = statuses.assess(
            pool,
            then,
            history.under_way(paced, done, observed),
            previous=previous,
            now=self._now(),
            failures=failures,
            fights=history.fights,
            held=history.held_back(paced),
            gateway=self._gateway(pool.ref),
        )
        await self._reporting.tell(body, previous, status)
        for one in history.news_of(put_back, done):
            await self._recorder.post(body, News(reason="ChildPutBack", message=str(one), about=one.child.name))
        if failures:
            outcome, again = Outcome.INCOMPLETE, TRY_AGAIN if keyless else None
        elif plan.refusal is not None:
            outcome, again = Outcome.REFUSED, TRY_AGAIN if plan.refusal.passing else None
        else:
            outcome, again = Outcome.PLANNED, None
        times = (again, history.next_look(paced), next_look(pool, then))
        again = min((t for t in times if t is not None), default=None)
        return Result(outcome=outcome, again=again, concerned=self.owed(pool.ref))

    async def _look(self, pool: ModelPool, previous: PoolStatus | None) -> Observed:
        """Return what is there of a pool, but for its neighbours, and for the demand."""
        chosen = previous.sharing if previous else None
        nodes = self._card_holdings.nodes
        observed = await observe(self._client, self._mirror, pool, chosen=chosen, now=self._now, nodes=nodes)
        history = self._histories.of(pool.ref)
        children = history.as_asked(observed.children)
        asked_for = engine_keys.asked_for(pool, children.values()) if self._keys.unknown else None
        installation = Installation(
            gateways=self._gateways_in(pool.ref), key_mark=self._keys.mark, key_asked_for=asked_for
        )
        return replace(
            observed,
            installation=installation,
            children=children,
            refused=history.refused,
            fought_over=history.fought_over,
        )

    def _gone(self, ref: ObjectRef) -> Result:
        self._mirror.let_go(ref)
        return Result(outcome=Outcome.GONE, concerned=self._model_names.drop(ref) | self._let_be(ref))

    def _let_be(self, ref: ObjectRef) -> frozenset[ObjectRef]:
        """Forget all of a pool that is not ours to carry out, but for what its pods and Deployments hold."""
        self._scaling.drop(ref)
        self._histories.drop(ref)
        return self.unplanned.leave(ref)

    async def _leaving(self, body: Object, ref: ObjectRef) -> Result:
        """Say what holds a pool that is being deleted, and how it is: its engines are there, and its routes."""
        if (held := failing.held_by(body["metadata"])) is None:
            return self._gone(ref)
        concerned, previous = self.unplanned.leave(ref), parsing.status_of(body)
        self._scaling.drop(ref)
        history = self._histories.of(ref)
        try:
            pool = parsing.from_body(body)
        except parsing.InvalidPoolError:
            await self._reporting.tell_failure(body, held)
            return Result(outcome=Outcome.LEAVING, again=history.next_look(), concerned=concerned)
        observed = await self._look(pool, previous)
        observed = replace(
            observed, neighbours=self._card_holdings.beside(pool), claimed=self._model_names.lost_by(ref)
        )
        plan = plans.make_plan(pool, observed)
        status = statuses.assess_held(
            pool,
            observed,
            plan,
            yes(held.reason, held.message),
            previous=previous,
            now=self._now(),
            fights=history.fights,
            gateway=self._gateway(ref),
        )
        await self._reporting.tell(body, previous, status)
        times = (next_look(pool, observed), history.next_look())
        again = min((one for one in times if one is not None), default=None)
        return Result(outcome=Outcome.LEAVING, again=again, concerned=concerned)

    async def _refuse(self, body: Object, ref: ObjectRef, error: parsing.InvalidPoolError) -> Result:
        previous = parsing.status_of(body)
        generation = body["metadata"]["generation"]
        history = self._histories.of(ref)
        status = statuses.assess_invalid(
            generation=generation, error=str(error), previous=previous, now=self._now(), fights=history.fights
        )
        await self._reporting.tell(body, previous, status)
        concerned = self.unplanned.keep_routes(body, ref) | self.unplanned.leave(ref)
        return Result(outcome=Outcome.INVALID, again=history.next_look(), concerned=concerned)
