"""What pytest does where the images under test cannot be had: it says why, and spares the tests that need none."""

from __future__ import annotations

from pathlib import Path
from typing import Never

import pytest

from modelpool_cluster.binaries import Binaries
from modelpool_cluster.node import prerequisites
from modelpool_under_test import images

pytest_plugins = ["pytester"]

SUITE = """
import pytest

@pytest.fixture(scope="session")
def node_cluster():
    pass

def test_with_images(node_images):
    pass

def test_on_a_node(node_cluster):
    pass
"""
PLUGINS = ("cluster.plugin", "cluster.node.plugin", "under_test.plugin")


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """Tests on a machine that can have a node, whose programs are there, and has nothing to build images with."""

    def build(*_: object) -> Never:
        raise images.NoBuilderError("buildah is needed")

    monkeypatch.setattr(prerequisites, "missing", lambda: iter(()))
    monkeypatch.setattr(Binaries, "node", lambda _: {})
    monkeypatch.setattr(Binaries, "control_plane", lambda _: {})
    monkeypatch.setattr(images, "build", build)
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.delenv("CI", raising=False)
    pytester.makepyfile(SUITE)
    plugins = " ".join(f"-p modelpool_{name}" for name in PLUGINS)
    pytester.makeini(f"[pytest]\nmarkers =\n  node\n  cluster\n  timeout\naddopts = -ra {plugins}")
    return pytester


def test_without_a_builder_only_tests_of_images_are_skipped_by_name_of_it(suite: pytest.Pytester) -> None:
    result = suite.runpytest_inprocess()

    result.assert_outcomes(passed=1, skipped=1)
    result.stdout.fnmatch_lines(["SKIPPED * buildah is needed"])


def test_on_a_build_server_they_fail_by_that_name(suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")

    result = suite.runpytest_inprocess()

    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*buildah is needed*"])


def test_where_there_can_be_no_node_none_are_built(
    suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def build(*_: object) -> Never:
        (tmp_path / "built").touch()
        raise AssertionError

    monkeypatch.setattr(images, "build", build)
    monkeypatch.setattr(prerequisites, "missing", lambda: iter(("root",)))

    suite.runpytest_inprocess()

    assert not (tmp_path / "built").exists()
