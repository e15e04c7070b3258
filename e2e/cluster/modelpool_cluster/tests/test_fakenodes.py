"""Pods on fake GPU nodes live as pods on real ones do, and the scheduler counts their cards."""

from __future__ import annotations

from typing import Any

from modelpool_cluster.cluster import Cluster
from modelpool_cluster.fakenodes.acting import is_ready
from modelpool_cluster.plugin import GpuNodes
from modelpool_cluster.waiting import wait_for

LABELS = {"app": "engine"}


def pod(name: str, node: str, *, gpus: int = 1, **spec: Any) -> dict[str, Any]:
    container: dict[str, Any] = {
        "name": "engine",
        "image": "engine:1",
        "ports": [{"name": "http", "containerPort": 8000}],
    }
    if gpus:
        container["resources"] = {"limits": {"nvidia.com/gpu": str(gpus)}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": LABELS},
        "spec": {
            "nodeSelector": {"kubernetes.io/hostname": node},
            "terminationGracePeriodSeconds": 0,
            "containers": [container],
            **spec,
        },
    }


def create(cluster: Cluster, namespace: str, manifest: dict[str, Any]) -> None:
    cluster.api.create(f"/api/v1/namespaces/{namespace}/pods", manifest)


def get(cluster: Cluster, namespace: str, name: str) -> dict[str, Any]:
    return cluster.api.get(f"/api/v1/namespaces/{namespace}/pods/{name}")


def condition(pod: dict[str, Any], kind: str) -> dict[str, Any]:
    return next((found for found in pod["status"].get("conditions", ()) if found["type"] == kind), {})


def scheduled(cluster: Cluster, namespace: str, name: str) -> dict[str, Any]:
    def look() -> dict[str, Any]:
        found = get(cluster, namespace, name)
        assert condition(found, "PodScheduled").get("status") == "True", found["status"]
        return found

    return wait_for(f"{name} to be scheduled", look)


def addresses(cluster: Cluster, namespace: str, ready: bool) -> list[str]:
    slices = cluster.api.items(f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices")
    return [
        address
        for endpoints in slices
        for endpoint in endpoints["endpoints"] or ()
        if endpoint["conditions"]["ready"] is ready
        for address in endpoint["addresses"]
    ]


def test_a_pod_on_a_gpu_node_becomes_ready(cluster: Cluster, namespace: str, gpu_node: GpuNodes) -> None:
    node = gpu_node()
    sidecar = {"name": "side", "image": "side:1", "restartPolicy": "Always"}
    create(cluster, namespace, pod("one", node, runtimeClassName="nvidia", initContainers=[sidecar]))

    cluster.wait_until_ready(namespace)

    status = get(cluster, namespace, "one")["status"]
    assert status["phase"] == "Running"
    assert not status["podIP"].startswith("127.")
    assert status["containerStatuses"][0]["state"].keys() == {"running"}
    assert status["initContainerStatuses"][0]["started"] is True
    assert condition({"status": status}, "PodScheduled")["status"] == "True"


def test_a_card_more_than_there_are_leaves_the_pod_pending(
    cluster: Cluster, namespace: str, gpu_node: GpuNodes
) -> None:
    node = gpu_node(gpus=1, replicas=2)
    for name in ("one", "two"):
        create(cluster, namespace, pod(name, node))
    cluster.wait_until_ready(namespace, count=2)
    create(cluster, namespace, pod("three", node))

    def look() -> dict[str, Any]:
        found = condition(get(cluster, namespace, "three"), "PodScheduled")
        assert found.get("reason") == "Unschedulable", found
        return found

    assert "Insufficient nvidia.com/gpu" in wait_for("a refusal by the scheduler", look)["message"]
    cluster.api.delete(f"/api/v1/namespaces/{namespace}/pods/one")
    cluster.wait_until_ready(namespace, count=2)


def test_a_job_completes(cluster: Cluster, namespace: str, gpu_node: GpuNodes) -> None:
    template = pod("ignored", gpu_node(gpus=0), gpus=0, restartPolicy="Never")
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "once"},
        "spec": {"template": {"spec": template["spec"]}},
    }
    cluster.api.create(f"/apis/batch/v1/namespaces/{namespace}/jobs", job)

    def look() -> bool:
        status = cluster.api.get(f"/apis/batch/v1/namespaces/{namespace}/jobs/once").get("status", {})
        assert any(found["type"] == "Complete" for found in status.get("conditions", ())), status
        return True

    assert wait_for("the job's completion", look)


def test_a_services_endpoints_follow_readiness(cluster: Cluster, namespace: str, gpu_node: GpuNodes) -> None:
    node = gpu_node(gpus=2)
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "engine", "namespace": namespace},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": LABELS},
            "template": {"metadata": {"labels": LABELS}, "spec": pod("ignored", node)["spec"]},
        },
    }
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "engine", "namespace": namespace},
        "spec": {"selector": LABELS, "ports": [{"port": 8000, "targetPort": "http"}]},
    }
    cluster.apply(deployment, service)
    one, _ = cluster.wait_until_ready(namespace, count=2)
    wait_for("two ready endpoints", lambda: len(addresses(cluster, namespace, ready=True)) == 2)

    cluster.set_pod_ready(namespace, one, False, reason="ContainersNotReady", message="draining")
    wait_for("one endpoint to be unready", lambda: len(addresses(cluster, namespace, ready=True)) == 1)
    assert addresses(cluster, namespace, ready=False) == [get(cluster, namespace, one)["status"]["podIP"]]

    cluster.set_pod_ready(namespace, one, True)
    wait_for("both endpoints again", lambda: len(addresses(cluster, namespace, ready=True)) == 2)


def test_a_pod_on_a_held_node_lives_as_the_test_says(cluster: Cluster, namespace: str, gpu_node: GpuNodes) -> None:
    node = gpu_node(held=True)
    create(cluster, namespace, pod("one", node))
    assert scheduled(cluster, namespace, "one")["status"]["phase"] == "Pending"

    cluster.set_container_waiting(namespace, "one", "ImagePullBackOff", message='Back-off pulling "engine:1"')
    status = get(cluster, namespace, "one")["status"]
    assert status["phase"] == "Pending"
    assert status["containerStatuses"][0]["state"]["waiting"]["reason"] == "ImagePullBackOff"

    cluster.set_container_waiting(
        namespace, "one", "CrashLoopBackOff", restarts=3, last_exit={"exitCode": 137, "reason": "OOMKilled"}
    )
    container = get(cluster, namespace, "one")["status"]["containerStatuses"][0]
    assert (container["restartCount"], container["lastState"]["terminated"]["reason"]) == (3, "OOMKilled")

    cluster.set_pod_ready(namespace, "one", True)
    found = get(cluster, namespace, "one")
    assert is_ready(found)
    assert found["status"]["podIP"]

    cluster.fail_pod(namespace, "one", "Evicted", message="out of memory")
    assert get(cluster, namespace, "one")["status"]["reason"] == "Evicted"


def test_what_a_test_wrote_kwok_leaves_alone(cluster: Cluster, namespace: str, gpu_node: GpuNodes) -> None:
    node = gpu_node(gpus=2)
    create(cluster, namespace, pod("one", node))
    cluster.wait_until_ready(namespace)

    cluster.set_container_waiting(namespace, "one", "ImagePullBackOff")
    create(cluster, namespace, pod("witness", node))  # kwok has worked since: it would have taken "one" back, too

    wait_for("the witness", lambda: is_ready(get(cluster, namespace, "witness")))
    assert get(cluster, namespace, "one")["status"]["phase"] == "Pending"
    cluster.release_pod(namespace, "one")
    cluster.wait_until_ready(namespace, count=2)


def test_a_claim_gets_a_volume(cluster: Cluster, namespace: str, gpu_node: GpuNodes) -> None:
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "weights"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "10Gi"}}},
    }
    cluster.api.create(f"/api/v1/namespaces/{namespace}/persistentvolumeclaims", claim)
    volumes = [{"name": "weights", "persistentVolumeClaim": {"claimName": "weights"}}]
    create(cluster, namespace, pod("one", gpu_node(), volumes=volumes))

    cluster.wait_until_ready(namespace)

    bound = cluster.api.get(f"/api/v1/namespaces/{namespace}/persistentvolumeclaims/weights")
    assert (bound["status"]["phase"], bound["status"]["capacity"]) == ("Bound", {"storage": "10Gi"})
    cluster.api.delete(f"/api/v1/namespaces/{namespace}/pods/one")
    cluster.api.delete(f"/api/v1/namespaces/{namespace}/persistentvolumeclaims/weights")
    volume = f"/api/v1/persistentvolumes/{bound['spec']['volumeName']}"
    wait_for("the end of the volume", lambda: cluster.api.find(volume) is None)
