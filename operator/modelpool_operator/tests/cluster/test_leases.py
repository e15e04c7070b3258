"""Which of several operators is at work."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from modelpool_operator.api.names import ObjectRef
from modelpool_operator.cluster import errors, kinds, leases, seats
from modelpool_operator.cluster.client import Client
from modelpool_operator.cluster.leases import LostError, Record, Seat, Sight
from modelpool_operator.cluster.seats import Elsewhere, fence_of, holding, problem_of
from modelpool_operator.tests.cluster.api_server import ApiServer

REF = ObjectRef("llm", "modelpool-operator")
FOLDER = "/apis/coordination.k8s.io/v1/namespaces/llm/leases"
PATH = f"{FOLDER}/modelpool-operator"


class Clock:
    """Seconds that a test sets, beside those that pass."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return asyncio.get_running_loop().time() + self.ahead


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "RETRY", 0.02)
    monkeypatch.setattr(leases, "RENEW", 0.02)
    monkeypatch.setattr(seats, "RENEW", 0.02)
    monkeypatch.setattr(leases, "DEADLINE", 0.5)


def seat(client: Client, identity: str, clock: Clock, namespace: str = "llm") -> Seat:
    return Seat(
        client=client, ref=ObjectRef(namespace, REF.name), identity=identity, clock=clock, now=lambda: datetime.now(UTC)
    )


def holder(server: ApiServer) -> Any:
    return server.objects[PATH]["spec"]["holderIdentity"]


async def until(look: Callable[[], Any]) -> None:
    async with asyncio.timeout(5):
        while not look():
            await asyncio.sleep(0.01)


def record(holder: str, renewed: str = "1") -> Record:
    return Record(holder=holder, renewed=renewed, version="1", duration=15, transitions=0)


def test_a_holder_is_alive_until_no_renewal_was_seen_for_the_duration_whatever_the_clocks_say() -> None:
    sight = Sight()
    assert sight.look(record("a"), 100)
    assert sight.look(record("a"), 115)
    assert not sight.look(record("a"), 115.1)
    assert sight.look(record("a", "2"), 116)
    assert sight.look(record("b", "2"), 200)
    assert not sight.look(record("", "3"), 201), "given up"


async def test_one_works_and_the_other_waits_and_says_for_whom(server: ApiServer, client: Client) -> None:
    clock = Clock()
    first, second = seat(client, "first", clock), seat(client, "second", clock)
    assert second.problem
    began = asyncio.Event()

    async def wait() -> None:
        async with holding([second]):
            began.set()

    async with asyncio.TaskGroup() as tasks:
        async with holding([first]):
            assert (first.problem, holder(server)) == (None, "first")
            tasks.create_task(wait(), name="second")
            await until(lambda: "'first' holds the Lease llm/modelpool-operator" in (second.problem or ""))
            renewed = server.objects[PATH]["spec"]["renewTime"]
            await until(lambda: server.objects[PATH]["spec"]["renewTime"] != renewed)
            assert not began.is_set()
        await until(began.is_set)
    assert server.objects[PATH]["spec"]["leaseTransitions"] == 1
    assert holder(server) == "", "given up at once at the end"


async def test_a_lease_that_nobody_renews_is_taken(server: ApiServer, client: Client) -> None:
    clock = Clock()
    spec = {"holderIdentity": "dead", "leaseDurationSeconds": 15, "renewTime": "2026-11-30T00:00:00.000000Z"}
    server.put(FOLDER, metadata={"name": REF.name}, spec=spec)
    mine = seat(client, "mine", clock)
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(mine.acquire(), name="mine")
        await until(lambda: "'dead'" in (mine.problem or ""))
        assert not task.done()
        clock.ahead = 15.5
    assert holder(server) == "mine"


async def test_who_finds_another_one_in_its_place_stops(server: ApiServer, client: Client) -> None:
    stopped = False
    with pytest.raises(ExceptionGroup) as failed:
        async with asyncio.timeout(5), holding([seat(client, "mine", Clock())]):
            server.objects[PATH]["spec"]["holderIdentity"] = "other"
            server.objects[PATH]["metadata"]["resourceVersion"] = "9999"
            try:
                await asyncio.sleep(60)
            finally:
                stopped = True
    assert stopped
    assert failed.value.subgroup(LostError) is not None
    assert holder(server) == "other"


async def test_who_cannot_renew_writes_nothing_until_it_can(server: ApiServer, client: Client) -> None:
    clock = Clock()
    mine = seat(client, "mine", clock)
    async with holding([mine]):
        client.fence = fence_of([mine])
        server.refuse("PATCH", PATH, 503, "later")
        clock.ahead = 1
        with pytest.raises(errors.UnreachableError, match="was not renewed"):
            await client.create(kinds.EVENTS, {"metadata": {"namespace": "llm", "generateName": "x."}})
        assert {path for verb, path in server.writes} <= {FOLDER, PATH}
        server.refusals.clear()
        await until(lambda: mine.stale() is None)
        await client.create(kinds.EVENTS, {"metadata": {"namespace": "llm", "generateName": "x."}})


async def test_a_lease_that_somebody_deletes_is_made_again(server: ApiServer, client: Client) -> None:
    async with holding([seat(client, "mine", Clock())]):
        del server.objects[PATH]
        await until(lambda: PATH in server.objects)
        assert holder(server) == "mine"


async def test_somebody_elses_edit_of_the_lease_costs_nothing(server: ApiServer, client: Client) -> None:
    async with holding([seat(client, "mine", Clock())]):
        server.objects[PATH]["metadata"] |= {"resourceVersion": "9999", "annotations": {"a": "b"}}
        await until(lambda: server.objects[PATH]["metadata"]["resourceVersion"] != "9999")
    assert holder(server) == ""


async def test_an_operator_for_all_leaves_a_namespace_to_its_own_as_long_as_that_one_lives(
    server: ApiServer, client: Client
) -> None:
    clock = Clock()
    own = seat(client, "all", clock, "kube-system")
    own.problem = None
    elsewhere = Elsewhere(client, own=[own], clock=clock)
    assert await elsewhere.holder("kube-system") is None
    assert await elsewhere.holder("llm") is None
    server.put(FOLDER, metadata={"name": REF.name}, spec={"holderIdentity": "team", "renewTime": "1"})
    assert await elsewhere.holder("llm") is None, "asked a moment ago"
    clock.ahead += 1
    assert await elsewhere.holder("llm") == "team"
    clock.ahead += 16
    assert await elsewhere.holder("llm") is None, "not renewed"
    server.objects[PATH]["spec"]["renewTime"] = "2"
    clock.ahead += 1
    assert await elsewhere.holder("llm") == "team"


def event(namespace: str) -> dict[str, Any]:
    return {"metadata": {"namespace": namespace, "generateName": "x."}}


OTHER = PATH.replace("/llm/", "/team/")


async def test_a_namespace_that_is_deleted_stops_the_work_there_and_nowhere_else(
    server: ApiServer, client: Client
) -> None:
    clock = Clock()
    both = [seat(client, "mine", clock), seat(client, "mine", clock, "team")]
    elsewhere = Elsewhere(client, own=both, clock=clock)
    client.fence = fence_of(both)
    async with holding(both):
        await until(lambda: problem_of(both) is None)
        server.refuse("PATCH", OTHER, 403, "the role is gone")
        await until(lambda: "team/modelpool-operator was not renewed" in (problem_of(both) or ""))
        with pytest.raises(errors.UnreachableError, match="was not renewed"):
            await client.create(kinds.EVENTS, event("team"))
        await client.create(kinds.EVENTS, event("llm"))
        assert await elsewhere.holder("llm") is None


async def test_a_lease_that_is_lost_costs_its_namespace_and_is_sought_again(server: ApiServer, client: Client) -> None:
    clock = Clock()
    both = [seat(client, "mine", clock), seat(client, "mine", clock, "team")]
    taken: list[str] = []
    both[1].taken = lambda: taken.append("team")
    elsewhere = Elsewhere(client, own=both, clock=clock)
    client.fence = fence_of(both)
    async with holding(both):
        await until(lambda: problem_of(both) is None)
        server.objects[OTHER]["spec"] |= {"holderIdentity": "x", "leaseDurationSeconds": 2147483647}
        server.objects[OTHER]["metadata"]["resourceVersion"] = "9999"
        await until(lambda: both[1].problem is not None)
        assert "'x' holds" in (await elsewhere.holder("team") or "")
        with pytest.raises(errors.UnreachableError, match="'x' holds"):
            await client.create(kinds.EVENTS, event("team"))
        await client.create(kinds.EVENTS, event("llm"))
        clock.ahead += 61
        await until(lambda: both[1].problem is None)
        assert await elsewhere.holder("team") is None
        assert server.objects[OTHER]["spec"]["holderIdentity"] == "mine"
    assert taken == ["team", "team"]


async def test_work_begins_with_the_first_lease_that_is_held(server: ApiServer, client: Client) -> None:
    clock = Clock()
    spec = {"holderIdentity": "x", "leaseDurationSeconds": 2147483647, "renewTime": "1"}
    server.put(FOLDER, metadata={"name": REF.name}, spec=spec)
    both = [seat(client, "mine", clock), seat(client, "mine", clock, "team")]
    async with asyncio.timeout(5), holding(both):
        assert both[1].stale() is None
        assert both[0].stale() is not None
