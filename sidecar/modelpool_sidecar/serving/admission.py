"""Leases: who may talk to which engine now, and who waits.

The effect around `routing.choose` and `routing.fair_queue`: futures and a deadline, nothing decided here. A lease is
counted before its owner wakes, so a free slot cannot be taken twice; an owner that was cancelled between the two
gives it back.
"""

import asyncio
import time
from typing import Final

from ..discovery.directory import Directory
from ..engines.registry import Profiles
from ..http.inline_task import in_task
from ..routing import choose
from ..routing.choose import NoTarget, Target, Wait
from ..routing.demand import Demand
from ..routing.fair_queue import FairQueue, Ticket
from ..routing.in_flight import InFlight, Tally
from ..routing.route_request import RouteRequest
from ..routing.table import BackendKey
from ..routing.target_cache import TargetCache
from .context import RequestContext

PATIENCE: Final = 4
"""How often a request may be passed over to save an engine that holds many models a change between them."""


class Refused(Exception):  # noqa: N818
    """Nobody can take the request."""

    def __init__(self, refusal: NoTarget) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


class Lease:
    """A slot at an endpoint, given to one request, to be released when the request is over there."""

    __slots__ = ("_admission", "_tally", "since", "target")

    def __init__(self, admission: "Admission", target: Target, tally: Tally, since: float) -> None:
        self._admission: Admission | None = admission
        self._tally = tally
        self.target = target
        self.since = since
        """When it was granted, in seconds of `time.monotonic`."""

    def release(self) -> None:
        """Give the slot back. Only the first time counts."""
        admission, self._admission = self._admission, None
        if admission is not None:
            admission.give_back(self.target)
            self._tally.left(time.monotonic())


class Admission:
    """Grants leases on endpoints. One per gateway, owned by its event loop."""

    def __init__(self, directory: Directory, profiles: Profiles) -> None:
        self.in_flight = InFlight()
        self.demand = Demand(started=time.monotonic())
        self._directory = directory
        self._profiles = profiles
        self._shared = frozenset(one.name for one in profiles if one.holds_many)
        """Kinds of engines that serve many models each."""
        self._wanted: dict[Ticket, tuple[RouteRequest, asyncio.Future[Target | None]]] = {}
        self._loaded: dict[BackendKey, str] = {}
        """What each shared engine was last asked for."""
        self._targets = TargetCache()
        self._tallies: dict[Target, Tally] = {}
        """Where the requests of these targets' models are counted, as long as the table is the same."""
        self._places = directory.table.places
        directory.on_change(self._table_changed)

    async def acquire(self, wanted: RouteRequest, context: RequestContext) -> Lease:
        """A lease for the request, as soon as there is a slot and it is the asker's turn. Raises Refused.

        The time that it waits is added to `context.queue_ns`.
        """
        cached = self._targets.find(wanted, self.in_flight)
        if cached is not None:
            return self._served(cached)
        decision = choose.choose(self._directory.table, self.in_flight, wanted)
        if type(decision) is Target:
            lease = self._served(decision)
            self._targets.learn(decision)
            return lease
        if isinstance(decision, NoTarget):
            if decision.model is not None:
                self.demand.came(decision.model.key, time.monotonic())
                self.demand.left(decision.model.key, time.monotonic(), began=False)
            raise Refused(decision)
        asked_ns = time.monotonic_ns()
        try:
            return await self._waited(wanted)
        finally:
            context.queue_ns += time.monotonic_ns() - asked_ns

    def give_back(self, target: Target) -> None:
        """Take a slot back: for leases to call."""
        self.in_flight.give_back(target)
        if self.in_flight.queues:
            self._serve(target.backend.key)

    def _served(self, target: Target) -> Lease:
        """A lease on a target for a request that does not wait."""
        tally = self._tally_of(target)
        self._take(target)
        now = time.monotonic()
        tally.served(now)
        return Lease(self, target, tally, now)

    def _tally_of(self, target: Target) -> Tally:
        tally = self._tallies.get(target)
        if tally is None:
            tally = self._tallies[target] = self.demand.tally(target.model.key)
        return tally

    async def _waited(self, wanted: RouteRequest) -> Lease:
        await in_task()
        model = self._directory.table.find(wanted.model)
        if model is None:  # it will be refused, and nobody could start an engine for it
            raise Refused(choose.unknown(wanted))
        self.demand.came(model.key, time.monotonic())
        try:
            target = await self._acquire(wanted)
        except BaseException:
            self.demand.left(model.key, time.monotonic(), began=False)
            raise
        tally = self._tally_of(target)
        if target.model.key == model.key:
            self.demand.began(model.key)
        else:  # another pool serves the name by now
            self.demand.left(model.key, time.monotonic(), began=False)
            tally.served(time.monotonic())
        return Lease(self, target, tally, time.monotonic())

    async def _acquire(self, wanted: RouteRequest) -> Target:
        loop = asyncio.get_running_loop()
        deadline: float | None = None
        while True:
            match choose.choose(self._directory.table, self.in_flight, wanted):
                case Target() as target:
                    self._take(target)
                    return target
                case NoTarget() as refusal:
                    raise Refused(refusal)
                case Wait() as wait:
                    if deadline is None:
                        deadline = loop.time() + wait.model.queue.timeout_seconds
                    granted = await self._wait(wait, wanted, deadline)
                    if granted is not None:
                        return granted
                    if loop.time() >= deadline:
                        wanted = wanted.without(line=wait.backend.key)

    async def _wait(self, wait: Wait, wanted: RouteRequest, deadline: float) -> Target | None:
        """Queue until granted; None at the deadline, or when choosing must begin anew: the table changed, or another
        caller had more right to the place.
        """
        key = wait.backend.key
        patience = PATIENCE if wait.backend.engine in self._shared else None
        queue = self.in_flight.queues.setdefault(key, FairQueue(patience=patience))
        ticket = Ticket(caller=wanted.caller, model=wait.backend.model)
        future: asyncio.Future[Target | None] = asyncio.get_running_loop().create_future()
        self._wanted[ticket] = (wanted, future)
        queue.push(ticket)
        if len(queue) > wait.model.queue.max_pending:
            yields = queue.displaced()
            assert yields is not None
            self._wanted[yields][1].set_result(None)
        try:
            await asyncio.wait((future,), timeout=max(0.0, deadline - asyncio.get_running_loop().time()))
        except asyncio.CancelledError:
            granted = future.result() if future.done() else None
            if granted is not None:
                self.give_back(granted)
            raise
        finally:
            del self._wanted[ticket]
            queue.remove(ticket)
            if not queue and self.in_flight.queues.get(key) is queue:
                del self.in_flight.queues[key]
        return future.result() if future.done() else None

    def _take(self, target: Target) -> None:
        self.in_flight.take(target)
        if target.engine in self._shared:
            self._loaded[target.backend.key] = target.engine_model

    def _table_changed(self) -> None:
        self._targets.forget()
        self._tallies.clear()
        table = self._directory.table
        if table.places is not self._places:  # else there are the same models as before
            self._places = table.places
            self.demand.forget_all_but(frozenset(model.key for model in table.models))
        for key in list(self.in_flight.queues):
            self._serve(key)

    def _serve(self, key: BackendKey) -> None:
        """Wake those in line that can go now, in order; stop at the first that must go on waiting."""
        queue = self.in_flight.queues.get(key)
        while queue and (ticket := queue.peek(self._loaded.get(key))):
            wanted, future = self._wanted[ticket]
            decision = choose.choose(self._directory.table, self.in_flight, wanted, line=key)
            if isinstance(decision, Wait):
                return
            queue.pop(self._loaded.get(key))
            if isinstance(decision, Target):
                self._take(decision)
                future.set_result(decision)
            else:
                future.set_result(None)
