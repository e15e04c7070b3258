"""Routes from the cluster: list and watch ConfigMaps and EndpointSlices, in some namespaces or all.

While the API is away the last table stays in force, because engines go on serving. Events are coalesced for a moment,
so that a rollout does not rebuild the table a hundred times.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Final

from ...routing.documents import RoutesDocument
from ..directory import Directory
from .access import Access
from .api import Api
from .objects import ROUTES_SELECTOR, SERVICE_LABEL, ObjectKey, merged, snapshot
from .reflector import Reflector

SETTLE: Final = 0.02
"""Seconds to let further events arrive before the table is rebuilt."""

_log = logging.getLogger(__name__)


class ClusterSource:
    """Implements `sources.Source` on the Kubernetes API."""

    def __init__(self, directory: Directory, *, access: Callable[[], Access], namespaces: Sequence[str] = ()) -> None:
        """No namespaces: all of them. `access` reads the credentials, and raises SourceMissingError without any."""
        self._directory = directory
        self._namespaces = tuple(namespaces)
        self._access = access

    async def run(self) -> None:
        """Watch until cancelled; every connection is closed then."""
        async with Api(self._access()) as api:
            await self._follow(api)

    async def _follow(self, api: Api) -> None:
        changed = asyncio.Event()
        folders = [f"namespaces/{namespace}/" for namespace in self._namespaces] or [""]
        pairs = [
            (
                Reflector(api, f"/api/v1/{folder}configmaps", ROUTES_SELECTOR, changed.set),
                Reflector(api, f"/apis/discovery.k8s.io/v1/{folder}endpointslices", SERVICE_LABEL, changed.set),
            )
            for folder in folders
        ]
        async with asyncio.TaskGroup() as group:
            for reflector in (one for pair in pairs for one in pair):
                group.create_task(reflector.run(), name=f"watch {reflector.path}")
            good: dict[ObjectKey, RoutesDocument] = {}
            complained: tuple[str, ...] = ()
            while True:
                await changed.wait()
                await asyncio.sleep(SETTLE)
                changed.clear()
                if not all(one.listed for pair in pairs for one in pair):
                    continue
                found, good = snapshot(
                    merged(pair[0].store for pair in pairs), merged(pair[1].store for pair in pairs), good
                )
                if found.problems != complained:
                    for problem in found.problems:
                        _log.error("Could not read a routes document", extra={"problem": problem})
                    complained = found.problems
                self._directory.load(found.routes, found.addresses, trusted=True)
