"""What the handlers of watches and of the life cycle are given by kopf: references to the program's parts, no state."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import kopf

from modelpool_operator.api import names
from modelpool_operator.handlers.readiness import Readiness
from modelpool_operator.handlers.workqueue import WorkQueue


class Changes:
    """Tells a change of a pool from an echo of our own status: one hash per pool is all that is kept.

    A status that is there no more is no echo: somebody has removed it, or has restored the pool without it.
    """

    def __init__(self) -> None:
        self._hashes: dict[str, str] = {}
        self._told: set[str] = set()
        """Pools that had conditions when they were last seen."""

    def __len__(self) -> int:
        """Pools known."""
        return len(self._hashes)

    def is_news(self, body: Mapping[str, Any], *, deleted: bool = False) -> bool:
        """Return whether what matters of the pool differs from what was seen before; its end always does."""
        uid = body["metadata"]["uid"]
        was_told, is_told = uid in self._told, bool((body.get("status") or {}).get("conditions"))
        (self._told.add if is_told and not deleted else self._told.discard)(uid)
        if deleted:
            self._hashes.pop(uid, None)
            return True
        seen = names.fingerprint(repr(_essence(body)), 16)
        if self._hashes.get(uid) == seen:
            return was_told and not is_told
        self._hashes[uid] = seen
        return True


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
