"""What engines themselves say of the models that they hold, asked for when a caller asks.

For an engine that has Ollama's calls about models (`Profile.tells_of_models`) the routes know only names, and what it
holds at the moment, and until when, changes with each request. It is asked on the connections of probes, and what it
does not answer in time is told from the routes.

An engine is not trusted: what it says concerns the models that the routes place there, is short, and can be written.
"""

import asyncio
import logging
import time
from collections.abc import Iterator, Mapping
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from ..dialects.bodies import RequestBody
from ..dialects.calls import Call
from ..dialects.dialect import Operation
from ..engines.registry import Profiles
from ..http import headers
from ..http.client.connection import ClientConnection
from ..http.client.errors import ClientError
from ..http.client.pool import ConnectionPool
from ..http.client.request_sender import ClientRequest
from ..http.inline_task import in_task
from ..http.urls import shown
from ..routing.table import Backend, Model, RoutingTable, folded
from . import forwarded_headers, relay, transforms
from .context import RequestContext
from .relay import Whole

_DEADLINE: Final = 2.0
"""Seconds that an engine may take to say it: all callers of a list wait for the slowest."""
_OK: Final = 200
_UNASKED: Final = 10.0
"""Seconds for which an engine is not asked again that has let callers wait in vain."""
_AT_ONCE: Final = 64
"""Lists that are read at once, by all callers together."""
_LIST_BYTES: Final = 1024 * 1024
"""Ollama writes some 400 bytes of each model."""
_ENTRY_BYTES: Final = 8 * 1024
"""The most that is told of a model, by each of its names."""
_SPOOL_BYTES: Final = 1024 * 1024
"""What of `/api/show` is held back; a verbose one, with all words of the model's tokenizer, goes on as it comes."""
_SMALL_BYTES: Final = 64 * 1024
"""A longer list is read in a thread, because callers would wait for it, and is not kept."""
LISTS: Final = frozenset({Operation.LIST_MODELS, Operation.LIST_RESIDENT})
"""Calls that ask for all models."""

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
        self._silent: dict[str, float] = {}
        """Until when an engine is not asked, on the clock of `time.monotonic`."""
        self._room = asyncio.Semaphore(_AT_ONCE)

    async def facts(self, call: Call, table: RoutingTable, asked: str) -> Mapping[str, Facts]:
        """For a list, or a model of OpenAI's or Anthropic's API: what engines say of models, by the models' names.

        Of models in memory for `/api/ps`, else of those on disk.
        """
        if call.operation in LISTS:
            models = table.models
        elif call.operation is Operation.SHOW_MODEL:
            found = table.find(asked)
            models = () if found is None else (found,)
        else:
            return NOTHING
        if not self._are_there(table):
            return NOTHING
        resident = call.operation is Operation.LIST_RESIDENT
        places = {model.name: self._places(model, resident=resident) for model in models}
        urls = sorted({url for backends in places.values() for url, _ in backends})
        if not urls:
            return NOTHING
        lists = await self._lists(urls, "/api/ps" if resident else "/api/tags")
        by_name: dict[str, Facts] = {}
        for name, backends in places.items():
            for url, served in backends:
                facts = lists[url].get(folded(served))
                if facts is not None:
                    by_name[name] = facts
                    break
        return by_name

    async def show(self, context: RequestContext, model: Model, asked: RequestBody) -> bool:
        """Answer `/api/show` as the model's engine does. False where that has no such call, or does not answer."""
        for url, served in self._places(model, resident=False):
            body = msgspec.json.encode({"model": served, "verbose": _is_verbose(asked)})
            lines = headers.lines([("Content-Type", "application/json")])
            response = await self._asked(url, ClientRequest(method="POST", path="/api/show", lines=lines, body=body))
            if response is None:
                continue
            try:
                said = await self._read_of(url, response, _SPOOL_BYTES)
                if said is None:
                    continue
                if response.whole:
                    kept = forwarded_headers.kept(response.head)
                    relay.whole(context, Whole(status=response.head.status, lines=kept, body=said))
                else:
                    await relay.stream(context, response, transforms.Opaque(), begun=said)
                return True
            finally:
                response.release()
        return False

    def _are_there(self, table: RoutingTable) -> bool:
        """Whether any model of the table stands at an engine that has the calls: looked up once for a table."""
        if table is not self._table:
            self._table = table
            self._read.clear()
            self._silent.clear()
            self._any = any(self._tells(backend) for model in table.models for backend in model.backends)
        return self._any

    def _tells(self, backend: Backend) -> bool:
        return self._profiles[backend.engine].tells_of_models

    def _places(self, model: Model, *, resident: bool) -> tuple[tuple[str, str], ...]:
        """Where to ask about a model, and its name there, best first.

        What a model is, its preferred engine says; what is in memory may also be at one that stands in.
        """
        now = time.monotonic()
        backends: Iterator[Backend] = iter(model.backends if resident else model.backends[:1])
        return tuple(
            (endpoint.url, backend.model)
            for backend in backends
            if self._tells(backend)
            for endpoint in backend.ready_endpoints
            if self._silent.get(endpoint.url, 0.0) < now
        )

    async def _lists(self, urls: list[str], path: str) -> dict[str, Mapping[str, Facts]]:
        await in_task()
        async with asyncio.TaskGroup() as group:
            asking = {url: group.create_task(self._list(url, path), name=f"models of {shown(url)}") for url in urls}
        return {url: task.result() for url, task in asking.items()}

    async def _list(self, url: str, path: str) -> Mapping[str, Facts]:
        async with self._room:
            response = await self._asked(url, ClientRequest(method="GET", path=path))
            if response is None:
                return NOTHING
            try:
                said = await self._read_of(url, response, _LIST_BYTES)
                if said is None or not response.whole:
                    return NOTHING
            finally:
                response.release()
            known, found = self._read.get((url, path), (b"", NOTHING))
            if said == known:
                return found
            try:
                if len(said) > _SMALL_BYTES:
                    return await asyncio.to_thread(by_name, said)
                found = by_name(said)
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as odd:
                _log.warning("Could not understand an engine", extra={"url": shown(url), "error": str(odd)})
                return NOTHING
            self._read[url, path] = said, found
            return found

    async def _asked(self, url: str, request: ClientRequest) -> ClientConnection | None:
        """An answer of 200 that has begun, to be released. What else there is, the prober finds too, and tells."""
        await in_task()
        try:
            async with asyncio.timeout(_DEADLINE):
                response = await self._upstream.open(url, request)
        except ClientError as unreached:
            _log.info("Could not ask an engine about its models", extra={"url": shown(url), "error": str(unreached)})
            return None
        except TimeoutError:
            self._fell_silent(url)
            return None
        if response.head.status == _OK:
            return response
        response.release()
        return None

    async def _read_of(self, url: str, response: ClientConnection, most: int) -> bytes | None:
        """The body as far as `most`; None where it does not come."""
        try:
            async with asyncio.timeout(_DEADLINE):
                return await response.read(most)
        except ClientError as broken:
            _log.info("An engine broke off", extra={"url": shown(url), "error": str(broken)})
        except TimeoutError:
            self._fell_silent(url)
        return None

    def _fell_silent(self, url: str) -> None:
        self._silent[url] = time.monotonic() + _UNASKED
        _log.warning("An engine says nothing of its models", extra={"url": shown(url), "seconds": _DEADLINE})


_Scalar = str | Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)] | float | bool | None
_Value = _Scalar | list[_Scalar] | dict[str, _Scalar | list[_Scalar]]


class _Asked(msgspec.Struct):
    verbose: object = None


class _List(msgspec.Struct):
    models: list[dict[str, _Value]] | None = None


_ASKED: Final = msgspec.json.Decoder(_Asked).decode
_DECODE: Final = msgspec.json.Decoder(_List).decode


def by_name(body: bytes) -> dict[str, Facts]:
    """The models of a list, by their `folded` names. Raises what a decoder raises when it is none."""
    found: dict[str, Facts] = {}
    for one in _DECODE(body).models or ():
        name = one.get("name")
        if isinstance(name, str) and len(msgspec.json.encode(one)) <= _ENTRY_BYTES:
            found[folded(name)] = one
    return found


def _is_verbose(asked: RequestBody) -> bool:
    """Whether a request asks for everything. One that is long, or that only Go reads, does not."""
    try:
        return asked.light and _ASKED(asked.content).verbose is True
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
