"""Asking engines whether they are ready: what is asked of which engine, and how often.

vLLM binds its port before the model is loaded in some versions and after it in others, so only 200 from /health
counts. An Ollama that runs may still lack a model, so its /api/tags is asked too. A slow answer is not a dead engine:
one that was alive becomes unready after several silent probes in a row, but at once when nobody listens.

Whatever an engine sends, who watches it lives on: what cannot be understood is unready.
"""

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import msgspec

from ..http.client.response import Client, ClientError, ClientRequest, ClientResponse, NobodyThere, OutOfResources
from ..routing.documents import Engine
from ..routing.table import Probed, RoutingTable, folded
from ..routing.urls import shown
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

_TAGS_BYTES: Final = 4 * 1024 * 1024
"""The longest list of models that is read; Ollama writes some 400 bytes of each."""
_SMALL_BYTES: Final = 64 * 1024
"""A longer list is read in a thread, because callers would wait for it."""
_STATUS_BYTES: Final = 64 * 1024
"""The most that is read of an answer of which only the status counts."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, order=True)
class Subject:
    """An address to be probed, and what runs there."""

    url: str
    engine: Engine


class _Tag(msgspec.Struct, gc=False):
    name: str = ""


class _Tags(msgspec.Struct):
    models: list[_Tag] | None = None


_decode = msgspec.json.Decoder(_Tags).decode


class Prober:
    """Keeps a Directory informed until cancelled."""

    def __init__(self, directory: Directory, upstream: Client, *, everything: bool) -> None:
        """`everything=False` leaves vLLM to the cluster's own probes, unless something makes it a suspect."""
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
        if not any(Subject(url, engine) in self._watchers for engine in Engine):
            self._directory.suspect(url)

    def _suspected(self, url: str) -> None:
        for engine in Engine:
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
        for url in self._directory.suspects:
            yield from _subjects_at(table, url)

    def _is_watched(self, engine: Engine) -> bool:
        """Whether it is asked all the time."""
        return self._everything or engine is Engine.OLLAMA

    async def _watch(self, subject: Subject, hurry: asyncio.Event) -> None:
        url, silences = subject.url, 0
        while True:
            hurry.clear()
            suspicion = self._directory.suspicion(url)
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
            if not self._is_watched(subject.engine) and url not in self._directory.suspects:
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
        is_suspect = subject.url in self._directory.suspects
        soon = UNREADY_INTERVAL if is_suspect else READY_INTERVAL
        enough = asyncio.get_running_loop().call_later(soon, hurry.set)
        try:
            await hurry.wait()
        finally:
            enough.cancel()

    def _is_content(self, subject: Subject) -> bool:
        return (subject.url, subject.engine) not in self._directory.table.unready

    async def _ask(self, subject: Subject) -> Probed:
        match subject.engine:
            case Engine.VLLM:
                status, _ = await self._get(subject.url, "/health", _STATUS_BYTES)
                return Probed(alive=status == 200)
            case Engine.OLLAMA:
                status, _ = await self._get(subject.url, "/api/version", _STATUS_BYTES)
                if status != 200:
                    return Probed(alive=False)
                status, body = await self._get(subject.url, "/api/tags", _TAGS_BYTES)
                if status != 200:
                    return Probed(alive=False)
                names = _names(body) if len(body) <= _SMALL_BYTES else await asyncio.to_thread(_names, body)
                return Probed(alive=True, models=names)

    async def _get(self, url: str, path: str, most_bytes: int) -> tuple[int, bytes]:
        response: ClientResponse = await self._upstream.open(url, ClientRequest(method="GET", path=path))
        try:
            return response.head.status, await response.read(most_bytes)
        finally:
            response.release()


def _subjects_at(table: RoutingTable, url: str) -> set[Subject]:
    """What runs at an address."""
    models = (table.models[place] for place in table.places.get(url, ()))
    backends = (backend for model in models for backend in model.backends)
    return {Subject(url, one.engine) for one in backends if any(at.url == url for at in one.endpoints)}


def _names(body: bytes) -> frozenset[str]:
    """The models of a list, as `folded`. Raises what a decoder raises when it is none."""
    return frozenset(folded(tag.name) for tag in _decode(body).models or ())
