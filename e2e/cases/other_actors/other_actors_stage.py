"""One pool of the table with those who write beside the operator, each on a thread and under a name of its own."""

import contextlib
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from modelpool_cluster import rest
from modelpool_cluster.audit import AuditEvent
from modelpool_cluster.cluster import Cluster
from modelpool_cluster.rest import MERGE
from modelpool_under_test.processes.pools import KINDS, Pool

Object = dict[str, Any]

WRITES: Final = {"create", "update", "patch", "delete", "deletecollection"}


def model_of(namespace: str, number: int = 0) -> str:
    """Return the name of a model, which no pool of another namespace has."""
    return f"{namespace}-{number}"


def engine_of(namespace: str) -> str:
    """Return what the children of a pool's first engine are called."""
    return f"small-{model_of(namespace)}"


@dataclass(slots=True)
class Hand:
    """Somebody who writes to one pool's objects."""

    pool: Pool
    api: rest.Api
    turn: int = 0
    """How often he has been asked to act."""
    acted: int = 0

    @property
    def engine(self) -> str:
        """What the children of the pool's first engine are called."""
        return engine_of(self.pool.namespace)

    def path(self, kind: str, name: str) -> str:
        """Return the path of a child."""
        return f"{KINDS[kind].format(self.pool.namespace)}/{name}"

    def merge(self, path: str, body: Object, manager: str) -> None:
        """Change an object as a manager."""
        self.api.patch(f"{path}?fieldManager={manager}", body, MERGE)
        self.acted += 1

    def put(self, path: str, body: Object, manager: str) -> None:
        """Replace an object as a manager, unless it has changed since it was read."""
        self.api.replace(f"{path}?fieldManager={manager}", body)
        self.acted += 1


Act = Callable[[Hand], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who acts, and how often."""

    what: Act
    """Called again and again: it looks, and acts where the world is not as it wants it."""
    every: float = 0.3
    """Seconds between two looks; 0 for once."""


@dataclass(slots=True, kw_only=True)
class Acting:
    """An actor at work."""

    actor: Actor
    hand: Hand
    stop: threading.Event = field(default_factory=threading.Event)
    failed: list[Exception] = field(default_factory=list)

    def run(self) -> None:
        """Act until told to stop. What is not there, or was changed in between, is tried again."""
        while not self.stop.is_set():
            self.hand.turn += 1
            try:
                self.actor.what(self.hand)
            except rest.ApiError as exc:
                if exc.status not in (404, 409):
                    self.failed.append(exc)
                    return
            if not self.actor.every:
                return
            self.stop.wait(self.actor.every)


@contextlib.contextmanager
def acting(cluster: Cluster, actors: dict[str, tuple[Pool, Actor]]) -> Iterator[dict[str, Acting]]:
    """Let actors act, each on its pool, while the context lasts."""
    found: dict[str, Acting] = {}
    threads = []
    with contextlib.ExitStack() as stack:
        for name, (pool, actor) in actors.items():
            api = rest.Api(cluster.kubeconfig)
            stack.callback(api.close)
            found[name] = Acting(actor=actor, hand=Hand(pool, api))
            threads.append(threading.Thread(target=found[name].run, name=name, daemon=True))
        for thread in threads:
            thread.start()
        try:
            yield found
        finally:
            for one in found.values():
                one.stop.set()
            for thread in threads:
                thread.join(30)


def writes_of(events: list[AuditEvent], namespace: str, since: datetime, until: datetime) -> Counter[str]:
    """Return what was written to a namespace in a time, with how often. The Lease is nobody's child."""
    return Counter(
        f"{one.verb} {'/'.join(part for part in (one.resource, one.name, one.subresource) if part)}"
        for one in events
        if one.namespace == namespace
        and one.verb in WRITES
        and one.resource != "leases"
        and since <= one.received < until
    )


def events_of(pool: Pool) -> list[tuple[str, str]]:
    """Return the Events of a pool, as reason and message."""
    found = pool.cluster.api.items(
        f"/api/v1/namespaces/{pool.namespace}/events", fieldSelector="involvedObject.kind=ModelPool"
    )
    return [(one["reason"], one["message"]) for one in found]
