"""Routes from the cluster: list and watch ConfigMaps, ModelPools and EndpointSlices, in some namespaces or all.

Of ModelPools only the metadata is asked for: who came first, and whose a ConfigMap is, follows from that.

While the API is away the last table stays in force, because engines go on serving. Events are coalesced for a moment,
so that a rollout does not rebuild the table a hundred times.
"""

import asyncio
import logging
from collections.abc import Callable, Container, Sequence
from typing import Final

from ..directory import Directory
from .access import Access
from .api import Api, Collection
from .complaints import Complaints
from .objects import ROUTES_SELECTOR, SERVICE_LABEL, merged
from .reading import Readings, snapshot
from .reflector import Reflector

SETTLE: Final = 0.02
"""Seconds to let further events arrive before the table is rebuilt."""
REST: Final = 4.0
"""How much longer than building the table lasted nothing is built: who writes all the time takes a fifth at most."""

_log = logging.getLogger(__name__)


class ClusterSource:
    """Implements `sources.Source` on the Kubernetes API."""

    def __init__(
        self,
        directory: Directory,
        engines: Container[str],
        *,
        access: Callable[[], Access],
        namespaces: Sequence[str] = (),
    ) -> None:
        """`engines`: the kinds that documents may name.

        No namespaces: all of them. `access` reads the credentials, and raises SourceMissingError without any.
        """
        self._directory = directory
        self._engines = engines
        self._namespaces = tuple(namespaces)
        self._access = access

    async def run(self) -> None:
        """Watch until cancelled; every connection is closed then."""
        async with Api(self._access()) as api:
            await self._follow(api)

    async def _follow(self, api: Api) -> None:
        changed = asyncio.Event()
        folders = [f"namespaces/{namespace}/" for namespace in self._namespaces] or [""]
        maps, pools, slices = (
            [Reflector(api, Collection(template.format(folder), selector, metadata), changed.set) for folder in folders]
            for template, selector, metadata in _COLLECTIONS
        )
        async with asyncio.TaskGroup() as group:
            for reflector in (*maps, *pools, *slices):
                group.create_task(reflector.run(), name=f"watch {reflector.collection.path}")
            loop = asyncio.get_running_loop()
            readings: Readings = {}
            complaints = Complaints()
            lasted = 0.0
            while True:
                await _event(changed, complaints.due)
                await asyncio.sleep(max(SETTLE, REST * lasted))
                changed.clear()
                if not all(one.listed for one in (*maps, *pools, *slices)):
                    continue
                began = loop.time()
                listed = [merged(one.store for one in kind) for kind in (maps, pools, slices)]
                try:
                    found, readings = snapshot(listed[0], listed[1], listed[2], readings, self._engines)
                    self._directory.load(found.routes, found.addresses, trusted=True)
                except Exception:
                    # A bug, met by what somebody has written; it must not cost the others their gateway.
                    _log.exception("Could not take over what the cluster says; the last table stays")
                    complaints.due = None  # which may be over: the next change looks again
                    continue
                finally:
                    lasted = loop.time() - began
                for subject, problem in complaints.look(found.troubles, loop.time()):
                    _log.error("Could not use an object", extra={"object": subject, "problem": problem})


_COLLECTIONS: Final = (
    ("/api/v1/{}configmaps", ROUTES_SELECTOR, False),
    ("/apis/modelpool.dev/v1alpha1/{}modelpools", "", True),
    ("/apis/discovery.k8s.io/v1/{}endpointslices", SERVICE_LABEL, False),
)
"""Paths, label selectors, and whether the metadata is enough."""


async def _event(changed: asyncio.Event, due: float | None) -> None:
    """Wait until something changed, or until then."""
    try:
        async with asyncio.timeout_at(due):
            await changed.wait()
    except TimeoutError:
        pass
