"""A stand-in for the API server on a loopback socket: stores what it is sent and keeps a record of every request.

It merges nothing and validates nothing; what server-side apply means is proved on a real API server, in `e2e/cases`.
"""

import asyncio
import contextlib
import copy
import itertools
import json
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from aiohttp import web
from kubernetes.aio.client import Configuration

from modelpool_operator.cluster import connecting, kinds
from modelpool_operator.cluster.client import Client
from modelpool_operator.telemetry.metrics import Metrics

_KINDS: Final = (kinds.POOLS, kinds.PODS, kinds.NODES, kinds.RESOURCE_SLICES, kinds.DEVICE_CLASSES)
_OTHERS: Final = (kinds.RUNTIME_CLASSES, kinds.ENDPOINT_SLICES, kinds.EVENTS)
COLLECTIONS: Final = {kind.plural for kind in (*_KINDS, *_OTHERS, *kinds.CHILDREN)}


@dataclass
class Request:
    """One request as it came in."""

    verb: str
    path: str
    query: dict[str, str]
    body: Any = None


@dataclass
class ApiServer:
    """Objects by path, plus answers that a test wants instead."""

    objects: dict[str, dict[str, Any]] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    refusals: dict[tuple[str, str], tuple[int, Any]] = field(default_factory=dict)
    """Status and body instead of an answer, by verb and path."""
    texts: dict[str, str] = field(default_factory=dict)
    """Plain answers, such as logs, by path."""
    watches: dict[str, list[list[dict[str, Any]]]] = field(default_factory=dict)
    """What one watch of a collection after the other tells before it ends, by path; later ones tell nothing."""
    hangs: set[str] = field(default_factory=set)
    """Paths where no answer comes."""
    url: str = ""
    _ended: asyncio.Event = field(default_factory=asyncio.Event)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def put(self, path: str, **body: Any) -> dict[str, Any]:
        """Store an object at a collection's path, with a uid, and return it."""
        metadata = {"namespace": "llm", "uid": f"uid-{next(self._numbers)}", "generation": 1, **body.pop("metadata")}
        metadata.setdefault("resourceVersion", str(next(self._numbers)))
        stored = {**body, "metadata": metadata}
        self.objects[f"{path}/{metadata['name']}"] = stored
        return stored

    def refuse(self, verb: str, path: str, status: int, message: str = "no", **said: Any) -> None:
        """Answer a request with a Status from now on."""
        self.refusals[verb, path] = (status, {"kind": "Status", "message": message, **said})

    @property
    def writes(self) -> list[tuple[str, str]]:
        """Verb and path of all requests but the reading ones."""
        return [(request.verb, request.path) for request in self.requests if request.verb != "GET"]

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        text = await request.text()
        seen = Request(request.method, request.path, dict(request.query), json.loads(text) if text else None)
        self.requests.append(seen)
        if seen.path in self.hangs:
            await self._ended.wait()
        if (seen.verb, seen.path) in self.refusals:
            status, said = self.refusals[seen.verb, seen.path]
            return web.json_response(said, status=status)
        if seen.query.get("watch"):
            return await self._watch(request)
        if seen.path in self.texts:
            return web.Response(text=self.texts[seen.path])
        return getattr(self, f"_{seen.verb.lower()}")(seen)  # type: ignore[no-any-return]

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        told = self.watches.get(request.path)
        if told:
            for event in told.pop(0):
                await response.write(json.dumps(event).encode() + b"\n")
        else:
            await self._ended.wait()
        return response

    def end_watches(self) -> None:
        """End those that tell nothing."""
        self._ended.set()

    def _get(self, request: Request) -> web.Response:
        if request.path in self.objects:
            return web.json_response(self.objects[request.path])
        if request.path.rpartition("/")[2] not in COLLECTIONS:
            return self._absent()
        items = [
            thing
            for path, thing in self.objects.items()
            if request.path in (folder := path.rpartition("/")[0], re.sub("/namespaces/[^/]+", "", folder))
        ]
        wanted = dict(term.split("=") for term in request.query.get("labelSelector", "").split(",") if "=" in term)
        items = [thing for thing in items if wanted.items() <= (thing["metadata"].get("labels") or {}).items()]
        there = {term for term in request.query.get("labelSelector", "").split(",") if term and "=" not in term}
        items = [thing for thing in items if there <= (thing["metadata"].get("labels") or {}).keys()]
        fields = [term.split("=") for term in request.query.get("fieldSelector", "").split(",") if term]
        items = [thing for thing in items if all(_field(thing, path) == value for path, value in fields)]
        start = int(request.query.get("continue", 0))
        limit = int(request.query["limit"])
        more = {"continue": str(start + limit)} if start + limit < len(items) else {}
        bare = [{key: value for key, value in thing.items() if key not in ("apiVersion", "kind")} for thing in items]
        version = {"resourceVersion": str(next(self._numbers))}
        return web.json_response({"metadata": {**more, **version}, "items": bare[start : start + limit]})

    def _patch(self, request: Request) -> web.Response:
        path = request.path.removesuffix("/status")
        if isinstance(request.body, list):
            return self._json_patch(path, request.body)
        if path != request.path and path not in self.objects:
            return self._absent()
        if path in self.objects and "resourceVersion" in request.body["metadata"]:
            return web.json_response({"kind": "Status", "message": "the object has been modified"}, status=409)
        number = next(self._numbers)
        old = self.objects.get(path, {"metadata": {"uid": f"uid-{number}"}})
        merged = {**old["metadata"], **request.body["metadata"], "resourceVersion": str(number)}
        self.objects[path] = {**old, **request.body, "metadata": merged}
        return web.json_response(self.objects[path])

    def _json_patch(self, path: str, patch: list[dict[str, Any]]) -> web.Response:
        if path not in self.objects:
            return self._absent()
        changed = copy.deepcopy(self.objects[path])
        for one in patch:
            *way, last = (part.replace("~1", "/").replace("~0", "~") for part in one["path"].split("/")[1:])
            place: Any = changed
            for step in way:
                place = place[int(step)] if isinstance(place, list) else place[step]
            if last == "resourceVersion" and place.get(last) != one["value"]:
                return web.json_response({"kind": "Status", "message": "the object has been modified"}, status=409)
            if one["op"] == "remove":
                del place[last]
            else:
                place[last] = one["value"]
        changed["metadata"]["resourceVersion"] = str(next(self._numbers))
        self.objects[path] = changed
        return web.json_response(changed)

    def _delete(self, request: Request) -> web.Response:
        if request.path not in self.objects:
            return self._absent()
        if self.objects[request.path]["metadata"]["uid"] != request.body["preconditions"]["uid"]:
            return web.json_response({"kind": "Status", "message": "uid differs"}, status=409)
        del self.objects[request.path]
        return web.json_response({"kind": "Status", "status": "Success"})

    def _post(self, request: Request) -> web.Response:
        if "name" in request.body["metadata"]:
            path = f"{request.path}/{request.body['metadata']['name']}"
            if path in self.objects:
                return web.json_response({"kind": "Status", "message": "already exists"}, status=409)
            return web.json_response(self.put(request.path, **copy.deepcopy(request.body)), status=201)
        return web.json_response(request.body, status=201)

    @staticmethod
    def _absent() -> web.Response:
        return web.json_response({"kind": "Status", "message": "not found", "reason": "NotFound"}, status=404)


def _field(thing: Any, path: str) -> Any:
    for step in path.split("."):
        thing = thing.get(step, {})
    return thing


@contextlib.asynccontextmanager
async def running() -> AsyncIterator[ApiServer]:
    """Serve on a free port of the loopback interface."""
    server = ApiServer()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield server
    finally:
        server.end_watches()
        await runner.cleanup()


@contextlib.asynccontextmanager
async def client_of(server: ApiServer, metrics: Metrics) -> AsyncIterator[Client]:
    """Connect to the stand-in as to a cluster."""
    configuration = Configuration(host=server.url)
    configuration.client_session_kwargs = {"trust_env": False}
    async with connecting.connected(configuration, metrics) as client:
        yield client


def kubeconfig_of(server: ApiServer, folder: Path) -> Path:
    """Write a kubeconfig that leads to the stand-in."""
    path = folder / "kubeconfig"
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "test",
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
        "clusters": [{"name": "test", "cluster": {"server": server.url}}],
        "users": [{"name": "test", "user": {"token": "secret"}}],
    }
    path.write_text(json.dumps(document))
    return path
