"""Which pool is to be looked at next: a queue that holds every pool once, and gives it to one worker at a time.

`Schedule` decides and is pure: its methods take the time as an argument. `WorkQueue` is its clock and its waiting room.
"""

import asyncio
import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from modelpool_operator.api.names import ObjectRef


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """How long to wait after a failure, in seconds."""

    first: float = 0.25
    factor: float = 2.0
    longest: float = 60.0
    jitter: float = 0.2
    """Share by which a delay may be shorter, so that pools which failed together do not come back together."""

    def delay(self, failures: int, random: float) -> float:
        """Return the delay after so many failures in a row; `random` is in [0, 1)."""
        whole = min(self.longest, self.first * self.factor ** min(failures - 1, 32))
        return whole * (1 - self.jitter * random)


DEFAULT_BACKOFF: Final = Backoff()


class Schedule:
    """The queue without a clock.

    A pool is waiting, running or unknown. Asked for while it waits, it comes at the earlier of both times; asked for
    while it runs, it comes again afterwards, since what the running pass has read may be older than what asked.
    """

    def __init__(self, *, spacing: float, backoff: Backoff, random: Callable[[], float]) -> None:
        self._spacing = spacing
        self._backoff = backoff
        self._random = random
        self._due: dict[ObjectRef, float] = {}
        self._heap: list[tuple[float, int, ObjectRef]] = []
        self._order = itertools.count()
        self._running: dict[ObjectRef, float | None] = {}
        """With the time at which it was asked for meanwhile."""
        self._ended: dict[ObjectRef, float] = {}
        self._failures: dict[ObjectRef, int] = {}

    def __len__(self) -> int:
        """Pools that wait."""
        return len(self._due)

    @property
    def next_due(self) -> float | None:
        """When the next pool may be taken; None when none waits."""
        while self._heap and self._due.get(self._heap[0][2]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def add(self, ref: ObjectRef, when: float) -> None:
        """Ask for a pool at a time, or earlier if somebody asked already."""
        if ref in self._running:
            asked = self._running[ref]
            self._running[ref] = when if asked is None else min(asked, when)
            return
        due = max(when, self._ended.get(ref, when - self._spacing) + self._spacing)
        if ref not in self._due or due < self._due[ref]:
            self._due[ref] = due
            heapq.heappush(self._heap, (due, next(self._order), ref))

    def take(self, now: float) -> ObjectRef | None:
        """Return a pool whose time has come, which runs from now on, or None."""
        due = self.next_due
        if due is None or due > now:
            return None
        ref = heapq.heappop(self._heap)[2]
        del self._due[ref]
        self._running[ref] = None
        return ref

    def succeeded(self, ref: ObjectRef, now: float) -> None:
        """Say that a pass ended well."""
        self._failures.pop(ref, None)
        self._end(ref, now)

    def failed(self, ref: ObjectRef, now: float) -> float:
        """Say that a pass failed; the pool comes again after a delay that grows with its failures, and is returned."""
        self._failures[ref] = self._failures.get(ref, 0) + 1
        delay = self._backoff.delay(self._failures[ref], self._random())
        self._end(ref, now)
        self.add(ref, now + delay)
        return delay

    def gone(self, ref: ObjectRef, now: float) -> None:
        """Say that the pool is no more: nothing about it is kept, unless it was asked for meanwhile."""
        self._failures.pop(ref, None)
        self._end(ref, now)
        self._ended.pop(ref, None)

    def _end(self, ref: ObjectRef, now: float) -> None:
        asked = self._running.pop(ref)
        self._ended[ref] = now
        if asked is not None:
            self.add(ref, asked)


class WorkQueue:
    """The queue that workers wait at. One event loop; no locks.

    Args:
        clock: monotonic seconds.
        random: numbers in [0, 1).
        spacing: least seconds between the end of a pass over a pool and the begin of the next, which turns a burst of
            events into one pass.
        backoff: after failures.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float],
        random: Callable[[], float],
        spacing: float = 0.1,
        backoff: Backoff = DEFAULT_BACKOFF,
    ) -> None:
        self._clock = clock
        self._schedule = Schedule(spacing=spacing, backoff=backoff, random=random)
        self._woken = asyncio.Event()

    def __len__(self) -> int:
        """Pools that wait."""
        return len(self._schedule)

    def add(self, ref: ObjectRef, *, delay: float = 0) -> None:
        """Ask for a pool, now or after some seconds."""
        self._schedule.add(ref, self._clock() + delay)
        self._woken.set()

    async def get(self) -> ObjectRef:
        """Wait for a pool whose time has come. Whoever gets it must call `succeeded`, `failed` or `gone`."""
        while True:
            self._woken.clear()
            ref = self._schedule.take(self._clock())
            due = self._schedule.next_due
            if ref is not None:
                if due is not None:
                    self._woken.set()  # There may be more for the others.
                return ref
            try:
                async with asyncio.timeout(None if due is None else max(0.0, due - self._clock())):
                    await self._woken.wait()
            except TimeoutError:
                continue

    def succeeded(self, ref: ObjectRef) -> None:
        """Say that a pass ended well."""
        self._schedule.succeeded(ref, self._clock())
        self._woken.set()

    def failed(self, ref: ObjectRef) -> float:
        """Say that a pass failed, and return after how many seconds the next one comes."""
        delay = self._schedule.failed(ref, self._clock())
        self._woken.set()
        return delay

    def gone(self, ref: ObjectRef) -> None:
        """Say that the pool is no more."""
        self._schedule.gone(ref, self._clock())
        self._woken.set()
