"""What pytest does with tests that need a real node: last, and never left out in silence."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from modelpool_cluster.node import prerequisites

pytest_plugins = ["pytester"]

SUITE = """
def test_on_a_node(node_cluster):
    pass

def test_without():
    pass
"""


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    def missing() -> Iterator[str]:
        yield "root"

    monkeypatch.setattr(prerequisites, "missing", missing)
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.delenv("CI", raising=False)
    pytester.makepyfile(SUITE)
    pytester.makeini("[pytest]\nmarkers =\n  node\n  timeout\naddopts = -ra -p modelpool_cluster.node.plugin")
    return pytester


def test_without_a_node_its_tests_are_skipped_by_name_of_what_is_missing(suite: pytest.Pytester) -> None:
    result = suite.runpytest_inprocess()

    result.assert_outcomes(passed=1, skipped=1)
    result.stdout.fnmatch_lines(["SKIPPED * a real node needs root"])


def test_on_a_build_server_they_fail_by_that_name(suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")

    result = suite.runpytest_inprocess()

    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*The real node cannot be had: a real node needs root*"])


def test_they_come_last(suite: pytest.Pytester) -> None:
    result = suite.runpytest_inprocess("--collect-only", "-q")

    result.stdout.fnmatch_lines(["*::test_without", "*::test_on_a_node"])
