"""Following an API server that behaves badly: a scripted one, because a real one cannot be made to on demand."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from modelpool_sidecar.discovery.directory import Directory
from modelpool_sidecar.discovery.sources import cluster
from modelpool_sidecar.discovery.sources.access import from_kubeconfig
from modelpool_sidecar.discovery.sources.cluster import ClusterSource
from modelpool_sidecar.tests.routing.worlds import ENGINES

from ..gateway.scenes import until
from .test_sources_objects import ROUTES, at, config_map, endpoint_slice, model_pool


class Api:
    """Lists and watches of three collections, as far as the source asks for them. One pool is there."""

    def __init__(self) -> None:
        self.items: dict[str, list[Any]] = {"configmaps": [], "modelpools": [model_pool()], "endpointslices": []}
        self.watches: dict[str, list[asyncio.Queue[bytes | None]]] = {kind: [] for kind in self.items}
        self.asked: list[str] = []
        self.accepted: dict[str, set[str]] = {}
        self.version = 5
        self.down = False

    async def handle(self, request: web.Request) -> web.StreamResponse:
        kind = request.path.rsplit("/", 1)[-1]
        watch = request.query.get("watch") == "true"
        self.asked.append(f"{'watch' if watch else 'list'} {request.path} {request.query.get('resourceVersion', '')}")
        self.accepted.setdefault(kind, set()).add(request.headers["Accept"])
        if self.down:
            return web.Response(status=500, text="etcdserver: request timed out")
        if not watch:
            return web.json_response({"metadata": {"resourceVersion": str(self.version)}, "items": self.items[kind]})
        response = web.StreamResponse()
        await response.prepare(request)
        events: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.watches[kind].append(events)
        while (data := await events.get()) is not None:
            await response.write(data)
        return response

    def tell(self, kind: str, happened: str, item: object, *, cut: bool = False) -> None:
        """Send an event to the watchers, in two pieces."""
        self.say(kind, json.dumps({"type": happened, "object": item}).encode() + b"\n", cut=cut)

    def say(self, kind: str, line: bytes, *, cut: bool = False) -> None:
        """Send any line to the watchers."""
        for events in self.watches[kind]:
            events.put_nowait(line[:10])
            events.put_nowait(line[10:])
            if cut:
                events.put_nowait(None)
        if cut:
            self.watches[kind].clear()

    def watched(self) -> bool:
        return all(self.watches.values())


@asynccontextmanager
async def followed(folder: Path, api: Api, *namespaces: str) -> AsyncIterator[Directory]:
    """A source that follows the scripted API through a kubeconfig."""
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", api.handle)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    kubeconfig = folder / "kubeconfig"
    named = [{"name": "x", "cluster": {"server": f"http://{host}:{port}"}}]
    contexts = [{"name": "x", "context": {"cluster": "x", "user": "x"}}]
    users = [{"name": "x", "user": {"token": "t"}}]
    content = {"current-context": "x", "clusters": named, "contexts": contexts, "users": users}
    kubeconfig.write_text(json.dumps(content))
    directory = Directory()
    async with asyncio.TaskGroup() as group:
        source = ClusterSource(directory, ENGINES, access=lambda: from_kubeconfig((kubeconfig,)), namespaces=namespaces)
        task = group.create_task(source.run(), name="source")
        try:
            yield directory
        finally:
            task.cancel()
            await runner.cleanup()


def names(directory: Directory) -> list[tuple[str, bool]]:
    return [(model.name, model.ready) for model in directory.table.models]


async def test_routes_and_readiness_follow_the_cluster(tmp_path: Path) -> None:
    api = Api()
    api.items["configmaps"] = [config_map()]
    async with followed(tmp_path, api) as directory:
        await until(api.watched, seen=lambda: api.asked)
        await until(lambda: names(directory) == [("qwen3:8b", False)], seen=lambda: names(directory))
        assert "watch /api/v1/configmaps 5" in api.asked
        assert "watch /apis/discovery.k8s.io/v1/endpointslices 5" in api.asked
        api.tell("endpointslices", "ADDED", endpoint_slice(at("10.0.0.1", ready=True)))
        took = await until(lambda: names(directory) == [("qwen3:8b", True)], seen=lambda: names(directory))
        assert took < 0.5
        more = ROUTES | {"models": [{"name": "other", "backends": []}]}
        api.tell("configmaps", "MODIFIED", config_map(more))
        await until(lambda: names(directory) == [("other", False)], seen=lambda: names(directory))
        api.tell("configmaps", "DELETED", config_map(more))
        await until(lambda: names(directory) == [], seen=lambda: names(directory))


async def test_what_cannot_be_taken_over_is_tried_again_when_it_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """And not again and again, also where trouble is to be told of that was found before."""
    tries = 0

    def raises(*_: object) -> None:
        nonlocal tries
        tries += 1
        raise RuntimeError("a bug")

    api = Api()
    api.items["configmaps"] = [config_map("no routes")]
    async with followed(tmp_path, api) as directory:
        await until(lambda: api.watched() and directory.loaded, seen=lambda: api.asked)
        monkeypatch.setattr(cluster, "snapshot", raises)
        await until(lambda: tries, seen=lambda: caplog.messages)  # once the trouble has lasted
        await asyncio.sleep(0.5)  # in which nothing changes
        assert tries == 1
        api.tell("configmaps", "MODIFIED", config_map(version="7"))
        await until(lambda: tries == 2, seen=lambda: tries)


async def test_a_watch_that_ends_goes_on_from_its_last_version(tmp_path: Path) -> None:
    api = Api()
    api.items["configmaps"] = [config_map()]
    async with followed(tmp_path, api, "llm") as directory:
        await until(lambda: api.watched() and directory.loaded, seen=lambda: api.asked)
        api.tell("configmaps", "BOOKMARK", {"metadata": {"resourceVersion": "41"}}, cut=True)
        await until(lambda: "watch /api/v1/namespaces/llm/configmaps 41" in api.asked, seen=lambda: api.asked)
        assert api.asked.count("list /api/v1/namespaces/llm/configmaps ") == 1
        assert names(directory) == [("qwen3:8b", False)]


async def test_a_forgotten_version_is_listed_again(tmp_path: Path) -> None:
    api = Api()
    async with followed(tmp_path, api) as directory:
        await until(api.watched, seen=lambda: api.asked)
        api.items["configmaps"] = [config_map()]
        api.tell("configmaps", "ERROR", {"kind": "Status", "code": 410, "message": "too old"})
        await until(lambda: names(directory) == [("qwen3:8b", False)], seen=lambda: api.asked)


async def test_while_the_api_is_away_the_last_table_holds(tmp_path: Path) -> None:
    api = Api()
    api.items["configmaps"] = [config_map()]
    async with followed(tmp_path, api) as directory:
        await until(lambda: api.watched() and directory.loaded, seen=lambda: api.asked)
        api.down = True
        api.tell("configmaps", "BOOKMARK", {"metadata": {"resourceVersion": "41"}}, cut=True)
        asked = len(api.asked)
        await until(lambda: len(api.asked) >= asked + 3, seen=lambda: api.asked)
        assert names(directory) == [("qwen3:8b", False)]
        api.items["configmaps"], api.down = [], False
        await until(lambda: names(directory) == [], seen=lambda: api.asked)
