"""The test cluster for pytest: fixtures `cluster`, `namespace`, `gpu_node` and `helm`.

Whoever uses them is marked `cluster`. One cluster serves a whole session and is started when the first test asks for
it; its programs are found or built before the first test runs, outside of every test's time limit, and said on the
terminal. A cluster that cannot be had fails the tests that need it, by name of what is missing; `--no-cluster` leaves
them out, openly.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import secrets
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from .binaries import Binaries
from .settings import Provider, Settings, provider_named

if TYPE_CHECKING:
    from .cluster import Cluster

_FIXTURES = frozenset({"cluster", "namespace", "gpu_node", "helm"})
_STATE = pytest.StashKey["_State"]()


class GpuNodes(Protocol):
    """Adds a node for one test; takes what `Cluster.add_gpu_node` takes, the name excepted."""

    def __call__(self, **wishes: Any) -> str:
        """Add a node and return its name."""


@dataclasses.dataclass(slots=True)
class _State:
    settings: Settings
    binaries: Binaries
    missing: Exception | None = None
    """Why the programs cannot be had."""
    cluster: Cluster | None = None
    """The running cluster, for reports."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of the test cluster."""
    group = parser.getgroup("cluster", "the test cluster")
    group.addoption(
        "--cluster-provider",
        choices=[*Provider],
        help="where the cluster comes from (MODELPOOL_CLUSTER_PROVIDER, controlplane)",
    )
    group.addoption("--cluster-kubeconfig", type=Path, help="the cluster of the provider `external`")
    group.addoption(
        "--cluster-logs", type=Path, help="where the components' logs and the audit log are kept afterwards"
    )
    group.addoption("--no-cluster", action="store_true", help="leave out all tests that need a cluster")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark the tests that use the cluster, before -m looks at the marks; leave them out when told to."""
    for item in items:
        if _FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.cluster)
    if config.getoption("--no-cluster"):
        left_out = [item for item in items if item.get_closest_marker("cluster")]
        items[:] = [item for item in items if not item.get_closest_marker("cluster")]
        config.hook.pytest_deselected(items=left_out)


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> None:
    """Find or build the programs before the first test: the first build takes longer than any test may."""
    if session.config.option.collectonly or not any(item.get_closest_marker("cluster") for item in session.items):
        return
    state = _state(session.config)
    try:
        state.binaries.control_plane()
        if any("helm" in getattr(item, "fixturenames", ()) for item in session.items):
            state.binaries.helm()
    except Exception as exc:  # told by every test that needs them
        state.missing = exc


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the components' last words to the report of a test that failed."""
    report = yield
    state = item.config.stash.get(_STATE, None)
    if report.failed and item.get_closest_marker("cluster") and state is not None and state.cluster is not None:
        with contextlib.suppress(OSError, RuntimeError):  # the cluster may be what failed
            report.sections.append(("Control plane", "\n".join(state.cluster.log_tails())))
    return report


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """A running cluster, shared by all tests of the session."""
    from .opening import cluster_for  # here, for it takes a second that a quick loop without a cluster need not wait

    state = _usable(request.config)
    with cluster_for(state.settings, state.binaries, lambda line: _say(request.config, line)) as running:
        state.cluster = running
        megabytes = {name: size >> 20 for name, size in running.resident_bytes().items()}
        if megabytes:
            each = ", ".join(f"{name} {size}" for name, size in megabytes.items())
            _say(
                request.config,
                f"Control plane ready in {running.start_seconds:.1f} s, {sum(megabytes.values())} MiB ({each})",
            )
        yield running
        if (kept := request.config.getoption("--cluster-logs")) is not None:
            running.keep_logs(kept)
    state.cluster = None


@pytest.fixture
def namespace(request: pytest.FixtureRequest, cluster: Cluster) -> Iterator[str]:
    """A fresh namespace, named after the test; deleted afterwards, its pods before the next test begins."""
    slug = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).strip("-")[:40].strip("-")
    name = f"{slug}-{secrets.token_hex(3)}"
    cluster.add_namespace(name)
    yield name
    cluster.remove_namespace(name)


@pytest.fixture
def gpu_node(cluster: Cluster) -> Iterator[GpuNodes]:
    """Adds GPU nodes that are there for one test: `gpu_node(gpus=2, held=True)` returns the new node's name."""
    with contextlib.ExitStack() as added:

        def add(**wishes: Any) -> str:
            name = cluster.add_gpu_node(f"gpu-{secrets.token_hex(3)}", **wishes)
            added.callback(cluster.remove_node, name)
            return name

        yield add


@pytest.fixture(scope="session")
def helm(request: pytest.FixtureRequest) -> Path:
    """A real helm."""
    return _usable(request.config).binaries.helm()


def settings_of(config: pytest.Config) -> Settings:
    """Return the settings of a run: the environment's, and over them the command line's. Raises InvalidSettingError."""
    settings = Settings.from_environment(os.environ)
    if name := config.getoption("--cluster-provider", None):
        settings = dataclasses.replace(settings, provider=provider_named(name))
    if kubeconfig := config.getoption("--cluster-kubeconfig", None):
        settings = dataclasses.replace(settings, kubeconfig=kubeconfig)
    return settings


def _state(config: pytest.Config) -> _State:
    if _STATE not in config.stash:
        settings = settings_of(config)
        config.stash[_STATE] = _State(settings, Binaries(settings, lambda line: _say(config, line)))
    return config.stash[_STATE]


def _usable(config: pytest.Config) -> _State:
    state = _state(config)
    if state.missing is not None:
        pytest.fail(
            f"The test cluster cannot be had: {state.missing} (--no-cluster leaves these tests out)", pytrace=False
        )
    return state


def _say(config: pytest.Config, line: str) -> None:
    """Write a line to the terminal, past the capturing of output."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    capture = config.pluginmanager.get_plugin("capturemanager")
    silence: Callable[[], contextlib.AbstractContextManager[None]]
    silence = capture.global_and_fixture_disabled if capture is not None else contextlib.nullcontext
    if reporter is not None:
        with silence():
            reporter.ensure_newline()
            reporter.write_line(line)
