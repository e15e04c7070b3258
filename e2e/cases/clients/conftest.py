"""The pool that all clients of this case ask."""

import gc
import sys
from collections.abc import Iterator

import clients_pool
import pytest
from client_ledger import Ledger
from clients_pool import Models

from modelpool_sidecar.tests.gateway.processes import Program

_LEDGER = pytest.StashKey[Ledger]()


class _Listener:
    """Tells the ledger what became of each test."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._ledger.add(report)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--clients-sum", action="store_true", help="end with a line for each call of a client, and their sum"
    )


def pytest_configure(config: pytest.Config) -> None:
    ledger = config.stash[_LEDGER] = Ledger()
    config.pluginmanager.register(_Listener(ledger), "clients-ledger")


def pytest_unconfigure(config: pytest.Config) -> None:
    """After pytest's own summary, so that the sum is the last line."""
    ledger = config.stash.get(_LEDGER, Ledger())
    if not config.getoption("--clients-sum", default=False) or not ledger.outcomes:
        return
    lines = list(ledger.lines())
    report = config.rootpath / ".cache" / "clients.txt"
    report.parent.mkdir(exist_ok=True)
    report.write_text("\n".join(lines) + "\n")
    sys.stdout.write("\n".join(lines) + "\n")


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
