"""Routes from the cluster: list and watch ConfigMaps and EndpointSlices, in some namespaces or all.

Each kind and namespace has one reflector: list once, watch from there, list again when the API server has forgotten our
version (410), back off with jitter on errors. While the API is away the last table stays in force, because engines go
on serving. Events are coalesced for a moment, so that a rollout does not rebuild the table a hundred times.
"""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import aiohttp
import msgspec
from kubernetes.aio import client, config

from ...routing.documents import RoutesDocument
from ..directory import Directory
from . import SourceMissingError
from .objects import (
    ROUTES_SELECTOR,
    SERVICE_LABEL,
    ApiRefusedError,
    ExpiredError,
    ObjectKey,
    ObjectStore,
    merged,
    snapshot,
)

SERVER_TIMEOUT: Final = 300
"""Seconds after which the API server ends a watch; the next one continues from the last version."""
SILENCE: Final = SERVER_TIMEOUT + 30.0
"""Seconds after which a watch that says nothing counts as lost."""
LONGEST_PAUSE: Final = 15.0
"""Seconds between attempts when the API stays away."""
SETTLE: Final = 0.02
"""Seconds to let further events arrive before the table is rebuilt."""

_log = logging.getLogger(__name__)


class Reflector:
    """Keeps one ObjectStore in step with one collection of the API."""

    def __init__(self, api: client.ApiClient, path: str, selector: str, changed: Callable[[], None]) -> None:
        self.store = ObjectStore()
        self.listed = False
        self._api = api
        self.path = path
        self._selector = selector
        self._changed = changed

    async def run(self) -> None:
        """List and watch until cancelled."""
        failures = 0
        while True:
            try:
                if not self.store.resource_version:
                    await self._list()
                failures = 0 if await self._watch() else failures + 1
            except ExpiredError:
                self.store.resource_version = ""
                failures += 1
            except ApiRefusedError as error:
                self.store.resource_version = ""
                failures += 1
                self._complain(error)
            except (aiohttp.ClientError, OSError, TimeoutError, msgspec.MsgspecError) as error:
                failures += 1
                self._complain(error)
            if failures:
                # Jitter, so that gateways do not all come back to a restarted API server at once.
                pause = min(LONGEST_PAUSE, 0.1 * 2 ** min(failures, 10))
                await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311

    def _complain(self, error: Exception) -> None:
        told = f"{type(error).__name__}: {error}"
        _log.warning("Could not follow the API server", extra={"collection": self.path, "error": told})

    async def _list(self) -> None:
        async with self._get({"labelSelector": self._selector}, silence=30.0) as response:
            self.store.replace(msgspec.json.decode(await response.read()))
        self.listed = True
        self._changed()

    async def _watch(self) -> bool:
        """Follow events until the server ends the watch; True when it told anything."""
        query = {
            "labelSelector": self._selector,
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": self.store.resource_version,
            "timeoutSeconds": str(SERVER_TIMEOUT),
        }
        told = False
        async with self._get(query, silence=SILENCE) as response:
            rest = b""
            async for chunk in response.content.iter_any():
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    if line.strip():
                        told = True
                        if self.store.apply(msgspec.json.decode(line)):
                            self._changed()
        return told

    @asynccontextmanager
    async def _get(self, query: dict[str, str], *, silence: float) -> AsyncIterator[aiohttp.ClientResponse]:
        """Ask; `silence` is how many seconds may pass without a byte."""
        method, url, headers, *_ = await self._api.param_serialize(
            "GET",
            self.path,
            query_params=list(query.items()),
            header_params={"Accept": "application/json"},
            auth_settings=["BearerToken"],
        )
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=silence)
        answer = await self._api.call_api(method, url, header_params=headers, _request_timeout=timeout)
        response: aiohttp.ClientResponse = answer.response
        try:
            if response.status == 410:
                raise ExpiredError(url)
            if response.status != 200:
                raise ApiRefusedError(f"{response.status} {response.reason}: {(await response.text())[:256]}")
            yield response
        finally:
            response.close()


class ClusterSource:
    """Implements `sources.Source` on the Kubernetes API."""

    def __init__(self, directory: Directory, *, namespaces: Sequence[str] = (), kubeconfig: Path | None = None) -> None:
        """No namespaces: all of them. No kubeconfig: the pod's service account, else the user's default kubeconfig."""
        self._directory = directory
        self._namespaces = tuple(namespaces)
        self._kubeconfig = kubeconfig

    async def run(self) -> None:
        """Watch until cancelled."""
        configuration = await self._configuration()
        async with client.ApiClient(configuration) as api:
            await self._follow(api)

    async def _configuration(self) -> client.Configuration:
        configuration = client.Configuration()
        in_cluster: Callable[..., None] = config.load_incluster_config
        from_file: Callable[..., Awaitable[None]] = config.load_kube_config
        try:
            if self._kubeconfig is not None:
                await from_file(config_file=str(self._kubeconfig), client_configuration=configuration)
                return configuration
            try:
                in_cluster(client_configuration=configuration)
            except config.ConfigException:  # not in a pod
                await from_file(client_configuration=configuration)
        except (config.ConfigException, OSError) as error:
            raise SourceMissingError(f"could not find a cluster to follow: {error}") from error
        return configuration

    async def _follow(self, api: client.ApiClient) -> None:
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
