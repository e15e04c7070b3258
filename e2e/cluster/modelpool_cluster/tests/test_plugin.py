"""What pytest does with tests that need a cluster: nothing is left out in silence."""

from __future__ import annotations

import pytest

from modelpool_cluster.binaries import Binaries, BinaryUnavailableError

pytest_plugins = ["pytester"]

SUITE = """
def test_with(cluster):
    pass

def test_without():
    pass
"""


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    def missing(self: Binaries) -> None:
        raise BinaryUnavailableError("etcd v3.6.8 is missing: no Go")

    monkeypatch.setattr(Binaries, "control_plane", missing)
    pytester.makepyfile(SUITE)
    pytester.makeini("[pytest]\nmarkers = cluster\naddopts = -p modelpool_cluster.plugin")
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    return pytester


def test_a_cluster_that_cannot_be_had_fails_the_tests_that_need_it(suite: pytest.Pytester) -> None:
    result = suite.runpytest_inprocess()

    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*The test cluster cannot be had: etcd v3.6.8 is missing: no Go*"])


def test_who_uses_the_cluster_is_marked(suite: pytest.Pytester) -> None:
    suite.runpytest_inprocess("-m", "not cluster").assert_outcomes(passed=1, deselected=1)


def test_the_tests_can_be_left_out_openly(suite: pytest.Pytester) -> None:
    suite.runpytest_inprocess("--no-cluster").assert_outcomes(passed=1, deselected=1)


def test_a_provider_without_its_kubeconfig_says_what_it_needs(
    suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Binaries, "control_plane", lambda self: {})
    monkeypatch.delenv("MODELPOOL_CLUSTER_KUBECONFIG", raising=False)

    result = suite.runpytest_inprocess("--cluster-provider", "external")

    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*needs --cluster-kubeconfig or MODELPOOL_CLUSTER_KUBECONFIG to name a file*"])
