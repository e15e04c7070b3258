"""Asking engines whether they are ready: what is asked of which engine, and how often.

vLLM binds its port before the model is loaded in some versions and after it in others, so only 200 from /health
counts. An Ollama that runs may still lack a model, so its /api/tags is asked too. A slow answer is not a dead engine:
one that was alive becomes unready after several silent probes in a row, but at once when its port is closed.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import msgspec

from ..routing.documents import Engine
from ..routing.table import Probed, RoutingTable
from .directory import Directory
from .upstream import ConnectFailed, OutOfResources, Upstream, UpstreamError, UpstreamRequest, UpstreamResponse

UNREADY_INTERVAL: Final = 0.2
"""Seconds between probes of an engine that is not ready: bounds how long a ready engine goes unnoticed."""
READY_INTERVAL: Final = 2.0
"""Seconds between probes of a ready engine; a failed request tells of its death earlier."""
PROBE_TIMEOUT: Final = 2.0
"""Seconds one probe may take."""
SILENCES: Final = 3
"""Probes without an answer in a row before an engine that was alive counts as dead."""

_TAGS_BYTES: Final = 16 * 1024 * 1024
"""The longest list of models that is read."""


@dataclass(frozen=True, slots=True, order=True)
class Subject:
    """An address to be probed, and what runs there."""

    url: str
    engine: Engine


class _Tag(msgspec.Struct):
    name: str = ""


class _Tags(msgspec.Struct):
    models: list[_Tag] | None = None


class Prober:
    """Keeps a Directory informed until cancelled."""

    def __init__(self, directory: Directory, upstream: Upstream, *, everything: bool) -> None:
        """`everything=False` leaves vLLM to the cluster's own probes, unless a request failed there."""
        self._directory = directory
        self._upstream = upstream
        self._everything = everything
        self._changed = asyncio.Event()
        self._watchers: dict[Subject, asyncio.Task[None]] = {}
        self._hurry: dict[Subject, asyncio.Event] = {}
        directory.on_change(self._changed.set)

    async def run(self) -> None:
        """Probe until cancelled."""
        async with asyncio.TaskGroup() as group:
            places: object = None
            suspects = frozenset[str]()
            while True:
                self._changed.clear()
                table = self._directory.table
                if table.places is not places or self._directory.suspects != suspects:
                    places, suspects = table.places, self._directory.suspects
                    self._follow(set(self._subjects(table)), group)
                for subject, hurry in self._hurry.items():
                    if not self._is_content(subject):
                        hurry.set()
                await self._changed.wait()

    def _follow(self, subjects: set[Subject], group: asyncio.TaskGroup) -> None:
        for gone in self._watchers.keys() - subjects:
            self._watchers.pop(gone).cancel()
            del self._hurry[gone]
        for subject in sorted(subjects - self._watchers.keys()):
            hurry = self._hurry[subject] = asyncio.Event()
            watching = self._watch(subject, hurry)
            self._watchers[subject] = group.create_task(watching, name=f"probe {subject.url}")

    def _subjects(self, table: RoutingTable) -> Iterable[Subject]:
        suspects = self._directory.suspects
        for model in table.models:
            for backend in model.backends:
                for endpoint in backend.endpoints:
                    if self._everything or backend.engine is Engine.OLLAMA or endpoint.url in suspects:
                        yield Subject(endpoint.url, backend.engine)

    async def _watch(self, subject: Subject, hurry: asyncio.Event) -> None:
        silences = 0
        while True:
            try:
                async with asyncio.timeout(PROBE_TIMEOUT):
                    found = await self._ask(subject)
                silences = 0
            except OutOfResources:  # the engine was not asked
                await self._pause(subject, hurry)
                continue
            except ConnectFailed:
                found = Probed(alive=False)
            except (UpstreamError, TimeoutError):
                silences += 1
                known = self._directory.known(subject.url)
                found = known if known is not None and silences < SILENCES else Probed(alive=False)
            self._directory.learn(subject.url, found)
            await self._pause(subject, hurry)

    async def _pause(self, subject: Subject, hurry: asyncio.Event) -> None:
        """Wait for the next probe: long while all is well, and not at all when a request has just failed there.

        One broken connection may have been that connection's fault: an engine that lives is taken back at once.
        """
        if not self._is_content(subject):
            await asyncio.sleep(UNREADY_INTERVAL)
            return
        hurry.clear()
        enough = asyncio.get_running_loop().call_later(READY_INTERVAL, hurry.set)
        try:
            await hurry.wait()
        finally:
            enough.cancel()

    def _is_content(self, subject: Subject) -> bool:
        lacking = (subject.url, subject.engine) in self._directory.table.unready
        return not lacking and subject.url not in self._directory.suspects

    async def _ask(self, subject: Subject) -> Probed:
        match subject.engine:
            case Engine.VLLM:
                status, _ = await self._get(subject.url, "/health")
                return Probed(alive=status == 200)
            case Engine.OLLAMA:
                status, _ = await self._get(subject.url, "/api/version")
                if status != 200:
                    return Probed(alive=False)
                status, body = await self._get(subject.url, "/api/tags")
                return Probed(alive=status == 200, models=_names(body) if status == 200 else None)

    async def _get(self, url: str, path: str) -> tuple[int, bytes]:
        response: UpstreamResponse = await self._upstream.open(url, UpstreamRequest(method="GET", path=path))
        try:
            return response.head.status, await response.read(_TAGS_BYTES)
        finally:
            response.release()


def _names(body: bytes) -> frozenset[str]:
    try:
        tags = msgspec.json.decode(body, type=_Tags)
    except msgspec.MsgspecError:
        return frozenset()
    return frozenset(tag.name for tag in tags.models or ())
