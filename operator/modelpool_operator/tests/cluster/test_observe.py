"""What one pass looks at, and what it overlooks on purpose."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec import structs

from modelpool_operator.api import parsing
from modelpool_operator.api.names import ObjectRef
from modelpool_operator.api.pool import ModelPool
from modelpool_operator.api.status import SharingStatus
from modelpool_operator.cluster import errors, kinds
from modelpool_operator.cluster import observe as observing
from modelpool_operator.cluster.client import Client
from modelpool_operator.cluster.mirror import Mirror
from modelpool_operator.cluster.observe import look_again, observe
from modelpool_operator.cluster.reflector import fill
from modelpool_operator.cluster.surroundings import Surroundings
from modelpool_operator.planning.observation.observed import Observed
from modelpool_operator.planning.sharing.inventory import Inventory
from modelpool_operator.tests.cluster.api_server import ApiServer

LABELS = {"app.kubernetes.io/managed-by": "modelpool-operator", "modelpool.dev/pool": "agentic"}
PODS = "/api/v1/namespaces/llm/pods"
OWNER = {
    "apiVersion": "modelpool.dev/v1alpha1",
    "kind": "ModelPool",
    "name": "agentic",
    "uid": "ours",
    "controller": True,
}


def pool(**gpus: Any) -> ModelPool:
    return parsing.from_body(
        {
            "apiVersion": "modelpool.dev/v1alpha1",
            "kind": "ModelPool",
            "metadata": {"namespace": "llm", "name": "agentic", "uid": "ours"},
            "spec": {"gpus": gpus, "nodeSelector": {"pool": "a"}, "models": [{"name": "m", "engine": "ollama"}]},
        }
    )


async def looked(client: Client, looked_at: ModelPool, chosen: SharingStatus | None = None) -> Observed:
    """Observe a pool once everything was listed."""
    mirror = Mirror()
    await fill(client, mirror)
    return await observe(client, mirror, looked_at, chosen=chosen)


def anywhere(**gpus: Any) -> ModelPool:
    """Return a pool that says nothing of its node."""
    found = pool(**gpus)
    return structs.replace(found, spec=structs.replace(found.spec, node_selector={}))


def asked_for(server: ApiServer) -> list[tuple[str, str | None]]:
    """Return what was asked of nodes and of what else has no namespace: paths, and labels that selected them."""
    folders = ("/api/v1/nodes", "/apis/resource.k8s.io/v1/resourceslices", "/apis/node.k8s.io/v1/runtimeclasses")
    return [(one.path, one.query.get("labelSelector")) for one in server.requests if one.path in folders]


def put_service(server: ApiServer, name: str, **metadata: Any) -> None:
    server.put("/api/v1/namespaces/llm/services", metadata={"name": name, "labels": LABELS, **metadata})


async def test_a_volume_that_outlived_a_pool_of_the_name_is_the_pools(server: ApiServer, client: Client) -> None:
    folder, kept = "/api/v1/namespaces/llm/persistentvolumeclaims", {"modelpool.dev/on-delete": "Retain"}
    server.put(folder, metadata={"name": "agentic-cache", "labels": LABELS, "annotations": kept})
    server.put(folder, metadata={"name": "by-hand", "labels": LABELS})
    owned = {"labels": LABELS, "annotations": kept, "ownerReferences": [{**OWNER, "uid": "theirs"}]}
    server.put(folder, metadata={"name": "of-another", **owned})
    observed = await looked(client, pool(memory="24Gi"))
    assert [str(ref) for ref in observed.children] == ["PersistentVolumeClaim agentic-cache"]


async def test_only_children_of_this_very_pool_count(server: ApiServer, client: Client) -> None:
    put_service(server, "ours", ownerReferences=[OWNER])
    put_service(server, "of-the-pool-that-had-the-name-before", ownerReferences=[{**OWNER, "uid": "theirs"}])
    put_service(server, "labelled-by-hand")
    put_service(server, "owned-but-not-controlled", ownerReferences=[{**OWNER, "controller": False}])
    put_service(server, "of-another-pool", labels={**LABELS, "modelpool.dev/pool": "other"}, ownerReferences=[OWNER])
    observed = await looked(client, pool(memory="24Gi"))
    assert [str(ref) for ref in observed.children] == ["Service ours"]


SLICES = "/apis/discovery.k8s.io/v1/namespaces/llm/endpointslices"


def put_slices(server: ApiServer) -> None:
    def endpoint(name: str, **conditions: Any) -> dict[str, Any]:
        return {"targetRef": {"kind": "Pod", "name": name}, "conditions": conditions}

    labels = {**LABELS, "kubernetes.io/service-name": "agentic-a"}
    some = [endpoint("ready", ready=True), endpoint("unready", ready=False), endpoint("unsaid")]
    server.put(SLICES, metadata={"name": "agentic-a-x", "labels": labels}, endpoints=some)
    server.put(SLICES, metadata={"name": "agentic-a-y", "labels": labels}, endpoints=[endpoint("more", ready=True)])
    by_hand = [{"addresses": ["10.0.0.9"], "conditions": {"ready": True}}]
    server.put(SLICES, metadata={"name": "agentic-a-z", "labels": labels}, endpoints=by_hand)
    server.put(SLICES, metadata={"name": "empty", "labels": {**labels, "kubernetes.io/service-name": "agentic-b"}})


async def test_the_endpoints_of_the_pools_services_are_seen(server: ApiServer, client: Client) -> None:
    put_slices(server)
    observed = await looked(client, pool(memory="24Gi"))
    assert observed.endpoints == {"agentic-a": frozenset({"ready", "unsaid", "more"})}


async def test_what_a_plan_changed_is_seen_without_asking(server: ApiServer, client: Client) -> None:
    mirror, service = Mirror(), kinds.child("v1", "Service")
    await fill(client, mirror)
    before = replace(await observe(client, mirror, pool(memory="24Gi")), claimed={"m": ObjectRef("llm", "other")})
    server.requests.clear()
    made = {"name": "new", "namespace": "llm", "labels": LABELS, "ownerReferences": [OWNER]}
    mirror.note(service, {"apiVersion": "v1", "kind": "Service", "metadata": {**made, "resourceVersion": "999999"}})
    then = look_again(mirror, pool(memory="24Gi"), before)
    assert [str(ref) for ref in then.children] == ["Service new"]
    assert (then.claimed, then.inventory) == (before.claimed, before.inventory)
    assert server.requests == []


async def test_what_the_mirror_holds_is_not_asked_for(server: ApiServer, client: Client) -> None:
    mirror = Mirror()
    await fill(client, mirror)
    server.requests.clear()
    await observe(client, mirror, pool(memory="24Gi"))
    assert server.requests == []


async def test_nodes_of_the_pool_tell_what_the_pool_does_not(server: ApiServer, client: Client) -> None:
    labels = {"pool": "a", "nvidia.com/gpu.memory": "24564"}
    server.put("/api/v1/nodes", metadata={"name": "n", "labels": labels})
    server.put("/api/v1/nodes", metadata={"name": "other", "labels": {"pool": "b"}})
    observed = await looked(client, pool())
    assert [(node.name, node.gpu_memory) for node in observed.inventory.nodes] == [("n", 24564 * 1024**2)]


def put_slice(server: ApiServer, node: str, memory: str, driver: str = "gpu.nvidia.com") -> None:
    devices = [{"name": "gpu-0", "capacity": {"memory": {"value": memory}}}]
    spec = {"driver": driver, "nodeName": node, "devices": devices}
    server.put("/apis/resource.k8s.io/v1/resourceslices", metadata={"name": f"{node}-{driver}"}, spec=spec)


async def test_the_driver_tells_what_no_label_does(server: ApiServer, client: Client) -> None:
    server.put("/api/v1/nodes", metadata={"name": "n", "labels": {"pool": "a"}})
    put_slice(server, "n", "24Gi")
    put_slice(server, "n", "1Gi", driver="other.example.com")
    found = (await looked(client, pool(sharing="dra"))).inventory
    assert found.memories(by_devices=True) == {"n": (24 * 1024**3,)}
    assert found.device_classes == frozenset()


async def test_a_cluster_without_devices_has_labels_only(server: ApiServer, client: Client) -> None:
    server.refuse("GET", "/apis/resource.k8s.io/v1/resourceslices", 404)
    server.put("/api/v1/nodes", metadata={"name": "n", "labels": {"pool": "a", "nvidia.com/gpu.memory": "12288"}})
    found = (await looked(client, pool())).inventory
    assert found.memories(by_devices=True) == {"n": (12 * 1024**3,)}


async def test_a_way_of_sharing_that_is_open_is_looked_for(server: ApiServer, client: Client) -> None:
    resources = {"status": {"allocatable": {"nvidia.com/gpu": "4", "cpu": "64"}}}
    server.put("/api/v1/nodes", metadata={"name": "n", "labels": {"pool": "a"}}, **resources)
    server.put("/apis/resource.k8s.io/v1/deviceclasses", metadata={"name": "gpu.nvidia.com"})
    server.put("/apis/resource.k8s.io/v1/deviceclasses", metadata={"name": "nic.example.com"})
    server.put("/apis/node.k8s.io/v1/runtimeclasses", metadata={"name": "nvidia"})
    found = (await looked(client, pool(memory="24Gi", sharing="auto"))).inventory
    assert found.nodes[0].resources == {"nvidia.com/gpu": 4}
    assert found.device_classes == frozenset({"gpu.nvidia.com"})
    assert found.runtime_classes == frozenset({"nvidia"})


async def test_a_pool_that_runs_with_what_was_chosen_for_it_is_not_looked_for(
    server: ApiServer, client: Client
) -> None:
    chosen = SharingStatus(mode="timeSlicing", evidence="before")
    server.put("/api/v1/nodes", metadata={"name": "gpu", "labels": {"nvidia.com/gpu.memory": "24576"}})
    folder = "/apis/apps/v1/namespaces/llm/deployments"
    server.put(folder, metadata={"name": "engine", "labels": LABELS, "ownerReferences": [OWNER]})
    for memory, asked in ((None, [("/api/v1/nodes", "nvidia.com/gpu.memory")]), ("24Gi", [])):
        server.requests.clear()
        await looked(client, anywhere(memory=memory, sharing="auto"), chosen)
        assert asked_for(server) == asked


async def test_all_nodes_are_looked_at_while_a_pod_finds_none(server: ApiServer, client: Client) -> None:
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "none"}
    server.put(PODS, metadata={"name": "engine", "labels": LABELS}, status={"conditions": [condition]})
    for name in ("here", "there"):
        server.put("/api/v1/nodes", metadata={"name": name, "labels": {"pool": name}})
    found = (await looked(client, pool(memory="24Gi"))).inventory
    assert [node.name for node in found.nodes] == ["here", "there"]
    server.refuse("GET", "/api/v1/nodes", 403)
    assert (await looked(client, pool(memory="24Gi"))).inventory == Inventory()


@pytest.mark.parametrize(("on_card", "every_node"), [(True, False), (False, True)], ids=["on a card", "on the CPU"])
async def test_all_nodes_are_looked_at_before_there_are_engines_on_cards(
    server: ApiServer, client: Client, on_card: bool, every_node: bool
) -> None:
    folder, labels = "/apis/apps/v1/namespaces/llm/deployments", {"modelpool.dev/on-card": "true"} if on_card else {}
    described = {"name": "agentic-ollama", "labels": LABELS, "ownerReferences": [OWNER]}
    server.put(folder, metadata=described, spec={"template": {"metadata": {"labels": labels}}})
    models = [{"name": name, "engine": "vllm", "source": "pvc://weights/m", "gpuMemoryFraction": 0.3} for name in "ab"]
    two = parsing.from_body(
        {
            "apiVersion": "modelpool.dev/v1alpha1",
            "kind": "ModelPool",
            "metadata": {"namespace": "llm", "name": "agentic", "uid": "ours"},
            "spec": {"gpus": {"memory": "24Gi"}, "models": models},
        }
    )
    assert (await looked(client, two)).every_node is every_node


async def test_the_label_of_a_slice_tells_of_which_nodes_it_is(server: ApiServer, client: Client) -> None:
    label = "nvidia.com/mig-3g.20gb.memory"
    server.put("/api/v1/nodes", metadata={"name": "mig", "labels": {"nvidia.com/gpu.memory": "40960", label: "19968"}})
    await looked(client, anywhere(resourceName="nvidia.com/mig-3g.20gb"))
    assert asked_for(server) == [("/api/v1/nodes", label)]


async def test_the_driver_may_contradict_a_pool_that_shares_by_claims(server: ApiServer, client: Client) -> None:
    annotations = {"modelpool.dev/gpu": "0", "modelpool.dev/gpu-memory": "1000"}
    server.put(PODS, metadata={"name": "engine", "labels": LABELS, "annotations": annotations}, spec={"nodeName": "n"})
    put_slice(server, "n", "12Gi")
    put_slice(server, "other", "8Gi")
    found = (await looked(client, pool(memory="24Gi", sharing="dra"))).inventory
    assert found.memories(by_devices=True) == {"n": (12 * 1024**3,)}, "where it runs, and nowhere else"


async def test_who_may_not_look_at_devices_shares_by_claims_all_the_same(server: ApiServer, client: Client) -> None:
    server.refuse("GET", "/apis/resource.k8s.io/v1/resourceslices", 403)
    assert (await looked(client, pool(memory="24Gi", sharing="dra"))).inventory == Inventory()
    with pytest.raises(errors.DeniedError):
        await looked(client, pool(sharing="dra"))


@pytest.mark.parametrize("labels", [{"pool": "a"}, {}], ids=["selected", "anywhere"])
@pytest.mark.parametrize(
    "gpus",
    [
        {},
        {"memory": "24Gi"},
        {"resourceName": "nvidia.com/mig-3g.20gb"},
        {"sharing": "auto"},
        {"memory": "24Gi", "sharing": "auto"},
        {"sharing": "dra"},
    ],
    ids=str,
)
@pytest.mark.parametrize("lost", [False, True], ids=["found", "lost"])
async def test_nodes_that_are_watched_are_not_asked_for_and_say_the_same(
    server: ApiServer, client: Client, gpus: dict[str, Any], labels: dict[str, str], lost: bool
) -> None:
    memory, part = {"nvidia.com/gpu.memory": "24564"}, {"nvidia.com/mig-3g.20gb.memory": "19968"}
    for name, said in {"a": memory, "b": part, "c": {}}.items():
        server.put("/api/v1/nodes", metadata={"name": name, "labels": {"pool": name, **said}})
    server.put("/api/v1/nodes", metadata={"name": "d", "labels": memory})
    put_slice(server, "c", "24Gi")
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "none"}
    annotations = {"modelpool.dev/gpu": "0", "modelpool.dev/gpu-memory": "1000"}
    described = {"name": "engine", "labels": LABELS, "annotations": annotations}
    status = {"conditions": [condition]} if lost else {}
    server.put(PODS, metadata=described, spec={} if lost else {"nodeName": "b"}, status=status)
    found = anywhere(**gpus)
    asking = structs.replace(found, spec=structs.replace(found.spec, node_selector=labels))
    mirror, around = Mirror(), Surroundings()
    await fill(client, mirror)
    await fill(client, around)
    asked = await observe(client, mirror, asking)
    server.requests.clear()
    told = await observe(client, mirror, asking, nodes=around.known_nodes)
    assert told == asked
    assert [one for one in asked_for(server) if one[0] == "/api/v1/nodes"] == []


def put_pod(server: ApiServer, name: str, *, ready: bool) -> None:
    status = {
        "phase": "Running",
        "conditions": [{"type": "Ready", "status": str(ready)}],
        "containerStatuses": [{"name": "vllm", "ready": ready, "state": {"running": {}}}],
    }
    labels, others = {**LABELS, "app.kubernetes.io/name": "vllm"}, [{"name": "istio-proxy"}, {"name": "vllm"}]
    server.put(PODS, metadata={"name": name, "labels": labels}, spec={"containers": others}, status=status)


async def test_only_the_log_of_an_engine_that_starts_is_read(server: ApiServer, client: Client) -> None:
    put_pod(server, "starting", ready=False)
    put_pod(server, "serving", ready=True)
    server.texts[f"{PODS}/starting/log"] = "Loading weights\n42%\n"
    observed = await looked(client, pool(memory="24Gi"))
    assert {pod.name: pod.log for pod in observed.pods} == {"starting": ("Loading weights", "42%"), "serving": ()}
    (asked,) = (request.query for request in server.requests if request.path.endswith("/log"))
    assert asked["container"] == "vllm", "and no other that stands before it"


async def test_a_log_that_cannot_be_read_is_no_reason_to_stop(server: ApiServer, client: Client) -> None:
    put_pod(server, "starting", ready=False)
    observed = await looked(client, pool(memory="24Gi"))
    assert [pod.log for pod in observed.pods] == [()]


async def test_a_node_that_does_not_answer_holds_up_no_pass(
    server: ApiServer, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(observing, "LOG_SECONDS", 0.05)
    put_pod(server, "starting", ready=False)
    server.hangs.add(f"{PODS}/starting/log")
    async with asyncio.timeout(10):
        observed = await looked(client, pool(memory="24Gi"))
    assert [pod.log for pod in observed.pods] == [()]


async def test_without_a_kind_nothing_is_decided(client: Client) -> None:
    with pytest.raises(errors.UnreachableError, match="list pods"):
        await observe(client, Mirror(), pool(memory="24Gi"))


async def test_the_node_of_a_running_engine_is_asked_how_large_its_cards_are(server: ApiServer, client: Client) -> None:
    annotations = {"modelpool.dev/gpu": "0", "modelpool.dev/gpu-memory": "1000"}
    server.put(PODS, metadata={"name": "engine", "labels": LABELS, "annotations": annotations}, spec={"nodeName": "n"})
    server.put(PODS, metadata={"name": "pull", "labels": LABELS}, spec={"nodeName": "other"})
    for name in ("n", "other"):
        server.put("/api/v1/nodes", metadata={"name": name, "labels": {"nvidia.com/gpu.memory": "12288"}})
    observed = await looked(client, pool(memory="24Gi"))
    assert [(node.name, node.gpu_memory) for node in observed.inventory.nodes] == [("n", 12 * 1024**3)]


async def test_who_may_not_look_at_nodes_looks_at_the_rest(server: ApiServer, client: Client) -> None:
    annotations = {"modelpool.dev/gpu": "0", "modelpool.dev/gpu-memory": "1000"}
    server.put(PODS, metadata={"name": "engine", "labels": LABELS, "annotations": annotations}, spec={"nodeName": "n"})
    server.refuse("GET", "/api/v1/nodes", 403)
    observed = await looked(client, pool(memory="24Gi"))
    assert observed.inventory.nodes == ()
    assert [pod.name for pod in observed.pods] == ["engine"]


MADE = datetime(2026, 11, 22, 10, tzinfo=UTC)
EVENTS = "/api/v1/namespaces/llm/events"


def put_event(server: ApiServer, kind: str, name: str, uid: str, reason: str, message: str) -> None:
    server.put(
        EVENTS,
        metadata={"name": f"{name}.{uid}"},
        involvedObject={"kind": kind, "name": name, "uid": uid},
        type="Warning",
        reason=reason,
        message=message,
        lastTimestamp="2026-11-22T10:00:05Z",
    )


async def hangs(server: ApiServer, client: Client, seconds: float) -> Observed:
    """Look so long after a claim, that nobody provisions, and a pod of Ollama, that waits for it, were made."""
    claims, times = "/api/v1/namespaces/llm/persistentvolumeclaims", {"creationTimestamp": "2026-11-22T10:00:00Z"}
    metadata = {"name": "agentic-ollama", "uid": "its", "labels": LABELS, "ownerReferences": [OWNER], **times}
    server.put(claims, metadata=metadata, spec={})
    server.put(PODS, metadata={"name": "server", "labels": LABELS, **times}, spec={"containers": []})
    put_event(server, "PersistentVolumeClaim", "agentic-ollama", "its", "ProvisioningFailed", "nobody does it")
    put_event(server, "PersistentVolumeClaim", "agentic-ollama", "of the one before", "ProvisioningFailed", "old")
    mirror = Mirror()
    await fill(client, mirror)
    server.requests.clear()
    return await observe(client, mirror, pool(memory="24Gi"), now=lambda: MADE + timedelta(seconds=seconds))


async def test_what_hangs_is_asked_about_once_it_has_taken_too_long(server: ApiServer, client: Client) -> None:
    assert (await hangs(server, client, 5)).said == {}
    assert server.requests == []
    observed = await hangs(server, client, 30)
    assert [(key, said.message) for key, said in observed.said.items()] == [
        (("PersistentVolumeClaim", "agentic-ollama"), "nobody does it")
    ]
    assert [request.path for request in server.requests] == [EVENTS]


async def test_an_installation_that_may_not_read_events_is_told_less(server: ApiServer, client: Client) -> None:
    server.refuse("GET", EVENTS, 403)
    assert (await hangs(server, client, 30)).said == {}


async def test_of_a_pool_that_runs_on_claims_its_own_nodes_are_asked_for(server: ApiServer, client: Client) -> None:
    annotations = {"modelpool.dev/gpu": "0", "modelpool.dev/gpu-memory": "1000"}
    server.put(PODS, metadata={"name": "engine", "labels": LABELS, "annotations": annotations}, spec={"nodeName": "n0"})
    folder = "/apis/apps/v1/namespaces/llm/deployments"
    template = {"metadata": {"labels": {"modelpool.dev/on-card": "true"}}}
    server.put(
        folder, metadata={"name": "e", "labels": LABELS, "ownerReferences": [OWNER]}, spec={"template": template}
    )
    for number in range(3):
        server.put("/api/v1/nodes", metadata={"name": f"n{number}"})
        put_slice(server, f"n{number}", "24Gi")
    chosen = SharingStatus(mode="dra", evidence="before")
    for sharing in ("auto", "dra"):
        found = (await looked(client, anywhere(memory="24Gi", sharing=sharing), chosen)).inventory
        assert [node.name for node in found.nodes] == ["n0"]
        assert [device.node for device in found.devices] == ["n0"]
