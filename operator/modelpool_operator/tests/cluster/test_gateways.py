"""Asking gateways, over loopback sockets: some answer, some do not, some are on their way out."""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from modelpool_operator.api.names import ObjectRef
from modelpool_operator.cluster.gateways import ADDRESSES_LAST, Address, Gateways, addresses_in
from modelpool_operator.planning.observation.autoscaling import Unknown
from modelpool_operator.telemetry.metrics import Metrics
from modelpool_operator.tests.cluster import api_server
from modelpool_operator.tests.cluster.api_server import ApiServer

SERVICE = ObjectRef("modelpool", "gateway")
SLICES = "/apis/discovery.k8s.io/v1/namespaces/modelpool/endpointslices"
DOCUMENT = {"version": 1, "upSeconds": 5.0, "models": []}


@asynccontextmanager
async def gateway(said: Any = DOCUMENT, *, status: int = 200) -> AsyncIterator[tuple[str, int]]:
    """A gateway that says what it is told to; its host and port."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status, text=said if isinstance(said, str) else json.dumps(said))

    application = web.Application()
    application.router.add_get("/modelpool/demand", answer)
    runner = web.AppRunner(application)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        yield host, port
    finally:
        await runner.cleanup()


def endpoint_slice(*endpoints: tuple[str, bool | None], port: int, name: str = "gateway-x") -> dict[str, Any]:
    found = [
        {"addresses": [host], "conditions": {} if ready is None else {"ready": ready}} for host, ready in endpoints
    ]
    ports = [{"name": "ollama", "port": 1}, {"name": "openai", "port": port}]
    labels = {"kubernetes.io/service-name": "gateway"}
    metadata = {"name": name, "namespace": "modelpool", "labels": labels}
    return {"metadata": metadata, "addressType": "IPv4", "endpoints": found, "ports": ports}


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def asking(server: ApiServer, *urls: str, clock: Clock | None = None) -> AsyncIterator[Gateways]:
    async with AsyncExitStack() as stack:
        metrics = Metrics(queue_depth=lambda: 0, pools=lambda: 0)
        client = await stack.enter_async_context(api_server.client_of(server, metrics))
        session = await stack.enter_async_context(aiohttp.ClientSession())
        yield Gateways(client, session, urls=urls, clock=clock or Clock())


async def test_every_gateway_behind_the_service_is_asked(server: ApiServer) -> None:
    async with gateway() as (host, port), gateway(DOCUMENT | {"upSeconds": 9.0}) as (_, other):
        server.put(SLICES, **endpoint_slice((host, True), port=port))
        server.put(SLICES, **endpoint_slice((host, None), port=other, name="gateway-y"))
        clock = Clock()
        async with asking(server, clock=clock) as gateways:
            for _ in range(2):
                told = await gateways.ask(SERVICE)
                assert not isinstance(told, Unknown), told
                assert sorted(one.up_seconds for one in told) == [5.0, 9.0]
            assert [request.path for request in server.requests] == [SLICES]
            clock.now = ADDRESSES_LAST + 1
            await gateways.ask(SERVICE)
            assert len(server.requests) == 2
    assert server.requests[0].query["labelSelector"] == "kubernetes.io/service-name=gateway"


async def test_a_ready_gateway_that_is_silent_makes_it_unknown(server: ApiServer, unused_tcp_port: int) -> None:
    async with gateway() as (host, port):
        server.put(SLICES, **endpoint_slice((host, True), port=port))
        server.put(SLICES, **endpoint_slice((host, True), port=unused_tcp_port, name="gateway-y"))
        async with asking(server) as gateways:
            told = await gateways.ask(SERVICE)
            assert isinstance(told, Unknown)
            assert told.why.startswith(f"the gateway at http://{host}:{unused_tcp_port} does not tell: ")


async def test_one_that_is_not_ready_counts_while_it_speaks(server: ApiServer, unused_tcp_port: int) -> None:
    async with gateway() as (host, port), gateway() as (_, leaving):
        server.put(SLICES, **endpoint_slice((host, True), port=port))
        server.put(SLICES, **endpoint_slice((host, False), port=leaving, name="gateway-y"))
        server.put(SLICES, **endpoint_slice((host, False), port=unused_tcp_port, name="gateway-z"))
        async with asking(server) as gateways:
            told = await gateways.ask(SERVICE)
            assert not isinstance(told, Unknown), told
            assert len(told) == 2


async def test_a_document_of_many_models_is_read_whole(server: ApiServer) -> None:
    pool = {"namespace": "llm", "name": "agentic"}
    models = [{"pool": pool, "model": f"m-{number}", "inFlight": 0, "pending": 0} for number in range(5000)]
    async with gateway(DOCUMENT | {"models": models}) as (host, port), asking(server, f"http://{host}:{port}") as one:
        told = await one.ask(SERVICE)
        assert not isinstance(told, Unknown), told
        assert len(told[0].models) == 5000


async def test_urls_are_asked_in_place_of_pods(server: ApiServer) -> None:
    async with gateway() as (host, port), asking(server, f"http://{host}:{port}") as gateways:
        told = await gateways.ask(SERVICE)
        assert not isinstance(told, Unknown), told
    assert server.requests == []


@pytest.mark.parametrize(
    ("said", "status", "why"),
    [
        (DOCUMENT, 404, "the gateway at {url} does not tell: it answered 404"),
        ("<html>", 200, "could not read the demand of the gateway at {url}: "),
        (DOCUMENT | {"version": 2}, 200, "could not read the demand of the gateway at {url}: "),
    ],
)
async def test_another_answer_makes_it_unknown(server: ApiServer, said: Any, status: int, why: str) -> None:
    async with gateway(said, status=status) as (host, port):
        server.put(SLICES, **endpoint_slice((host, True), port=port))
        async with asking(server) as gateways:
            told = await gateways.ask(SERVICE)
            assert isinstance(told, Unknown)
            assert told.why.startswith(why.format(url=f"http://{host}:{port}"))


async def test_nobody_there_is_said(server: ApiServer) -> None:
    async with asking(server) as gateways:
        assert await gateways.ask(SERVICE) == Unknown(why="no gateway of Service modelpool/gateway is ready")


async def test_what_the_api_server_refuses_is_said(server: ApiServer) -> None:
    server.refuse("GET", SLICES, 403, "no such right")
    async with asking(server) as gateways:
        told = await gateways.ask(SERVICE)
        assert isinstance(told, Unknown)
        assert told.why.startswith("could not find the gateways of Service modelpool/gateway: ")
        assert "no such right" in told.why


def test_addresses_of_slices() -> None:
    six = endpoint_slice(("fd00::7", True), port=8100)
    assert list(addresses_in(six)) == [Address("http://[fd00::7]:8100", ready=True)]
    assert list(addresses_in({**six, "ports": [{"name": "other", "port": 1}]})) == []
    assert list(addresses_in({**six, "addressType": "FQDN"})) == []
    assert list(addresses_in({"metadata": {}})) == []
