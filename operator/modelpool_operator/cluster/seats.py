"""The Leases of one operator together: when its work begins and ends, and where it may write.

An operator for all namespaces has one, and ends when another operator has taken it over. One for some namespaces has
one in each, and they are independent of each other: whoever has one of these, or deletes its namespace, stops the work
there and nowhere else.

What an operator must not touch is what another one holds: `Elsewhere` tells.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Sequence

from modelpool_operator.api import names
from modelpool_operator.api.names import ObjectRef
from modelpool_operator.cluster import errors
from modelpool_operator.cluster.client import Client
from modelpool_operator.cluster.kinds import LEASES
from modelpool_operator.cluster.leases import DURATION, RENEW, LostError, Record, Seat, Sight

logger = logging.getLogger(__name__)


@contextlib.asynccontextmanager
async def holding(seats: Sequence[Seat]) -> AsyncIterator[None]:
    """Hold Leases while the context lasts; it begins once one is held.

    One that another operator has taken is sought again, while the others are held.

    Raises:
        ExceptionGroup: of a LostError: the only one is another's.
    """
    first = asyncio.Event()
    try:
        async with asyncio.TaskGroup() as group:
            keepers = [
                group.create_task(_occupy(seat, first, again=len(seats) > 1), name=f"keep Lease {seat.ref.namespace}")
                for seat in seats
            ]
            await first.wait()
            yield
            for keeper in keepers:
                keeper.cancel()
    finally:
        for seat in seats:
            if seat.problem is None:
                await seat.release()


async def _occupy(seat: Seat, held: asyncio.Event, *, again: bool) -> None:
    while True:
        await seat.acquire()
        held.set()
        try:
            await seat.keep()
        except LostError as exc:
            if not again:
                raise
            logger.warning("Lost the Lease", extra={"lease": str(seat.ref), "error": str(exc)})


def fence_of(seats: Sequence[Seat]) -> Callable[[str], str | None]:
    """Return what tells why nothing may be written into a namespace: its Lease is not held, or was not renewed.

    A namespace without a Lease goes by the only one there is. Where there are several, what is written beside them is
    the release key, which is made once, whoever does it.
    """
    by_namespace = {seat.ref.namespace: seat for seat in seats}

    def fence(namespace: str) -> str | None:
        seat = seats[0] if len(seats) == 1 else by_namespace.get(namespace)
        return None if seat is None else seat.stale()

    return fence


def problem_of(seats: Sequence[Seat]) -> str | None:
    """Return why the operator does not do all of its work, or None."""
    return next((why for seat in seats if (why := seat.stale()) is not None), None)


class Elsewhere:
    """Namespaces that are not ours to serve: that an operator of their own serves, or whose Lease we do not hold."""

    def __init__(self, client: Client, *, own: Sequence[Seat], clock: Callable[[], float]) -> None:
        self._client = client
        self._own = {seat.ref: seat for seat in own}
        self._clock = clock
        self._sights: dict[str, Sight] = {}
        self._asked: dict[str, tuple[float, str | None]] = {}

    async def holder(self, namespace: str) -> str | None:
        """Return who serves a namespace in our place, or why we do not, or None. An answer holds for a few seconds.

        Raises:
            errors.ClusterError: nobody can tell.
        """
        ref, now = ObjectRef(namespace, names.LEASE), self._clock()
        if ref in self._own:
            return self._own[ref].problem
        when, known = self._asked.get(namespace, (now - DURATION, None))
        if now - when < RENEW:
            return known
        try:
            record = Record.of(await self._client.get(LEASES, ref))
            alive = self._sights.setdefault(namespace, Sight()).look(record, now)
            found = record.holder if alive else None
        except errors.AbsentError:
            self._sights.pop(namespace, None)
            found = None
        self._asked[namespace] = (now, found)
        return found
