"""How the mirror keeps in step with an API server that ends watches, forgets, refuses and goes away."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from modelpool_operator.api.names import ObjectRef
from modelpool_operator.cluster import errors, kinds, reflector
from modelpool_operator.cluster.client import Client
from modelpool_operator.cluster.mirror import SELECTOR, Mirror
from modelpool_operator.cluster.reflector import following
from modelpool_operator.tests.cluster.api_server import ApiServer

A = ObjectRef("llm", "a")
SERVICES = kinds.child("v1", "Service")
CLAIMS = kinds.child("resource.k8s.io/v1", "ResourceClaim")
PATH = "/api/v1/services"
LABELS = {"app.kubernetes.io/managed-by": "modelpool-operator", "modelpool.dev/pool": "a"}


def put(server: ApiServer, name: str, labels: dict[str, str] | None = None) -> dict[str, Any]:
    metadata = {"name": name, "labels": LABELS if labels is None else labels}
    return server.put("/api/v1/namespaces/llm/services", apiVersion="v1", kind="Service", metadata=metadata)


def event(kind: str, name: str, version: int) -> dict[str, Any]:
    metadata = {"namespace": "llm", "name": name, "labels": LABELS, "resourceVersion": str(version)}
    return {"type": kind, "object": {"apiVersion": "v1", "kind": "Service", "metadata": metadata}}


class Followed:
    """A mirror that is being kept in step, and whom it woke."""

    def __init__(self, kind: kinds.Kind) -> None:
        self.kind = kind
        self.mirror = Mirror(kinds=[kind])
        self.woken: list[ObjectRef] = []
        self._woke = asyncio.Event()

    def wake(self, pool: ObjectRef) -> None:
        self.woken.append(pool)
        self._woke.set()

    @property
    def names(self) -> list[str]:
        return [one["metadata"]["name"] for one in self.mirror.of(self.kind, A)]

    async def until(self, seen: Callable[[], bool]) -> None:
        """Wait until it is so; it can only become so when a pool is woken."""
        async with asyncio.timeout(10):
            while not seen():
                self._woke.clear()
                await self._woke.wait()


@asynccontextmanager
async def followed(client: Client, kind: kinds.Kind = SERVICES) -> AsyncIterator[Followed]:
    one = Followed(kind)
    async with following(client, one.mirror, one.wake):
        yield one


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reflector, "LONGEST_PAUSE", 0.001)


async def test_it_begins_with_all_that_is_there(server: ApiServer, client: Client) -> None:
    put(server, "x")
    put(server, "others", {"modelpool.dev/pool": "a"})
    async with followed(client) as one:
        assert (one.names, one.woken) == (["x"], [A])
    assert server.requests[0].query["labelSelector"] == SELECTOR


async def test_events_change_it_and_wake_their_pools(server: ApiServer, client: Client) -> None:
    server.watches[PATH] = [[event("ADDED", "x", 100), event("ADDED", "y", 101), event("DELETED", "x", 102)]]
    async with followed(client) as one:
        await one.until(lambda: len(one.woken) == 3)
        assert one.names == ["y"]


async def test_an_ended_watch_goes_on_where_it_ended(server: ApiServer, client: Client) -> None:
    bookmark = {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "200"}}}
    server.watches[PATH] = [[event("ADDED", "x", 100), bookmark], [event("ADDED", "y", 201)]]
    async with followed(client) as one:
        await one.until(lambda: one.names == ["x", "y"])
    since = [request.query["resourceVersion"] for request in server.requests if request.query.get("watch")]
    lists = [request for request in server.requests if not request.query.get("watch")]
    assert (since[1], len(lists)) == ("200", 1)


async def test_a_list_that_is_old_is_made_anew_when_a_watch_ends(
    server: ApiServer, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reflector, "RELIST_SECONDS", -1.0)
    put(server, "x")
    async with followed(client) as one:
        del server.objects["/api/v1/namespaces/llm/services/x"]  # and no watch tells
        server.watches[PATH] = [[{"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "200"}}}]]
        server.end_watches()
        await one.until(lambda: len(one.woken) == 2)
        assert one.names == []


async def test_what_the_api_server_forgot_is_listed_again(server: ApiServer, client: Client) -> None:
    put(server, "x")
    gone = {"type": "ERROR", "object": {"kind": "Status", "code": 410, "message": "too old resource version"}}
    async with followed(client) as one:
        del server.objects["/api/v1/namespaces/llm/services/x"]
        server.watches[PATH] = [[gone]]
        server.end_watches()
        await one.until(lambda: len(one.woken) == 2)
        assert one.names == []


async def test_a_right_that_is_missing_is_what_passes_fail_with(server: ApiServer, client: Client) -> None:
    server.refuse("GET", PATH, 403, "services is forbidden")
    async with followed(client) as one:
        with pytest.raises(errors.DeniedError, match="services is forbidden"):
            one.mirror.of(SERVICES, A)
        put(server, "x")
        server.refusals.clear()
        await one.until(lambda: one.woken == [A])
        assert one.names == ["x"]


async def test_while_the_api_server_is_away_what_was_seen_stays(server: ApiServer, client: Client) -> None:
    put(server, "x")
    async with followed(client) as one:
        server.refuse("GET", PATH, 503, "etcd is down")
        before = len(server.requests)
        server.end_watches()
        async with asyncio.timeout(10):
            while len(server.requests) < before + 3:
                await asyncio.sleep(0)
        assert one.names == ["x"]
        server.watches[PATH] = [[event("ADDED", "y", 100)]]
        server.refusals.clear()
        await one.until(lambda: one.names == ["x", "y"])
    assert len([request for request in server.requests if not request.query.get("watch")]) == 1


async def test_a_cluster_too_old_for_a_kind_has_none_of_it(server: ApiServer, client: Client) -> None:
    server.refuse("GET", "/apis/resource.k8s.io/v1/resourceclaims", 404)
    async with followed(client, CLAIMS) as one:
        assert one.names == []


async def test_a_kind_that_every_cluster_has_must_be_there(server: ApiServer, client: Client) -> None:
    server.refuse("GET", PATH, 404)
    async with followed(client) as one:
        with pytest.raises(errors.AbsentError):
            one.mirror.of(SERVICES, A)


async def test_an_object_longer_than_any_buffer_arrives(server: ApiServer, client: Client) -> None:
    long = event("ADDED", "x", 100)
    long["object"]["metadata"]["annotations"] = {"long": "a" * 3_000_000}
    server.watches[PATH] = [[long, event("ADDED", "y", 101)]]
    async with followed(client) as one:
        await one.until(lambda: one.names == ["x", "y"])
