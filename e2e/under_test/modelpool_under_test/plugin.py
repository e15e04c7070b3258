"""The images under test for pytest: the fixture `node_images`.

They are built before the first test runs, outside of every limit, and only where there can be a node for them. A
machine that has nothing to build with lacks something, as one without runc does: the tests that use them are skipped
by name of that, on a build server they fail.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest

from modelpool_cluster.node import plugin as nodes
from modelpool_cluster.node.cluster import NodeCluster
from modelpool_cluster.node.prerequisites import MissingPrerequisitesError
from modelpool_cluster.plugin import settings_of
from modelpool_cluster.settings import Provider, Settings

if TYPE_CHECKING:
    from .images import Images

_FIXTURE = "node_images"
_STATE = pytest.StashKey["_State"]()


@dataclasses.dataclass(slots=True)
class _State:
    images: Images | None = None
    """None for an external cluster, which must have them."""
    missing: Exception | None = None
    """Why they could not be built."""


@pytest.hookimpl
def pytest_runtestloop(session: pytest.Session) -> None:
    """Build the images before the first test, if a node can be had: its plugin, which comes first, has looked."""
    config = session.config
    wanted = any(_FIXTURE in getattr(item, "fixturenames", ()) for item in session.items)
    if config.option.collectonly or not wanted or nodes.why_none(config) is not None:
        return
    state = config.stash[_STATE] = _State()
    try:
        settings = settings_of(config)
        if settings.provider is not Provider.EXTERNAL:
            state.images = _built(settings, config)
    except Exception as exc:  # told by every test that needs them
        state.missing = exc


@pytest.fixture(scope="session")
def node_images(request: pytest.FixtureRequest, node_cluster: NodeCluster) -> Images | None:
    """The project's images, built and on the node. None for an external cluster, which must have them."""
    state = request.config.stash[_STATE]
    if state.missing is not None:
        nodes.refuse(state.missing)
    if state.images is not None:
        with node_cluster.timed("Images on the node"):
            node_cluster.import_images(*state.images.archives)
    return state.images


def _built(settings: Settings, config: pytest.Config) -> Images:
    from .images import NoBuilderError, build  # here, for most runs build none

    def say(line: str) -> None:
        nodes.say(config, line)

    try:
        images = build(settings, say)
    except NoBuilderError as exc:
        raise MissingPrerequisitesError(str(exc)) from exc
    say(f"Images by {images.builder} in {images.seconds:.1f} s: {images.folder}")
    return images
