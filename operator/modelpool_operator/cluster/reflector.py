"""Keeps the mirror in step with the API server: each collection is listed once, and watched from there.

The list is repeated when the API server has forgotten our version, or refused. While it is away what was seen last
stays; a pass begins with a question to it, so nothing is decided meanwhile. A refusal is another matter: without the
right to look, what was seen last must not be decided upon, and passes fail with the API server's own words.
"""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import Any, Final, Protocol

from modelpool_operator.api.names import ObjectRef
from modelpool_operator.cluster import errors
from modelpool_operator.cluster.client import Client, Object
from modelpool_operator.cluster.kinds import Kind
from modelpool_operator.cluster.together import together
from modelpool_operator.planning.objects.identity import OPTIONAL_KINDS

logger = logging.getLogger(__name__)

LONGEST_PAUSE: Final = 30.0
"""Seconds between attempts when the API server stays away."""
RELIST_SECONDS: Final = 3600.0
"""How old a list may be when a watch ends: the net below the watches, should an event ever be missed."""
UNSERVED_PAUSE: Final = 60.0
"""Seconds until a cluster that does not serve a kind is asked again."""
BELIEVED_SECONDS: Final = 30.0
"""How long what could be looked at is denied until that is believed: an API server that starts knows no roles yet."""

Wake = Callable[[ObjectRef], None]
"""Called with a pool, by the value of its label, whose objects changed."""


class Followed(Protocol):
    """A collection that can be kept in step."""

    selector: str
    optional: bool
    problem: errors.ClusterError | None

    @property
    def kind(self) -> Kind:
        """Of its objects."""

    def reduced(self, items: Iterable[Object]) -> dict[ObjectRef, Any]:
        """Return what is kept of listed objects."""

    def replace(self, listed: dict[ObjectRef, Any], version: str) -> frozenset[ObjectRef]:
        """Take over a whole list, and return whom it concerns."""

    def take(self, event: str, obj: Object) -> frozenset[ObjectRef]:
        """Take over one event, and return whom it concerns."""


class Reflector:
    """Follows one collection."""

    def __init__(self, client: Client, collection: Followed, namespace: str | None, wake: Wake) -> None:
        self.collection = collection
        self.tried = asyncio.Event()
        """Set when the first list came, or failed."""
        self._client = client
        self._namespace = namespace
        self._wake = wake
        self._since = ""
        self._listed_at = 0.0
        self._unserved = False
        self._denied_at: float | None = None
        """When the first of the latest denials came, each after the other."""

    async def run(self) -> None:
        """List and watch until cancelled."""
        failures = 0
        while True:
            try:
                if not self._since or asyncio.get_running_loop().time() - self._listed_at > RELIST_SECONDS:
                    await self.fill()
                failures = 0 if await self._watch() else failures + 1
            except errors.ClusterError as exc:
                failures += 1
                self._fail(exc)
            self.tried.set()
            if failures:
                await asyncio.sleep(self._pause(failures))

    async def fill(self) -> None:
        """List the collection, and wake the pools whose objects are other than they were.

        Raises:
            errors.ClusterError: it could not be listed.
        """
        listed: dict[ObjectRef, Any] = {}
        version = ""
        async for page in self._client.pages(self.collection.kind, self._namespace, labels=self.collection.selector):
            listed |= self.collection.reduced(page.items)
            version = version or page.version
        concerned = self.collection.replace(listed, version)
        self._since, self._unserved, self._denied_at = version, False, None
        self._listed_at = asyncio.get_running_loop().time()
        self.tried.set()
        for pool in concerned:
            self._wake(pool)

    async def _watch(self) -> bool:
        """Follow events until the API server ends the watch; return whether it told anything."""
        told = False
        collection = self.collection
        events = self._client.watch(collection.kind, self._namespace, labels=collection.selector, since=self._since)
        async with aclosing(events):
            async for event, thing in events:
                told, self._denied_at = True, None
                concerned = collection.take(event, thing)
                self._since = thing["metadata"]["resourceVersion"]
                for one in concerned:
                    self._wake(one)
        return told

    def _fail(self, error: errors.ClusterError) -> None:
        """Keep what can be kept after a failure, and say so."""
        kind = self.collection.kind
        self._unserved = isinstance(error, errors.AbsentError) and kind.kind in OPTIONAL_KINDS
        denied = self.collection.optional and isinstance(error, errors.DeniedError)
        now = asyncio.get_running_loop().time()
        self._denied_at = (self._denied_at or now) if denied else None
        lasting = self._denied_at is not None and (not self._listed_at or now - self._denied_at >= BELIEVED_SECONDS)
        if self._unserved or lasting:
            self._since, self._unserved = "", True
            self.collection.replace({}, "")
            self.collection.problem = error if denied else None
            return
        if not denied and not isinstance(error, errors.UnreachableError):
            self.collection.problem = error
        if self.collection.problem is not None or isinstance(error, errors.ExpiredError):
            self._since = ""
        level = logging.DEBUG if isinstance(error, errors.ExpiredError) else logging.WARNING
        logger.log(level, "Could not follow the API server", extra={"error": str(error)})

    def _pause(self, failures: int) -> float:
        """Return seconds; with jitter, so that the watches do not all come back to a restarted API server at once."""
        if self._unserved:
            return UNSERVED_PAUSE
        return min(LONGEST_PAUSE, 0.1 * 2.0 ** min(failures, 10)) * random.uniform(0.5, 1.0)  # noqa: S311


class Mapped(Protocol):
    """Collections by kind and namespace."""

    @property
    def collections(self) -> Mapping[tuple[Kind, str | None], Followed]:
        """All of them."""


@asynccontextmanager
async def following(client: Client, mirror: Mapped, wake: Wake) -> AsyncIterator[None]:
    """Keep a mirror in step while the context lasts; it begins when every collection was asked for once.

    Args:
        client: the API server.
        mirror: what is to be kept, the mirror or the surroundings.
        wake: called with each pool whose objects changed, or each node on which something did.
    """
    reflectors = [Reflector(client, one, namespace, wake) for (_, namespace), one in mirror.collections.items()]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one.run(), name=f"watch {one.collection.kind.plural}") for one in reflectors]
        try:
            await together([one.tried.wait() for one in reflectors])
            yield
        finally:
            for task in tasks:
                task.cancel()


async def fill(client: Client, mirror: Mapped) -> None:
    """List every collection once, and follow none.

    Raises:
        errors.ClusterError: one could not be listed.
    """
    await together(
        [Reflector(client, one, namespace, lambda _: None).fill() for (_, namespace), one in mirror.collections.items()]
    )
