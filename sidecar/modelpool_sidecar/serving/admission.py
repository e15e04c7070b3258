"""Leases: who may talk to which engine now, and who waits.

The effect around `routing.choose` and `routing.queue`: futures and a deadline, nothing decided here. A lease is
counted before its owner wakes, so a free slot cannot be taken twice; an owner that was cancelled between the two
gives it back.
"""

import asyncio
import time
from typing import Final

from ..discovery.directory import Directory
from ..http.inline_task import in_task
from ..routing import choose
from ..routing.choose import NoTarget, Target, Wait
from ..routing.demand import Demand, Tally
from ..routing.documents import Engine
from ..routing.fair_queue import FairQueue, Ticket
from ..routing.in_flight import InFlight
from ..routing.route_request import RouteRequest
from ..routing.table import BackendKey
from ..routing.target_cache import TargetCache

_OLLAMA: Final = Engine.OLLAMA
PATIENCE: Final = 4
"""How often a request may be passed over to save Ollama a model swap."""


class Refused(Exception):  # noqa: N818
    """Nobody can take the request."""

    def __init__(self, refusal: NoTarget) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


class Admission:
    """Grants leases on endpoints: `grant` or `wait`, then `leave`. One per gateway, owned by its event loop."""

    def __init__(self, directory: Directory) -> None:
        self.account = InFlight()
        self.demand = Demand(started=time.monotonic())
        self._directory = directory
        self._wanted: dict[Ticket, tuple[RouteRequest, asyncio.Future[Target | None]]] = {}
        self._loaded: dict[BackendKey, str] = {}
        """What each Ollama was last asked for; a vLLM has one model."""
        self._usual = TargetCache()
        self._places = directory.table.places
        directory.on_change(self._table_changed)

    def grant(self, wanted: RouteRequest) -> Target | None:
        """A slot at an endpoint, to be given back by `leave`; None when it must be waited for. Raises Refused."""
        usual = self._usual.find(wanted, self.account)
        if usual is not None:
            self._take(usual).served(time.monotonic())
            return usual
        decision = choose.choose(self._directory.table, self.account, wanted)
        if type(decision) is Target:
            self._take(decision).served(time.monotonic())
            self._usual.learn(decision)
            return decision
        if isinstance(decision, NoTarget):
            if decision.model is not None:
                self.demand.came(decision.model.key, time.monotonic())
                self.demand.left(decision.model.key, time.monotonic(), began=False)
            raise Refused(decision)
        return None

    async def wait(self, wanted: RouteRequest) -> Target:
        """A slot as from `grant`, as soon as there is one and it is the asker's turn. Raises Refused."""
        await in_task()
        model = self._directory.table.find(wanted.model)
        if model is None:  # it will be refused, and nobody could start an engine for it
            return await self._acquire(wanted)
        self.demand.came(model.key, time.monotonic())
        try:
            target = await self._acquire(wanted)
        except BaseException:
            self.demand.left(model.key, time.monotonic(), began=False)
            raise
        if target.model.key == model.key:
            self.demand.began(model.key)
        else:  # another pool serves the name by now
            self.demand.left(model.key, time.monotonic(), began=False)
            if target.tally is not None:
                target.tally.served(time.monotonic())
        return target

    def leave(self, target: Target) -> None:
        """Give a slot back."""
        self._give_back(target)
        if target.tally is not None:
            target.tally.left(time.monotonic())

    async def _acquire(self, wanted: RouteRequest) -> Target:
        loop = asyncio.get_running_loop()
        deadline: float | None = None
        while True:
            match choose.choose(self._directory.table, self.account, wanted):
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
        patience = PATIENCE if wait.backend.engine is Engine.OLLAMA else None
        queue = self.account.queues.setdefault(key, FairQueue(patience=patience))
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
                self._give_back(granted)
            raise
        finally:
            del self._wanted[ticket]
            queue.remove(ticket)
            if not queue and self.account.queues.get(key) is queue:
                del self.account.queues[key]
        return future.result() if future.done() else None

    def _take(self, target: Target) -> Tally:
        tally = target.tally
        if tally is None:
            tally = target.tally = self.demand.tally(target.model.key)
        self.account.take(target)
        if target.engine is _OLLAMA:
            self._loaded[target.backend.key] = target.engine_model
        return tally

    def _give_back(self, target: Target) -> None:
        self.account.give_back(target)
        if self.account.queues:
            self._serve(target.backend.key)

    def _table_changed(self) -> None:
        self._usual.forget()
        table = self._directory.table
        if table.places is not self._places:  # else there are the same models as before
            self._places = table.places
            self.demand.forget_all_but(frozenset(model.key for model in table.models))
        for key in list(self.account.queues):
            self._serve(key)

    def _serve(self, key: BackendKey) -> None:
        """Wake those in line that can go now, in order; stop at the first that must go on waiting."""
        queue = self.account.queues.get(key)
        while queue and (ticket := queue.peek(self._loaded.get(key))):
            wanted, future = self._wanted[ticket]
            decision = choose.choose(self._directory.table, self.account, wanted, line=key)
            if isinstance(decision, Wait):
                return
            queue.pop(self._loaded.get(key))
            if isinstance(decision, Target):
                self._take(decision)
                future.set_result(decision)
            else:
                future.set_result(None)
