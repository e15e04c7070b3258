"""The engines run once for all cases; what the comparison found is the last thing that is said."""

import sys
from collections.abc import Iterator

import pytest

from modelpool_real_engines import real_scene
from modelpool_real_engines.ledger import Ledger
from modelpool_real_engines.real_scene import RealScene
from modelpool_real_engines.scene import Scene, running_scene

_LEDGER = pytest.StashKey[Ledger]()
_FACTS = pytest.StashKey[list[str]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_LEDGER] = Ledger()
    config.stash[_FACTS] = []


@pytest.fixture(scope="session")
def scene(tmp_path_factory: pytest.TempPathFactory, facts: list[str]) -> Iterator[Scene]:
    with running_scene(tmp_path_factory.mktemp("real-engines")) as running:
        facts.append("ready after " + ", ".join(f"{name} {took:.1f} s" for name, took in running.started.items()))
        yield running


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory, facts: list[str]) -> Iterator[RealScene]:
    with real_scene.running_scene(tmp_path_factory.mktemp("real-models")) as running:
        facts.append(f"published models ready after {running.started:.1f} s")
        yield running


@pytest.fixture(scope="session")
def ledger(pytestconfig: pytest.Config) -> Ledger:
    return pytestconfig.stash[_LEDGER]


@pytest.fixture(scope="session")
def facts(pytestconfig: pytest.Config) -> list[str]:
    """What was measured, a line each."""
    return pytestconfig.stash[_FACTS]


def pytest_unconfigure(config: pytest.Config) -> None:
    """After pytest's own summary, so that the sum is the last line."""
    ledger = config.stash.get(_LEDGER, Ledger())
    if not ledger.entries:
        return
    lines = [*config.stash[_FACTS], "", *ledger.lines()]
    sys.stdout.write("\n".join(lines) + "\n")
    report = config.rootpath / ".cache" / "engines.txt"
    report.parent.mkdir(exist_ok=True)
    report.write_text("\n".join(lines) + "\n")
