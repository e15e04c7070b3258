"""The real node for pytest: the fixture `node_cluster`.

Whoever uses it is marked `node` and gets a time limit that lets a node start. One node serves the session, started
when the first test asks for it; its programs are made before the first test runs, outside of every limit.
Where a node cannot be had, its tests are skipped by name of what is missing, on a build server they fail. Tests are
inside the node's network while they run, and only those that are marked.

With the provider `kind` or `external` the same tests run on that cluster's nodes; what takes a node of our own is
skipped by name.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING

import pytest

from ..binaries import Binaries
from ..plugin import settings_of
from ..settings import Provider
from . import prerequisites
from .prerequisites import NotOnThisClusterError

if TYPE_CHECKING:
    from .cluster import NodeCluster

MARK = "node"
_FIXTURE = "node_cluster"
_BORROWED = frozenset({Provider.KIND, Provider.EXTERNAL})
_TEST_SECONDS = 600
"""Of a test with the node's start in it, on a busy machine."""
_STATE = pytest.StashKey["_State"]()


@dataclasses.dataclass(slots=True)
class _State:
    log: Callable[[str], None]
    missing: Exception | None = None
    """Why there can be no node."""
    cluster: NodeCluster | None = None
    """The running one."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that use the node, before -m looks at the marks, and put them last: the quick ones fail first."""
    for item in items:
        if _FIXTURE in getattr(item, "fixturenames", ()):
            item.add_marker(MARK)
            item.add_marker(pytest.mark.timeout(_TEST_SECONDS))
    items.sort(key=lambda item: item.get_closest_marker(MARK) is not None)


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> None:
    """Get the programs before the first test."""
    wanted = [item for item in session.items if item.get_closest_marker(MARK)]
    if session.config.option.collectonly or not wanted:
        return
    state = session.config.stash[_STATE] = _State(lambda line: say(session.config, line))
    try:
        settings = settings_of(session.config)
        binaries = Binaries(settings, state.log)
        if settings.provider not in _BORROWED:
            prerequisites.check()
            binaries.node()
        binaries.control_plane()
    except Exception as exc:  # told by every test that needs them
        state.missing = exc


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Let only the node's own tests run in its network."""
    state = item.config.stash.get(_STATE, None)
    if state is None or state.cluster is None or item.get_closest_marker(MARK):
        return (yield)
    with state.cluster.outside():
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup() -> Generator[None, object, object]:
    """Skip a test whose fixture asks for what this cluster does not have."""
    return (yield from _skipping())


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call() -> Generator[None, object, object]:
    """Skip a test that asks for what this cluster does not have."""
    return (yield from _skipping())


def _skipping() -> Generator[None, object, object]:
    try:
        return (yield)
    except NotOnThisClusterError as exc:
        pytest.skip(str(exc))


@pytest.fixture(scope="session")
def node_cluster(request: pytest.FixtureRequest) -> Iterator[NodeCluster]:
    """A cluster with a real node, shared by all tests of the session."""
    from .borrowed import BorrowedCluster
    from .cluster import NodeCluster

    state = _usable(request.config)
    settings = settings_of(request.config)
    kind = BorrowedCluster if settings.provider in _BORROWED else NodeCluster
    if kind is NodeCluster:
        settings = dataclasses.replace(settings, provider=Provider.NODE)
    with kind(settings, Binaries(settings, state.log), state.log) as running:
        state.cluster = running
        try:
            yield running
        finally:
            state.cluster = None


def why_none(config: pytest.Config) -> Exception | None:
    """Return why this run can have no node, or None where it can. Known once the loop over the tests has begun."""
    return config.stash[_STATE].missing


def refuse(missing: Exception) -> None:
    """Skip the test by name of what the machine lacks; fail it on a build server, or where something broke."""
    if isinstance(missing, prerequisites.MissingPrerequisitesError) and not os.environ.get("CI"):
        pytest.skip(str(missing))
    pytest.fail(f"The real node cannot be had: {missing}", pytrace=False)


def _usable(config: pytest.Config) -> _State:
    state = config.stash[_STATE]
    if state.missing is not None:
        refuse(state.missing)
    return state


def say(config: pytest.Config, line: str) -> None:
    """Write a line to the terminal, past the capturing of output."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    capture = config.pluginmanager.get_plugin("capturemanager")
    if reporter is not None and capture is not None:
        with capture.global_and_fixture_disabled():
            reporter.ensure_newline()
            reporter.write_line(line)
