"""Each example, applied as it stands, becomes exactly the objects that its golden file shows.

`MODELPOOL_WRITE_GOLDEN=1` writes the golden files anew; look at what changed before you commit it.
"""

import base64
import json
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from examples_golden import GOLDEN, dumped, normalised

from modelpool_cluster import waiting
from modelpool_cluster.cluster import Cluster
from modelpool_cluster.plugin import GpuNodes
from modelpool_sidecar.routing.documents import Pool as KeyedPool
from modelpool_sidecar.routing.keys import Keys
from modelpool_under_test.processes.installation import RELEASE_KEY, Installation
from modelpool_under_test.processes.operator_program import Operator
from modelpool_under_test.processes.pools import Object, Pool, example

pytestmark = pytest.mark.cluster

WEIGHTS = {
    "apiVersion": "v1",
    "kind": "PersistentVolumeClaim",
    "metadata": {"name": "weights"},
    "spec": {"accessModes": ["ReadOnlyMany"], "resources": {"requests": {"storage": "10Gi"}}},
}
"""What single-gpu-24gb.yaml asks its user to bring."""


@pytest.fixture
def operator(installation: Installation) -> Iterator[Operator]:
    """The operator as the chart starts it: told of its gateways and of the release key."""
    with installation.operator(*installation.told) as running:
        yield running


@pytest.mark.parametrize(
    ("name", "ready"), [("single-gpu-24gb", "5/5"), ("two-gpu-12gb", "4/4"), ("consolidated", "2/2")]
)
def test_an_example_becomes_the_objects_of_its_golden_file(
    cluster: Cluster, gpu_node: GpuNodes, namespace: str, operator: Operator, name: str, ready: str
) -> None:
    gpu_node(gpus=2, replicas=4)
    cluster.api.create(f"/api/v1/namespaces/{namespace}/persistentvolumeclaims", WEIGHTS)

    began, began_at = time.monotonic(), datetime.now(UTC)
    pool = Pool.create(cluster, namespace, example(name))
    waiting.wait_for("the first Deployment", lambda: pool.names(["Deployment"]), every=0.02)
    first = time.monotonic() - began
    waiting.wait_for("the routes", lambda: any("-routes" in one for one in pool.names(["ConfigMap"])), every=0.02)
    print(f"{name}: first Deployment {first:.2f} s after apply, the last object {time.monotonic() - began:.2f} s")

    pool.wait_ready(ready)
    pool.settle(operator)  # fallbacks are pulled for, and no model waits for them
    found = dumped([normalised(child, namespace) for child in pool.children()])
    golden = GOLDEN / f"{name}.yaml"
    if os.environ.get("MODELPOOL_WRITE_GOLDEN"):
        golden.write_text(found)
    assert found == golden.read_text(), f"{golden.name} differs: MODELPOOL_WRITE_GOLDEN=1 writes it anew"
    asked = {one["metadata"]["name"]: variable for one in pool.children(["Deployment"]) for variable in asking(one)}
    assert len(asked) == len([one for one in pool.get()["spec"]["models"] if one["engine"] == "vllm"])
    the_key_is_the_pools(cluster, pool, {one["valueFrom"]["secretKeyRef"]["name"] for one in asked.values()})
    nobody_read_it(operator, began_at)


def asking(deployment: Object) -> list[Object]:
    """Return the variable by which an engine is told its key."""
    containers = deployment["spec"]["template"]["spec"]["containers"]
    return [one for container in containers for one in container["env"] if one["name"] == "VLLM_API_KEY"]


def the_key_is_the_pools(cluster: Cluster, pool: Pool, named: set[str]) -> None:
    """One Secret, of the pool, with the key that a gateway would make for it; no other object holds it."""
    secrets = f"/api/v1/namespaces/{pool.namespace}/secrets"
    (name,) = named
    secret, body = cluster.api.get(f"{secrets}/{name}"), pool.get()
    assert [one["uid"] for one in secret["metadata"]["ownerReferences"]] == [body["metadata"]["uid"]]
    assert secret["immutable"] is True
    release = base64.b64decode(cluster.api.get(f"{secrets}/{RELEASE_KEY}")["data"]["key"])
    line = Keys(release).line(KeyedPool(namespace=pool.namespace, name=pool.name, uid=body["metadata"]["uid"]))
    key = base64.b64decode(secret["data"]["key"])
    assert line == b"Authorization: Bearer %b\r\n" % key
    told = json.dumps([*pool.children(), *pool.pods("vllm"), body])
    assert key.decode() not in told
    assert secret["data"]["key"] not in told


def nobody_read_it(operator: Operator, since: datetime) -> None:
    """The operator makes the pool's Secret, once, and asks for none."""
    asked = [(one.verb, one.name) for one in operator.requests(since) if one.resource == "secrets"]
    assert [verb for verb, _ in asked] == ["create"], asked


def test_a_pool_that_does_not_fit_becomes_a_status_with_numbers_and_nothing_else(
    cluster: Cluster, namespace: str, operator: Operator
) -> None:
    pool = Pool.create(cluster, namespace, example("does-not-fit"))
    planned = waiting.wait_for("the condition Planned", lambda: pool.conditions().get("Planned"))
    assert planned["status"] == "False"
    assert planned["observedGeneration"] == 1
    assert "16.4" in planned["message"], planned
    assert "12" in planned["message"], planned

    pool.settle(operator)
    assert pool.names() == set()
    ours = {write for write in operator.writes() if "events" not in write and RELEASE_KEY not in write}
    assert ours == {"patch modelpools/does-not-fit/status"}
    events = cluster.api.items(f"/api/v1/namespaces/{namespace}/events", fieldSelector="involvedObject.kind=ModelPool")
    assert [(event["reason"], event["message"]) for event in events] == [(planned["reason"], planned["message"])]


def test_every_golden_file_belongs_to_an_example() -> None:
    assert {path.stem for path in GOLDEN.iterdir()} == {"single-gpu-24gb", "two-gpu-12gb", "consolidated"}
    assert all(isinstance(path, Path) and path.suffix == ".yaml" for path in GOLDEN.iterdir())
