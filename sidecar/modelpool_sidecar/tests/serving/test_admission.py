"""Leases at the edges: what is granted in the same moment as something else happens. No socket."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from unittest import mock

import pytest
from multidict import CIMultiDict

from modelpool_sidecar.dialects.cors import HostPolicy
from modelpool_sidecar.discovery.directory import Directory
from modelpool_sidecar.engines.registry import PROFILES
from modelpool_sidecar.http.server.request import RequestHead
from modelpool_sidecar.http.server.request_reader import RefusedRequest
from modelpool_sidecar.http.server.response_writer import Clock, Http11Writer
from modelpool_sidecar.routing import table
from modelpool_sidecar.routing.choose import NoTargetKind, Target
from modelpool_sidecar.routing.documents import ModelKey
from modelpool_sidecar.routing.health import Failure, Outcome
from modelpool_sidecar.routing.route_request import RouteRequest
from modelpool_sidecar.serving.admission import Admission, Refused
from modelpool_sidecar.serving.context import RequestContext
from modelpool_sidecar.serving.resolved_head import ResolvedHead
from modelpool_sidecar.telemetry.events import Events
from modelpool_sidecar.tests.routing.worlds import OLLAMA, VLLM, document, entry, model

WANTED = RouteRequest(model="qwen3:8b")


def admitting(*, room: int = 1, pending: int = 9, timeout: float = 30) -> tuple[Directory, Admission]:
    directory = Directory()
    admission = Admission(directory, PROFILES)
    serve(directory, room=room, pending=pending, timeout=timeout)
    return directory, admission


def serve(
    directory: Directory, *, room: int = 1, pending: int = 9, timeout: float = 30, up: bool = True, **more: Any
) -> None:
    routes = document(model("qwen3:8b", entry("vllm", VLLM, room=room, **more)), pending=pending, timeout=timeout)
    service = table.service_of(routes.pool, routes.models[0].backends[0])
    directory.load([routes], {service: (table.Address(url=VLLM, ready=up),)}, trusted=True)


async def settled() -> None:
    """Let every task run until it waits for something."""
    for _ in range(5):
        await asyncio.sleep(0)


@asynccontextmanager
async def lease(admission: Admission) -> AsyncIterator[Target]:
    granted = await admission.acquire(WANTED, context())
    try:
        yield granted.target
    finally:
        granted.release()
        granted.release()  # which changes nothing


def context() -> RequestContext:
    writer = Http11Writer(mock.Mock(), Clock(), http10=False, bodiless=False, keep_alive=True)
    request = RefusedRequest(RequestHead("POST", "/api/chat", "", CIMultiDict()), writer, ValueError())
    return RequestContext(request, request.head, ResolvedHead(request.head, HostPolicy(), PROFILES), "1", Events(()))


async def hold(admission: Admission, end: asyncio.Event) -> str:
    async with lease(admission) as target:
        await end.wait()
        return target.endpoint.url


async def refused(admission: Admission) -> NoTargetKind:
    with pytest.raises(Refused) as caught:
        await hold(admission, asyncio.Event())
    return caught.value.refusal.kind


async def test_a_caller_that_leaves_in_the_moment_of_its_grant_gives_it_back() -> None:
    _, admission = admitting()
    end = asyncio.Event()
    async with AsyncExitStack() as first, asyncio.TaskGroup() as group:
        await first.enter_async_context(lease(admission))
        second = group.create_task(hold(admission, end), name="second")
        third = group.create_task(hold(admission, end), name="third")
        await settled()
        await first.aclose()  # grants to the second, which has not run yet
        second.cancel()
        end.set()
        assert await third == VLLM
    assert admission.in_flight.running == 0
    assert admission.in_flight.queues == {}


async def test_a_line_that_forms_anew_while_the_old_one_dissolves_is_served() -> None:
    _, admission = admitting(room=2)
    end = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(hold(admission, end), name=f"hold {number}") for number in range(4)]
        await settled()
        end.set()
        await asyncio.wait(tasks[:2])
        tasks += [group.create_task(hold(admission, end), name=f"late {number}") for number in range(4)]
        assert [await task for task in tasks] == [VLLM] * 8
    assert admission.in_flight.running == 0


async def test_a_wait_ends_when_the_model_goes_and_at_its_deadline() -> None:
    directory, admission = admitting(timeout=0.01)
    end = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(hold(admission, end), name="holds")
        await settled()
        assert await refused(admission) is NoTargetKind.QUEUE_TIMEOUT
        serve(directory, timeout=30)
        waits = group.create_task(refused(admission), name="waits")
        await settled()
        directory.load([], {}, trusted=True)
        assert await waits is NoTargetKind.UNKNOWN_MODEL
        end.set()


async def test_what_is_known_of_an_address_goes_with_it() -> None:
    directory, _ = admitting()
    directory.ended(VLLM, Outcome(Failure.REFUSED))
    assert not directory.table.models[0].ready
    directory.load([], {}, trusted=True)
    serve(directory)
    assert directory.table.models[0].ready
    assert directory.health.suspects == frozenset()


async def test_an_ollama_that_lacks_one_model_still_serves_the_others() -> None:
    directory = Directory()
    names = ("a", "b")
    routes = document(*(model(name, entry("ollama", OLLAMA, model=name)) for name in names))
    service = table.service_of(routes.pool, routes.models[0].backends[0])
    directory.load([routes], {service: (table.Address(url=OLLAMA, ready=True),)}, trusted=True)
    directory.lacks(OLLAMA, "a")
    assert [one.ready for one in directory.table.models] == [False, True]
    directory.learn(OLLAMA, table.Probed(alive=True, models=frozenset(names)))
    assert [one.ready for one in directory.table.models] == [True, True]


async def test_what_an_ollama_lacks_is_lacking_however_it_was_listed() -> None:
    directory = Directory()
    routes = document(model("a", entry("ollama", OLLAMA, model="A")))
    service = table.service_of(routes.pool, routes.models[0].backends[0])
    directory.load([routes], {service: (table.Address(url=OLLAMA, ready=True),)}, trusted=True)
    directory.learn(OLLAMA, table.Probed(alive=True, models=frozenset({table.folded("a:latest")})))
    assert directory.table.models[0].ready
    directory.lacks(OLLAMA, "A")
    assert not directory.table.models[0].ready


async def test_what_everybody_is_given_is_given_to_those_alone_whom_it_suits() -> None:
    directory, admission = admitting(room=2)
    async with lease(admission) as first:
        async with lease(admission) as second:
            assert second is first
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await admission.acquire(WANTED, context())
            assert admission.in_flight.running == 2
        async with lease(admission):
            assert admission.in_flight.running == 2
    for wanted, kind in (
        (RouteRequest(model="qwen3:8b", engines=frozenset({"ollama"})), NoTargetKind.UNSERVED),
        (RouteRequest(model="qwen3:8b", tried=frozenset({VLLM})), NoTargetKind.UNAVAILABLE),
    ):
        with pytest.raises(Refused) as caught:
            await admission.acquire(wanted, context())
        assert caught.value.refusal.kind is kind
    serve(directory, up=False, timeout=0)
    assert await refused(admission) is NoTargetKind.UNAVAILABLE
    assert admission.in_flight.running == 0


async def test_capabilities_are_looked_at_whatever_was_granted_before() -> None:
    directory, admission = admitting()
    routes = document(model("qwen3:8b", entry("vllm", VLLM), capabilities=("completion",)))
    service = table.service_of(routes.pool, routes.models[0].backends[0])
    directory.load([routes], {service: (table.Address(url=VLLM, ready=True),)}, trusted=True)
    async with lease(admission):
        with pytest.raises(Refused) as caught:
            await admission.acquire(RouteRequest(model="qwen3:8b", needs=frozenset({"vision"})), context())
    assert caught.value.refusal.kind is NoTargetKind.LACKS_CAPABILITY


async def test_of_two_endpoints_each_has_its_turn() -> None:
    directory, admission = admitting()
    routes = document(model("qwen3:8b", entry("vllm", VLLM)))
    service = table.service_of(routes.pool, routes.models[0].backends[0])
    both = (table.Address(url=VLLM, ready=True), table.Address(url=OLLAMA, ready=True))
    directory.load([routes], {service: both}, trusted=True)
    async with lease(admission) as one, lease(admission) as two:
        assert {one.url, two.url} == {VLLM, OLLAMA}


async def test_demand_goes_on_in_a_new_table() -> None:
    directory, admission = admitting(room=9)
    key = directory.table.models[0].key
    async with lease(admission):
        serve(directory, room=8)
        async with lease(admission):
            assert admission.demand.of(key).in_flight == 2
    assert admission.demand.of(key).in_flight == 0
    directory.load([], {}, trusted=True)  # it is gone, and all that was known of it
    assert admission.demand.of(key).quiet_since is None
    serve(directory, room=9)
    async with lease(admission):
        assert admission.demand.of(key).in_flight == 1


async def test_a_request_waits_for_an_engine_that_starts_on_demand() -> None:
    directory, admission = admitting()
    serve(directory, up=False, starts_on_demand=True)
    (model_key,) = [ModelKey(one.pool.ref, one.name) for one in directory.table.models]
    end = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(hold(admission, end), name="waiting")
        await settled()
        asked = admission.demand.of(model_key)
        assert (asked.in_flight, asked.pending) == (0, 1)
        serve(directory, up=True, starts_on_demand=True)
        await settled()
        asked = admission.demand.of(model_key)
        assert (asked.in_flight, asked.pending) == (1, 0)
        end.set()
        assert await waiting == VLLM
    asked = admission.demand.of(model_key)
    assert (asked.in_flight, asked.pending, asked.quiet_since is None) == (0, 0, False)


async def test_an_engine_that_does_not_start_in_time_is_named() -> None:
    directory, admission = admitting()
    serve(directory, up=False, starts_on_demand=True, timeout=0.01)
    with pytest.raises(Refused, match=r"model 'qwen3:8b' is starting: waited 0.01 s for its engine"):
        await hold(admission, asyncio.Event())
    assert await refused(admission) is NoTargetKind.QUEUE_TIMEOUT
