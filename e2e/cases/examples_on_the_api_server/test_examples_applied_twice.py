"""Nothing that its user did not write appears in a pool's spec, so that whoever applies it again changes nothing."""

import json

import pytest
import yaml

from modelpool_cluster.cluster import Cluster
from modelpool_cluster.managers import KubectlError
from modelpool_under_test.processes.installation import EXAMPLES, Installation

pytestmark = pytest.mark.cluster

FILES = sorted(EXAMPLES.glob("*.yaml"))


def test_every_example_applied_twice_is_unchanged(cluster: Cluster, installation: Installation, namespace: str) -> None:
    home = f"--namespace={namespace}"
    assert len(FILES) >= 4
    for path in FILES:
        body = yaml.safe_load(path.read_text())
        name = f"modelpool.modelpool.dev/{body['metadata']['name']}"
        assert cluster.kubectl("apply", home, "-f", path) == f"{name} created\n"
        report(cluster, namespace, body["metadata"]["name"])
        assert cluster.kubectl("apply", home, "-f", path) == f"{name} unchanged\n", path.name
        held = json.loads(cluster.kubectl("get", name, home, "-o", "json"))
        assert held["spec"] == body["spec"], path.name
        assert held["metadata"]["generation"] == 1
        try:
            cluster.kubectl("diff", home, "-f", path)
        except KubectlError as exc:
            pytest.fail(f"{path.name}: {exc}")
        applied = ("apply", "--server-side", "--force-conflicts", "--field-manager=gitops", home, "-f")
        cluster.kubectl(*applied, path)
        version = cluster.kubectl("get", name, home, "-o", "jsonpath={.metadata.resourceVersion}")
        cluster.kubectl(*applied, path)
        assert cluster.kubectl("get", name, home, "-o", "jsonpath={.metadata.resourceVersion}") == version, path.name


def report(cluster: Cluster, namespace: str, pool: str) -> None:
    """Write a status as the operator does, so that one is there when the pool is applied again."""
    path = f"/apis/modelpool.dev/v1alpha1/namespaces/{namespace}/modelpools/{pool}"
    status = {"observedGeneration": 1, "conditions": [], "readyModels": "1/1"}
    cluster.api.patch(f"{path}/status", {"status": status}, "application/merge-patch+json")
