"""Fixtures of cases that run the operator beside a cluster.

Ask for `gpu_node` before `namespace` and `operator`: a node must outlive the pods on it, or nobody ends them.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from installation import Installation, Operator, installed

from modelpool_cluster.cluster import Cluster


@pytest.fixture
def installation(cluster: Cluster, helm: Path, namespace: str, tmp_path: Path) -> Iterator[Installation]:
    """The chart's CRD, accounts and roles, for pools of the test's namespace."""
    with installed(cluster, helm, namespace, tmp_path) as found:
        yield found


@pytest.fixture
def operator(installation: Installation) -> Iterator[Operator]:
    """The operator, running and ready."""
    with installation.operator() as running:
        yield running
