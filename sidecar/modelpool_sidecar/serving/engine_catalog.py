"""What engines themselves say of the models that they hold, asked for when a caller asks.

For an engine that has Ollama's calls about models (`Profile.tells_of_models`) the routes know only names, and what it
holds at the moment, and until when, changes with each request. It is asked on the connections of probes, and what it
does not answer in time is told from the routes.
"""

import asyncio
import logging
from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from ..dialects.answer import Answer
from ..dialects.bodies import RequestBody
from ..dialects.calls import Call
from ..dialects.dialect import Operation
from ..engines.registry import Profiles
from ..http import headers
from ..http.client.errors import ClientError
from ..http.client.pool import ConnectionPool
from ..http.client.request_sender import ClientRequest
from ..http.inline_task import in_task
from ..http.urls import shown
from ..routing.table import Backend, Model, RoutingTable, folded

_PATIENCE: Final = 2.0
"""Seconds that an engine may take to say it: all callers of a list wait for the slowest."""
_LIST_BYTES: Final = 4 * 1024 * 1024
_SHOW_BYTES: Final = 32 * 1024 * 1024
"""A verbose answer has all words of the model's tokenizer, and what merges them."""
_SMALL_BYTES: Final = 64 * 1024
"""A longer list is read in a thread, because callers would wait for it."""

Facts = Mapping[str, object]
NOTHING: Final[Mapping[str, Facts]] = {}

_log = logging.getLogger(__name__)


class EngineCatalog:
    """Asks engines about their models. One per gateway."""

    def __init__(self, upstream: ConnectionPool, profiles: Profiles) -> None:
        self._upstream = upstream
        self._profiles = profiles
        self._table: RoutingTable | None = None
        self._any = False
        self._read: dict[tuple[str, str], tuple[bytes, Mapping[str, Facts]]] = {}
        """What was read last of an engine's lists, as long as the table is the same."""

    async def told(self, call: Call, table: RoutingTable, asked: str) -> Mapping[str, Facts]:
        """For a list, or a model of OpenAI's or Anthropic's API: what engines say of models, by the models' names.

        Of models in memory for `/api/ps`, else of those on disk.
        """
        if not self._are_there(table):
            return NOTHING
        resident = call.operation is Operation.LIST_RESIDENT
        if call.operation is Operation.SHOW_MODEL:
            found = table.find(asked)
            models: tuple[Model, ...] = () if found is None else (found,)
        else:
            models = table.models
        places = {model.name: self._places(model, resident=resident) for model in models}
        urls = sorted({url for backends in places.values() for url, _ in backends})
        if not urls:
            return NOTHING
        lists = await self._lists(urls, "/api/ps" if resident else "/api/tags")
        told: dict[str, Facts] = {}
        for name, backends in places.items():
            for url, served in backends:
                facts = lists[url].get(folded(served))
                if facts is not None:
                    told[name] = facts
                    break
        return told

    async def shown(self, model: Model, asked: RequestBody) -> Answer | None:
        """What the engine says to `/api/show`; None where the model's engine has no such call, or does not answer."""
        for url, served in self._places(model, resident=False):
            verbose = asked.light and _ASKED(asked.content).verbose is True
            body = msgspec.json.encode({"model": served, "verbose": verbose})
            lines = headers.lines([("Content-Type", "application/json")])
            said = await self._asked(url, ClientRequest(method="POST", path="/api/show", lines=lines, body=body))
            if said is not None:
                return Answer(body=said)
        return None

    def _are_there(self, table: RoutingTable) -> bool:
        """Whether any model of the table stands at an engine that has the calls: looked up once for a table."""
        if table is not self._table:
            self._table = table
            self._read.clear()
            self._any = any(self._tells(backend) for model in table.models for backend in model.backends)
        return self._any

    def _tells(self, backend: Backend) -> bool:
        return self._profiles[backend.engine].tells_of_models

    def _places(self, model: Model, *, resident: bool) -> tuple[tuple[str, str], ...]:
        """Where to ask about a model, and its name there, best first.

        What a model is, its preferred engine says; what is in memory may also be at one that stands in.
        """
        backends: Iterator[Backend] = iter(model.backends if resident else model.backends[:1])
        return tuple(
            (endpoint.url, backend.model)
            for backend in backends
            if self._tells(backend)
            for endpoint in backend.ready_endpoints
        )

    async def _lists(self, urls: list[str], path: str) -> dict[str, Mapping[str, Facts]]:
        await in_task()
        async with asyncio.TaskGroup() as group:
            asking = {url: group.create_task(self._list(url, path), name=f"models of {shown(url)}") for url in urls}
        return {url: task.result() for url, task in asking.items()}

    async def _list(self, url: str, path: str) -> Mapping[str, Facts]:
        said = await self._asked(url, ClientRequest(method="GET", path=path), most=_LIST_BYTES)
        if said is None:
            return NOTHING
        known, found = self._read.get((url, path), (b"", NOTHING))
        if said == known:
            return found
        try:
            found = by_name(said) if len(said) <= _SMALL_BYTES else await asyncio.to_thread(by_name, said)
            self._read[url, path] = said, found
            return found
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as odd:
            _log.warning("Could not understand an engine", extra={"url": shown(url), "error": str(odd)})
            return NOTHING

    async def _asked(self, url: str, request: ClientRequest, *, most: int = _SHOW_BYTES) -> bytes | None:
        """The body of an answer of 200. What else there is, the prober finds too, and tells."""
        await in_task()
        try:
            async with asyncio.timeout(_PATIENCE):
                response = await self._upstream.open(url, request)
                try:
                    body = await response.read(most)
                    return body if response.head.status == 200 and response.whole else None
                finally:
                    response.release()
        except (ClientError, TimeoutError) as silent:
            _log.info("Could not ask an engine about its models", extra={"url": shown(url), "error": str(silent)})
            return None


class _Asked(msgspec.Struct):
    verbose: object = None


class _List(msgspec.Struct):
    models: list[dict[str, object]] | None = None


_ASKED: Final = msgspec.json.Decoder(_Asked).decode
_DECODE: Final = msgspec.json.Decoder(_List).decode


def by_name(body: bytes) -> dict[str, Facts]:
    """The models of a list, by their `folded` names. Raises what a decoder raises when it is none."""
    return {folded(name): one for one in _DECODE(body).models or () if isinstance(name := one.get("name"), str)}
