"""Fixtures of the whole-system cases: the operator beside a cluster, and the chart and a pool on a real node.

- Beside a cluster: ask for `gpu_node` before `namespace` and `operator`: a node must outlive the pods on it, or nobody
  ends them.
- On a real node: `release` and `pool` serve all cases of a session, and a case leaves both as it found them; what a
  case needs beyond them it makes with `add_pool`.
"""

import itertools
import re
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest

from modelpool_cluster.cluster import Cluster
from modelpool_cluster.node.cluster import NodeCluster
from modelpool_under_test.images import Images
from modelpool_under_test.node import diagnostics
from modelpool_under_test.node.pool import Pool, manifest, started
from modelpool_under_test.node.release import Object, Release
from modelpool_under_test.processes.installation import Installation, installed, rendered
from modelpool_under_test.processes.operator_program import Operator

_NODE_CLUSTER = pytest.StashKey[NodeCluster]()
_NAMESPACE = "llm"


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


@pytest.fixture(scope="session")
def release(
    request: pytest.FixtureRequest,
    node_cluster: NodeCluster,
    node_images: Images | None,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Release]:
    """The chart on a real node with one card, installed with the images under test."""
    request.config.stash[_NODE_CLUSTER] = node_cluster
    node_cluster.add_gpu_node(gpus=1, replicas=8)
    found = Release(cluster=node_cluster, home=tmp_path_factory.mktemp("helm"))
    with node_cluster.timed("Chart ready"):
        found.install()
    yield found
    if not node_cluster.ours:
        found.remove()


@pytest.fixture(scope="session")
def pool(release: Release) -> Iterator[Pool]:
    """The simulated example, all models ready."""
    with release.cluster.timed("Pool ready"):
        found = started(release.cluster, _NAMESPACE, manifest())
    yield found
    if not release.cluster.ours:
        found.delete()
        release.cluster.remove_namespace(_NAMESPACE)


@pytest.fixture
def add_pool(release: Release) -> Iterator[Callable[..., Pool]]:
    """Applies a manifest in a namespace of its own, for one test; `volumes` false leaves its volumes to the test."""
    cluster, added, numbers = release.cluster, list[Pool](), itertools.count(1)

    def add(pool: Object, *, volumes: bool = True) -> Pool:
        namespace = f"{pool['metadata']['name']}-{next(numbers)}"
        added.append(found := started(cluster, namespace, pool, volumes=volumes))
        return found

    yield add
    for one in added:
        one.delete()
        cluster.remove_namespace(one.namespace)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let a case on a real node that fails leave a folder, and say where."""
    report = yield
    cluster = item.config.stash.get(_NODE_CLUSTER, None)
    if report.failed and cluster is not None and item.get_closest_marker("node"):
        slug = re.sub(r"[^a-z0-9]+", "-", item.name.lower()).strip("-")
        folder = Path(item.config.rootpath) / ".cache" / "real-node" / f"{slug}-{report.when}"
        files = diagnostics.write(cluster, folder)
        report.sections.append(("Diagnostics", f"{folder}: {', '.join(files)}"))
    return report
