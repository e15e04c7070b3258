"""Which operator is at work: the one that holds a Lease (coordination.k8s.io/v1), as Kubernetes' own controllers do it.

An operator for all namespaces holds one Lease that all such operators know; one for some namespaces holds one in each.
A holder renews it; one that cannot writes nothing until it can, and ends when another one has taken over. Nobody
compares clocks: a Lease counts as given up when the one who looks has seen no renewal for its whole duration
(https://kep.k8s.io/589).

`seats` puts the Leases of one operator together.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from modelpool_operator.api import names
from modelpool_operator.api.names import ObjectRef
from modelpool_operator.cluster import errors
from modelpool_operator.cluster.client import Client, Object
from modelpool_operator.cluster.kinds import LEASES
from modelpool_operator.planning.objects.identity import while_at

logger = logging.getLogger(__name__)

DURATION: Final = 15
"""Seconds without a renewal after which others may take a Lease. This and the next two are client-go's, but for the
renewal: two seconds would be thirty writes a minute."""
DEADLINE: Final = 10.0
"""Seconds without a renewal after which a holder writes nothing."""
LONGEST: Final = 60.0
"""Seconds, at most, for which a Lease counts as held without a renewal: what it says may be a tenant's."""
RENEW: Final = 4.0
RETRY: Final = 2.0
"""Seconds between two looks of one who waits."""


class LostError(Exception):
    """The Lease is another's, who is at work."""


@dataclass(frozen=True, slots=True)
class Record:
    """A Lease as it was seen."""

    holder: str
    """Empty when it was given up."""
    renewed: str
    version: str
    duration: float
    transitions: int

    @classmethod
    def of(cls, lease: Object) -> "Record":
        """Read a Lease."""
        spec = lease.get("spec") or {}
        return cls(
            holder=spec.get("holderIdentity") or "",
            renewed=spec.get("renewTime") or "",
            version=lease["metadata"].get("resourceVersion") or "",
            duration=min(float(spec.get("leaseDurationSeconds") or DURATION), LONGEST),
            transitions=int(spec.get("leaseTransitions") or 0),
        )


@dataclass(slots=True)
class Sight:
    """What one has seen of a Lease, and since when. Pure: the time comes in."""

    seen: tuple[str, str] | None = None
    """Holder and renewal."""
    since: float = 0.0

    def look(self, record: Record, now: float) -> bool:
        """Take note of a record, and return whether its holder is alive, as far as one can know."""
        if self.seen != (record.holder, record.renewed):
            self.seen, self.since = (record.holder, record.renewed), now
        return bool(record.holder) and now - self.since <= record.duration


@dataclass(slots=True, kw_only=True)
class Seat:
    """One Lease, and who wants it."""

    client: Client
    ref: ObjectRef
    identity: str
    clock: Callable[[], float]
    now: Callable[[], datetime]
    problem: str | None = "the Lease is not held yet"
    """Why it is not held, or None."""
    taken: Callable[[], None] = lambda: None
    """Called each time when it is held from then on."""
    _sight: Sight = field(default_factory=Sight)
    _version: str = ""
    _renewed: float = 0.0

    async def acquire(self) -> None:
        """Wait until the Lease is ours."""
        while True:
            try:
                if await self._take():
                    self.problem = None
                    logger.info("Holds the Lease", extra={"lease": str(self.ref), "identity": self.identity})
                    self.taken()
                    return
            except errors.ClusterError as exc:
                self._say(str(exc))
            await asyncio.sleep(RETRY)

    def stale(self) -> str | None:
        """Return why nothing may be written now, or None: others may take a Lease that was not renewed."""
        if self.problem is None and self.clock() - self._renewed < DEADLINE:
            return None
        return self.problem or f"the Lease {self.ref.namespace}/{self.ref.name} was not renewed for {DEADLINE:g} s"

    async def keep(self) -> None:
        """Renew the Lease for ever.

        Raises:
            LostError: another one holds it.
        """
        while True:
            await asyncio.sleep(RENEW)
            try:
                async with asyncio.timeout(DEADLINE):
                    await self._renew()
            except (errors.ClusterError, TimeoutError) as exc:
                logger.warning("Could not renew the Lease", extra={"error": str(exc)})

    async def release(self) -> None:
        """Give the Lease up, so that a successor need not wait. Should that fail, it waits."""
        spec = {"holderIdentity": "", "leaseDurationSeconds": 1}
        try:
            async with asyncio.timeout(RETRY):
                await self._write(spec)
        except (errors.ClusterError, TimeoutError) as exc:
            logger.warning("Could not give the Lease up", extra={"error": str(exc)})

    async def _take(self) -> bool:
        """Take the Lease where nobody holds it, and return whether it is ours."""
        asked = self.clock()
        try:
            record = Record.of(await self.client.get(LEASES, self.ref))
        except errors.AbsentError:
            lease = {
                "apiVersion": LEASES.api_version,
                "kind": LEASES.kind,
                "metadata": {"namespace": self.ref.namespace, "name": self.ref.name},
                "spec": self._spec(0),
            }
            self._holds(await self.client.create(LEASES, lease), asked)
            return True
        if self._sight.look(record, asked) and record.holder != self.identity:
            self._say(f"'{record.holder}' holds the Lease {self.ref.namespace}/{self.ref.name}, and is at work")
            return False
        self._version = record.version
        await self._write(self._spec(record.transitions + (record.holder != self.identity)), asked)
        return True

    async def _renew(self) -> None:
        asked = self.clock()
        try:
            await self._write({"renewTime": self._time()}, asked)
        except (errors.ConflictError, errors.AbsentError):
            # Somebody edited or deleted it, or has taken over.
            if not await self._take():
                raise LostError(self.problem) from None
            self.problem = None

    async def _write(self, spec: dict[str, Any], asked: float | None = None) -> None:
        changes = ({"op": "add", "path": f"/spec/{key}", "value": value} for key, value in spec.items())
        patch = (while_at(self._version), *changes)
        answer = await self.client.patch(LEASES, self.ref, patch, manager=names.FIELD_MANAGER)
        self._holds(answer, self.clock() if asked is None else asked)

    def _holds(self, lease: Object, asked: float) -> None:
        self._version, self._renewed = lease["metadata"].get("resourceVersion") or "", asked

    def _spec(self, transitions: int) -> dict[str, Any]:
        return {
            "holderIdentity": self.identity,
            "leaseDurationSeconds": DURATION,
            "acquireTime": self._time(),
            "renewTime": self._time(),
            "leaseTransitions": transitions,
        }

    def _time(self) -> str:
        return self.now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def _say(self, problem: str) -> None:
        if problem != self.problem:
            logger.warning("Waits for the Lease", extra={"why": problem})
        self.problem = problem
