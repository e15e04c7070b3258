"""Fixtures of cases that run the operator beside a cluster.

Ask for `gpu_node` before `namespace` and `operator`: a node must outlive the pods on it, or nobody ends them.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from installation import Installation, Operator, installed, rendered

from modelpool_cluster.cluster import Cluster


@pytest.fixture(scope="session")
def rendered_chart(helm: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The chart as helm renders it, for pools of one namespace."""
    return rendered(helm, tmp_path_factory.mktemp("helm"))


@pytest.fixture
def installation(cluster: Cluster, rendered_chart: str, namespace: str, tmp_path: Path) -> Iterator[Installation]:
    """The chart's CRD, accounts and roles, for pools of the test's namespace."""
    with installed(cluster, rendered_chart, namespace, tmp_path) as found:
        yield found


@pytest.fixture
def operator(installation: Installation) -> Iterator[Operator]:
    """The operator, running and ready."""
    with installation.operator() as running:
        yield running
