"""Fixtures of the cases on a real node: one release and one pool serve all; a case leaves both as it found them."""

import re
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
import real_node_diary
from real_node_pool import Pool, manifest
from real_node_release import Release

from modelpool_cluster.images import Images
from modelpool_cluster.node.cluster import NodeCluster

NAMESPACE = "llm"
_CLUSTER = pytest.StashKey[NodeCluster]()


@pytest.fixture(scope="session")
def release(
    request: pytest.FixtureRequest,
    node_cluster: NodeCluster,
    node_images: Images,
    tmp_path_factory: pytest.TempPathFactory,
) -> Release:
    """The chart, installed with the images under test."""
    request.config.stash[_CLUSTER] = node_cluster
    installed = Release(cluster=node_cluster, home=tmp_path_factory.mktemp("helm"))
    installed.install()
    return installed


@pytest.fixture(scope="session")
def pool(release: Release) -> Iterator[Pool]:
    """The simulated example, all models ready."""
    cluster = release.cluster
    cluster.add_gpu_node(gpus=1, replicas=8)
    cluster.add_namespace(NAMESPACE)
    for _ in range(2):
        cluster.add_volume()
    found = Pool(cluster=cluster, namespace=NAMESPACE)
    found.apply(manifest())
    found.wait_until_ready()
    return found


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let a case that fails leave a folder, and say where."""
    report = yield
    cluster = item.config.stash.get(_CLUSTER, None)
    if report.failed and cluster is not None and item.get_closest_marker("node"):
        slug = re.sub(r"[^a-z0-9]+", "-", item.name.lower()).strip("-")
        folder = Path(item.config.rootpath) / ".cache" / "real-node" / f"{slug}-{report.when}"
        files = real_node_diary.write(cluster, folder)
        report.sections.append(("Diary", f"{folder}: {', '.join(files)}"))
    return report
