"""The pool that all clients of this case ask."""

import gc
from collections.abc import Iterator

import clients_pool
import pytest
from clients_pool import Models

from modelpool_sidecar.tests.gateway.processes import Program


@pytest.fixture(scope="package")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """The gateway."""
    with clients_pool.running(tmp_path_factory.mktemp("clients")) as program:
        yield program


@pytest.fixture(params=[clients_pool.VLLM, clients_pool.OLLAMA], ids=lambda models: models.engine)
def models(request: pytest.FixtureRequest) -> Models:
    """What is asked: each test runs against both engines."""
    found: Models = request.param
    return found


@pytest.fixture
def collected() -> Iterator[None]:
    """Collect a test's garbage while its own warnings hold."""
    yield
    gc.collect()
