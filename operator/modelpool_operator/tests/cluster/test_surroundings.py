"""Strangers and nodes, as the watches tell of them; and what is said where the operator may not look."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from modelpool_operator.api.names import ObjectRef
from modelpool_operator.cluster import reflector
from modelpool_operator.cluster.client import Client
from modelpool_operator.cluster.reflector import following
from modelpool_operator.cluster.surroundings import STRANGERS, Surroundings
from modelpool_operator.tests.cluster.api_server import ApiServer

PODS = "/api/v1/pods"
NODE = ObjectRef("", "gpu-1")


def pod(name: str, version: int, phase: str = "Running", gpu: str = "nvidia.com/gpu") -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"namespace": "lab", "name": name, "resourceVersion": str(version)},
        "spec": {"nodeName": "gpu-1", "containers": [{"resources": {"limits": {gpu: "1"}}}]},
        "status": {"phase": phase},
    }


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reflector, "LONGEST_PAUSE", 0.001)


async def until(woken: asyncio.Event, seen: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not seen():
            woken.clear()
            await woken.wait()


async def test_strangers_and_nodes_are_followed_and_their_nodes_are_woken(server: ApiServer, client: Client) -> None:
    server.put("/api/v1/nodes", metadata={"name": "gpu-1", "namespace": "", "labels": {"nvidia.com/gpu.count": "2"}})
    events = [("ADDED", pod("a", 5)), ("ADDED", pod("b", 6)), ("ADDED", pod("c", 7, gpu="cpu"))]
    events += [("MODIFIED", pod("a", 8)), ("MODIFIED", pod("b", 9, "Succeeded"))]
    server.watches[PODS] = [[{"type": kind, "object": one} for kind, one in events]]
    around, woken, nodes = Surroundings(), asyncio.Event(), list[ObjectRef]()
    assert around.known_nodes is None, "not listed yet"

    def wake(node: ObjectRef) -> None:
        nodes.append(node)
        woken.set()

    async with following(client, around, wake):
        await until(woken, lambda: nodes.count(NODE) == 4)  # the node, a and b that came, b that ended
        assert [hold.holder for hold in around.strangers] == ["pod lab/a"]
        assert [node.labels for node in around.nodes] == [{"nvidia.com/gpu.count": "2"}]
        assert around.unseen == ""
        assert around.known_nodes == around.nodes
    (first, *_) = (one for one in server.requests if one.path == PODS)
    assert first.query["labelSelector"] == STRANGERS


async def test_what_may_not_be_looked_at_is_said_and_stops_nothing(server: ApiServer, client: Client) -> None:
    server.refuse("GET", "/api/v1/nodes", 403, "nodes is forbidden")
    around = Surroundings(["llm", "lab"])
    async with following(client, around, lambda _: None):
        assert around.known_nodes is None, "whoever needs them has to ask"
        assert around.unseen == "pools and pods outside of llm, lab are not seen; the operator may not look at nodes"
        assert (around.nodes, around.strangers) == ((), ())


@pytest.mark.parametrize("believed", [0.0, 3600.0])
async def test_who_is_denied_for_a_moment_forgets_nothing(
    server: ApiServer, client: Client, monkeypatch: pytest.MonkeyPatch, believed: float
) -> None:
    """As by an API server that has just started, and has not read its roles yet."""
    monkeypatch.setattr(reflector, "BELIEVED_SECONDS", believed)
    server.put("/api/v1/nodes", metadata={"name": "gpu-1", "namespace": "", "labels": {"nvidia.com/gpu.count": "2"}})
    around = Surroundings()
    async with following(client, around, lambda _: None):
        before = len(server.requests)
        server.refuse("GET", "/api/v1/nodes", 403, "nodes is forbidden")
        server.end_watches()
        async with asyncio.timeout(10):
            while sum(one.path == "/api/v1/nodes" for one in server.requests[before:]) < 3:
                await asyncio.sleep(0)
                if around.unseen:
                    break
        assert around.unseen == ("" if believed else "the operator may not look at nodes")
        assert [node.name for node in around.nodes] == (["gpu-1"] if believed else [])
