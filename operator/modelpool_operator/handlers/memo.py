"""What the handlers of watches and of the life cycle are given by kopf: references to the program's parts, no state."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import kopf

from modelpool_operator.api import names, parsing
from modelpool_operator.api.status import PoolStatus
from modelpool_operator.handlers.readiness import Readiness
from modelpool_operator.handlers.workqueue import WorkQueue


class Changes:
    """Tells a change of a pool from an echo of our own status: two hashes per pool are all that is kept.

    A status that is not what was told last is no echo: somebody has changed or removed it, or has restored the pool.
    """

    def __init__(self) -> None:
        self._hashes: dict[str, str] = {}
        self._told: dict[str, str] = {}
        """Of the statuses that were told last."""

    def __len__(self) -> int:
        """Pools known."""
        return len(self._hashes)

    def told(self, uid: str, status: PoolStatus) -> None:
        """Take note of what a pool is told."""
        self._told[uid] = _hash(parsing.render(status))

    def is_news(self, body: Mapping[str, Any], *, deleted: bool = False) -> bool:
        """Return whether what matters of the pool differs from what was seen before; its end always does."""
        uid = body["metadata"]["uid"]
        if deleted:
            self._hashes.pop(uid, None)
            self._told.pop(uid, None)
            return True
        seen = _hash(_essence(body))
        if self._hashes.get(uid) == seen:
            return uid in self._told and self._told[uid] != _hash(parsing.render(parsing.status_of(body)))
        self._hashes[uid] = seen
        return True


def _hash(value: object) -> str:
    return names.fingerprint(repr(value), 16)


def _essence(body: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Return what of a pool a pass may depend on, the status excepted: that is our own word, and no news to us."""
    kept = ("generation", "labels", "annotations", "deletionTimestamp")
    return [(key, dict(value) if isinstance(value := body["metadata"].get(key), Mapping) else value) for key in kept]


@dataclass(frozen=True, slots=True, kw_only=True)
class Memo:
    """kopf copies it for every object it watches, which costs a few references."""

    queue: WorkQueue
    readiness: Readiness
    changes: Changes
    log_in: Callable[[], Awaitable[kopf.ConnectionInfo]]
    started: asyncio.Event
    """Set when the pools are listed and the workers run; kopf's watches begin after that."""
    stop: asyncio.Event
    stopped: asyncio.Event
