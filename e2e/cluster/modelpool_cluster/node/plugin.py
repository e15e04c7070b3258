"""The real node for pytest: fixtures `node_cluster` and `node_images`.

Whoever uses them is marked `node` and gets a time limit that lets a node start. One node serves the session, started
when the first test asks for it; programs and images are made before the first test runs, outside of every limit.
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
from ..settings import Provider, Settings
from . import prerequisites
from .prerequisites import NotOnThisClusterError

if TYPE_CHECKING:
    from ..images import Images
    from .cluster import NodeCluster

MARK = "node"
_FIXTURES = frozenset({"node_cluster", "node_images"})
_BORROWED = frozenset({Provider.KIND, Provider.EXTERNAL})
_TEST_SECONDS = 600
"""Of a test with the node's start in it, on a busy machine."""
_STATE = pytest.StashKey["_State"]()


@dataclasses.dataclass(slots=True)
class _State:
    log: Callable[[str], None]
    missing: Exception | None = None
    """Why there can be no node."""
    images: Images | None = None
    cluster: NodeCluster | None = None
    """The running one."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that use the node, before -m looks at the marks, and put them last: the quick ones fail first."""
    for item in items:
        if _FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker(MARK)
            item.add_marker(pytest.mark.timeout(_TEST_SECONDS))
    items.sort(key=lambda item: item.get_closest_marker(MARK) is not None)


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> None:
    """Get the programs and the images before the first test."""
    wanted = [item for item in session.items if item.get_closest_marker(MARK)]
    if session.config.option.collectonly or not wanted:
        return
    state = session.config.stash[_STATE] = _State(lambda line: _say(session.config, line))
    try:
        settings = settings_of(session.config)
        binaries = Binaries(settings, state.log)
        if settings.provider not in _BORROWED:
            prerequisites.check()
            binaries.node()
        binaries.control_plane()
        with_images = any("node_images" in getattr(item, "fixturenames", ()) for item in wanted)
        if with_images and settings.provider is not Provider.EXTERNAL:
            state.images = _built(settings, state.log)
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


@pytest.fixture(scope="session")
def node_images(request: pytest.FixtureRequest, node_cluster: NodeCluster) -> Images | None:
    """The project's images, built and on the node. None for an external cluster, which must have them."""
    state = _usable(request.config)
    if state.images is not None:
        with node_cluster.timed("Images on the node"):
            node_cluster.import_images(*state.images.archives)
    return state.images


def _built(settings: Settings, log: Callable[[str], None]) -> Images:
    """Return the images; a machine that has nothing to build with lacks something, as one without runc does."""
    from ..images import NoBuilderError, build

    try:
        images = build(settings, log)
    except NoBuilderError as exc:
        raise prerequisites.MissingPrerequisitesError(str(exc)) from exc
    log(f"Images by {images.builder} in {images.seconds:.1f} s: {images.folder}")
    return images


def _usable(config: pytest.Config) -> _State:
    state = config.stash[_STATE]
    if isinstance(state.missing, prerequisites.MissingPrerequisitesError) and not os.environ.get("CI"):
        pytest.skip(str(state.missing))
    if state.missing is not None:
        pytest.fail(f"The real node cannot be had: {state.missing}", pytrace=False)
    return state


def _say(config: pytest.Config, line: str) -> None:
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    capture = config.pluginmanager.get_plugin("capturemanager")
    if reporter is not None and capture is not None:
        with capture.global_and_fixture_disabled():
            reporter.ensure_newline()
            reporter.write_line(line)
