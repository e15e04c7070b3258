"""Pools and observations for tests: the shortest way to say what differs."""

from copy import deepcopy
from typing import Any

from modelpool_operator.api.parsing import from_body
from modelpool_operator.api.pool import ModelPool, PoolSpec
from modelpool_operator.planning.changes.plan import Plan, make_plan
from modelpool_operator.planning.memory.refusals import Refusal
from modelpool_operator.planning.objects.identity import Manifest, ref_of
from modelpool_operator.planning.observation.observed import Observed
from modelpool_operator.planning.placement.layout import place
from modelpool_operator.planning.sharing.cards import cards_of
from modelpool_operator.planning.sharing.shares import Placement

CREATED = "2026-11-22T10:00:00Z"
UNKNOWN_WEIGHTS = "pvc://weights/unknown"


def vllm(name: str, fraction: float | None = None, **fields: Any) -> dict[str, Any]:
    """Return a vLLM model of a repository nobody knows, so that only what a test states counts."""
    share = {} if fraction is None else {"gpuMemoryFraction": fraction}
    return {"name": name, "engine": "vllm", "source": UNKNOWN_WEIGHTS, **share, **fields}


def ollama(name: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, "engine": "ollama", **fields}


def pool_of(
    *models: dict[str, Any], gpus: dict[str, Any] | None = None, name: str = "agentic", **spec: Any
) -> ModelPool:
    """Return a pool on one card of 24Gi unless `gpus` says otherwise."""
    return from_body(
        {
            "apiVersion": "modelpool.dev/v1alpha1",
            "kind": "ModelPool",
            "metadata": {
                "namespace": "llm",
                "name": name,
                "uid": "4a2f9f0e-0000-4000-8000-000000000001",
                "generation": 3,
                "creationTimestamp": CREATED,
            },
            "spec": {"gpus": {"memory": "24Gi", **(gpus or {})}, "models": list(models), **spec},
        }
    )


def spec_of(*models: dict[str, Any], **spec: Any) -> PoolSpec:
    return pool_of(*models, **spec).spec


def placed(*models: dict[str, Any], **spec: Any) -> Placement:
    """Return the placement of a pool that must have one."""
    found = attempted(*models, **spec)
    assert isinstance(found, Placement), found
    return found


def refused(*models: dict[str, Any], **spec: Any) -> Refusal:
    """Return the refusal of a pool that must have none."""
    found = attempted(*models, **spec)
    assert isinstance(found, Refusal), found
    return found


def attempted(*models: dict[str, Any], **spec: Any) -> Placement | Refusal:
    wanted = spec_of(*models, **spec)
    cards = cards_of(wanted, None)
    assert isinstance(cards, tuple), cards
    return place(wanted, cards)


def two_cards(memory: str = "12Gi") -> dict[str, Any]:
    """Return arguments of a pool of two cards that each model is told by index."""
    gpus = {"memory": memory, "count": 2, "sharing": "visibleDevices"}
    return {"gpus": gpus, "nodeSelector": {"kubernetes.io/hostname": "gpu-1"}}


def stored(manifest: Manifest, uid: str = "uid") -> Manifest:
    """Return a manifest as an API server would hold it: with the fields that it adds."""
    live = deepcopy(manifest)
    live["metadata"] |= {
        "uid": f"{uid}-{live['metadata']['name']}",
        "resourceVersion": "7",
        "creationTimestamp": CREATED,
    }
    live["metadata"]["managedFields"] = [{"manager": "modelpool-operator", "operation": "Apply"}]
    if live["kind"] == "Deployment":
        pod = live["spec"]["template"]["spec"]
        pod |= {"dnsPolicy": "ClusterFirst", "schedulerName": "default-scheduler", "restartPolicy": "Always"}
        for container in pod["containers"]:
            container |= {"imagePullPolicy": "IfNotPresent", "terminationMessagePath": "/dev/termination-log"}
        for volume in pod["volumes"]:
            if "configMap" in volume:
                volume["configMap"] |= {"defaultMode": 420}
    if live["kind"] == "PersistentVolumeClaim":
        live["spec"]["volumeName"] = f"pvc-{live['metadata']['uid']}"
    if live["kind"] == "Service":
        live["spec"] |= {"clusterIP": "10.0.0.7", "clusterIPs": ["10.0.0.7"], "sessionAffinity": "None"}
    return live


def after(observed: Observed, plan: Plan, *, available: bool = True, **changes: Any) -> Observed:
    """Return what is observed once a plan was carried out, with Ollama's server up where `available`."""
    children = {ref: live for ref, live in observed.children.items() if ref not in plan.delete}
    for manifest in plan.apply:
        before = children.get(ref_of(manifest))
        live = stored(manifest)
        if before is not None and "status" in before:
            live["status"] = before["status"]
        if live["kind"] == "Deployment" and available:
            live["status"] = {"availableReplicas": 1, "readyReplicas": 1}
        children[ref_of(manifest)] = live
    return Observed(children=children, pods=changes.get("pods", observed.pods), inventory=observed.inventory)


def settled(pool: ModelPool) -> Observed:
    """Return what is observed when nothing is left to do."""
    observed = Observed()
    for _ in range(4):
        plan = make_plan(pool, observed)
        if not plan:
            return observed
        observed = after(observed, plan)
    raise AssertionError(f"the pool does not settle: {make_plan(pool, observed).reasons}")
