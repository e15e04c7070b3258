"""Asking engines whether they are ready: what is asked of which engine, and how often.

What is asked is in the engine's profile. A slow answer is not a dead engine: one that was alive becomes unready after
several silent probes in a row, but at once when nobody listens.

Whatever an engine sends, who watches it lives on: what cannot be understood is unready.
"""

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Final

from ..engines.registry import Profiles
from ..http.client.errors import ClientError, NobodyThere, OutOfResources
from ..http.client.pool import ConnectionPool
from ..http.client.request_sender import ClientRequest
from ..http.urls import shown
from ..routing.table import Probed, RoutingTable
from .directory import Directory

UNREADY_INTERVAL: Final = 0.2
"""Seconds between probes of an engine that is not ready: bounds how long a ready engine goes unnoticed."""
READY_INTERVAL: Final = 2.0
"""Seconds between probes of a ready engine; a failed request tells of its death earlier."""
SUSPECT_INTERVAL: Final = 0.05
"""Seconds between probes of an engine at which one request after the other breaks."""
PROBE_TIMEOUT: Final = 2.0
"""Seconds one probe may take."""
SILENCES: Final = 3
"""Probes without an answer in a row before an engine that was alive counts as dead."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, order=True)
class Subject:
    """An address to be probed, and what runs there."""

    url: str
    engine: str


class Prober:
    """Keeps a Directory informed until cancelled."""

    def __init__(self, directory: Directory, upstream: ConnectionPool, profiles: Profiles, *, everything: bool) -> None:
        """`everything=False` leaves to the cluster's own probes what it can, unless something makes it a suspect."""
        self._profiles = profiles
        self._directory = directory
        self._upstream = upstream
        self._everything = everything
        self._changed = asyncio.Event()
        self._called: set[str] = set()
        """Suspects that may not be watched yet."""
        self._watchers: dict[Subject, asyncio.Task[None]] = {}
        self._hurry: dict[Subject, asyncio.Event] = {}
        self._odd: set[Subject] = set()
        """Whose answers could not be understood, as was said already."""
        directory.on_change(self._changed.set)
        directory.on_suspicion(self._suspected)

    async def run(self) -> None:
        """Probe until cancelled."""
        async with asyncio.TaskGroup() as group:
            known: RoutingTable | None = None
            while True:
                self._changed.clear()
                table = self._directory.table
                if known is None or table.places is not known.places:
                    self._follow(set(self._subjects(table)), group)
                if table is not known:
                    for subject, hurry in self._hurry.items():
                        if not self._is_content(subject):
                            hurry.set()
                known = table
                called, self._called = self._called, set()
                for url in called:
                    self._begin(_subjects_at(table, url), group)
                await self._changed.wait()

    def doubt(self, url: str) -> None:
        """Ask an engine at which requests get no answer, unless it is asked all the time anyway."""
        if not any(Subject(url, engine) in self._watchers for engine in self._profiles.names):
            self._directory.suspect(url)

    def _suspected(self, url: str) -> None:
        for engine in self._profiles.names:
            hurry = self._hurry.get(Subject(url, engine))
            if hurry is not None:
                hurry.set()
        if not self._everything:
            self._called.add(url)
            self._changed.set()

    def _follow(self, subjects: set[Subject], group: asyncio.TaskGroup) -> None:
        for gone in self._watchers.keys() - subjects:
            self._watchers[gone].cancel()
            self._forget(gone)
        self._begin(subjects, group)

    def _begin(self, subjects: Iterable[Subject], group: asyncio.TaskGroup) -> None:
        for subject in sorted(set(subjects) - self._watchers.keys()):
            hurry = self._hurry[subject] = asyncio.Event()
            watching = self._watch(subject, hurry)
            self._watchers[subject] = group.create_task(watching, name=f"probe {shown(subject.url)}")

    def _forget(self, subject: Subject) -> None:
        del self._watchers[subject], self._hurry[subject]
        self._odd.discard(subject)

    def _subjects(self, table: RoutingTable) -> Iterable[Subject]:
        for model in table.models:
            for backend in model.backends:
                if self._is_watched(backend.engine):
                    for endpoint in backend.endpoints:
                        yield Subject(endpoint.url, backend.engine)
        for url in self._directory.health.suspects:
            yield from _subjects_at(table, url)

    def _is_watched(self, engine: str) -> bool:
        """Whether it is asked all the time."""
        return self._everything or self._profiles[engine].probed_always

    async def _watch(self, subject: Subject, hurry: asyncio.Event) -> None:
        url, silences = subject.url, 0
        while True:
            hurry.clear()
            suspicion = self._directory.health.suspicion(url)
            try:
                found = await self._found(subject)
            except OutOfResources:  # the engine was not asked
                await self._pause(subject, hurry)
                continue
            if found is not None:
                silences = 0
                self._directory.learn(url, found, suspicion)
            else:
                silences += 1
                self._directory.silence(url, lasting=silences >= SILENCES)
            if not self._is_watched(subject.engine) and url not in self._directory.health.suspects:
                self._forget(subject)
                return
            await self._pause(subject, hurry)

    async def _found(self, subject: Subject) -> Probed | None:
        """What one probe finds; None when nothing is heard. Raises OutOfResources."""
        try:
            async with asyncio.timeout(PROBE_TIMEOUT):
                found = await self._ask(subject)
        except OutOfResources:
            raise
        except NobodyThere:
            return Probed(alive=False)
        except (ClientError, TimeoutError):
            return None
        except Exception as odd:
            if subject not in self._odd:
                self._odd.add(subject)
                _log.warning("Could not understand an engine", extra={"url": shown(subject.url), "error": str(odd)})
            return Probed(alive=False)
        self._odd.discard(subject)
        return found

    async def _pause(self, subject: Subject, hurry: asyncio.Event) -> None:
        """Wait for the next probe: long while all is well, and hardly at all when a request has just failed there.

        One broken connection may have been that connection's fault: an engine that lives is cleared at once.
        """
        if (subject.url, subject.engine) in self._directory.table.unready:
            # What could not be understood may be long, and will hardly be better in a moment.
            await asyncio.sleep(READY_INTERVAL if subject in self._odd else UNREADY_INTERVAL)
            return
        await asyncio.sleep(SUSPECT_INTERVAL)
        is_suspect = subject.url in self._directory.health.suspects
        soon = UNREADY_INTERVAL if is_suspect else READY_INTERVAL
        enough = asyncio.get_running_loop().call_later(soon, hurry.set)
        try:
            await hurry.wait()
        finally:
            enough.cancel()

    def _is_content(self, subject: Subject) -> bool:
        return (subject.url, subject.engine) not in self._directory.table.unready

    async def _ask(self, subject: Subject) -> Probed:
        return await self._profiles[subject.engine].probe(partial(self._get, subject.url))

    async def _get(self, url: str, path: str, most_bytes: int) -> tuple[int, bytes]:
        response = await self._upstream.open(url, ClientRequest(method="GET", path=path))
        try:
            return response.head.status, await response.read(most_bytes)
        finally:
            response.release()


def _subjects_at(table: RoutingTable, url: str) -> set[Subject]:
    """What runs at an address."""
    models = (table.models[place] for place in table.places.get(url, ()))
    backends = (backend for model in models for backend in model.backends)
    return {Subject(url, one.engine) for one in backends if any(at.url == url for at in one.endpoints)}
