"""Fixtures of the cluster layer: a stand-in API server and a client connected to it."""

from collections.abc import AsyncIterator

import pytest

from modelpool_operator.cluster.client import Client
from modelpool_operator.cluster.mirror import Mirror
from modelpool_operator.telemetry.metrics import Metrics
from modelpool_operator.tests.cluster import api_server


@pytest.fixture
async def server() -> AsyncIterator[api_server.ApiServer]:
    async with api_server.running() as running:
        yield running


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(queue_depth=lambda: 0, pools=lambda: 0)


@pytest.fixture
async def client(server: api_server.ApiServer, metrics: Metrics) -> AsyncIterator[Client]:
    async with api_server.client_of(server, metrics) as connected:
        yield connected


@pytest.fixture
def mirror() -> Mirror:
    return Mirror()
