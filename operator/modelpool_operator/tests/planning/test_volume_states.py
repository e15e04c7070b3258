"""What a model's status says of its volume, from claims, refusals, Events and the scheduler's words."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from modelpool_operator.api import names
from modelpool_operator.api.pool import ModelPool
from modelpool_operator.api.status import PoolStatus
from modelpool_operator.planning.changes.plan import make_plan
from modelpool_operator.planning.objects.identity import ChildRef, template_of
from modelpool_operator.planning.observation.observed import Observed, Said
from modelpool_operator.planning.observation.pod_views import PodView
from modelpool_operator.planning.reporting.status import assess
from modelpool_operator.tests.planning.pools import ollama, pool_of, settled, vllm

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
CACHE = ChildRef("v1", "PersistentVolumeClaim", "agentic-cache")
MODELS = ChildRef("v1", "PersistentVolumeClaim", "agentic-ollama")
UNBOUND = "0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims"
NOBODY = Said(
    reason="ExternalProvisioning",
    message="Waiting for a volume to be created either by the external provisioner 'disks.example.com' or manually",
)


def pool(**spec: Any) -> ModelPool:
    return pool_of(vllm("a", 0.3), ollama={"enabled": False}, **spec)


def nodeless(said: str | None = None, model: str | None = "a", component: str = names.VLLM_COMPONENT) -> PodView:
    return PodView(name="p", component=component, model=model, unschedulable=said)


def told(
    looked_at: ModelPool,
    *pods: PodView,
    claim: dict[str, Any] | None = None,
    gone: ChildRef | None = None,
    said: Mapping[tuple[str, str], Said] | None = None,
    failure: str | None = None,
) -> PoolStatus:
    observed = settled(looked_at)
    children = {ref: live for ref, live in observed.children.items() if ref != gone}
    for ref in (CACHE, MODELS):
        if claim is not None and ref in children:
            metadata = {**children[ref]["metadata"], **claim.get("metadata", {})}
            children[ref] = {**children[ref], **claim, "metadata": metadata}
    refused = {gone: failure} if gone is not None and failure is not None else {}
    observed = Observed(children=children, pods=pods, said=said or {}, refused=refused)
    return assess(
        looked_at, observed, make_plan(looked_at, observed), previous=None, now=NOW, failures=tuple(refused.values())
    )


def model(status: PoolStatus) -> tuple[str, str]:
    return status.models[0].reason or "", status.models[0].message or ""


def without_volume(**spec: Any) -> dict[str, Any]:
    requested = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "100Gi"}}}
    return {"spec": {**requested, **spec}, "status": {"phase": "Pending"}}


DENIED = (
    'Could not apply PersistentVolumeClaim agentic-cache: persistentvolumeclaims "agentic-cache" is forbidden: exceeded'
    " quota: q, requested: requests.storage=100Gi, used: requests.storage=0, limited: requests.storage=50Gi (HTTP 403)"
)


def test_a_claim_that_a_quota_denies_is_told_as_such_and_not_as_absent() -> None:
    for pods in ((), (nodeless('persistentvolumeclaim "agentic-cache" not found'),), (nodeless(),)):
        status = told(pool(), *pods, gone=CACHE, failure=DENIED)
        reason, message = model(status)
        assert reason == "VolumeDenied"
        assert "exceeded quota: q, requested: requests.storage=100Gi" in message
        assert "Lower `cache.size`, or have the quota raised" in message
        degraded = next(one for one in status.conditions if one.type == "Degraded")
        assert "`cache.size`" in degraded.message


def test_a_volume_that_the_scheduler_waits_for_in_silence_is_named() -> None:
    status = told(pool(), nodeless(), claim=without_volume(), said={("PersistentVolumeClaim", "agentic-cache"): NOBODY})
    reason, message = model(status)
    assert (status.models[0].state.value, reason) == ("Unschedulable", "VolumePending")
    assert "the provisioner disks.example.com runs" in message
    assert "kubectl delete persistentvolumeclaim agentic-cache --namespace llm" in message


def test_a_pod_that_nobody_has_looked_at_yet_does_not_blame_its_volume() -> None:
    assert model(told(pool(), nodeless(), claim=without_volume()))[0] == "Scheduling"
    busy = nodeless("0/1 nodes are available: 1 Insufficient cpu")
    said = {("PersistentVolumeClaim", "agentic-cache"): NOBODY}
    assert model(told(pool(), busy, claim=without_volume(), said=said))[0] == "Unschedulable"


PENDING = {
    'storageclass.storage.k8s.io "fast" not found': "`kubectl get storageclasses` shows",
    "no persistent volumes available for this claim and no storage class is set": "has no default StorageClass",
    'failed to provision volume with StorageClass "gp3": rpc error: code = ResourceExhausted': "change `cache.size`",
}


@pytest.mark.parametrize("said", PENDING)
def test_what_was_said_of_a_claim_decides_the_advice(said: str) -> None:
    events = {("PersistentVolumeClaim", "agentic-cache"): Said(reason="ProvisioningFailed", message=said)}
    reason, message = model(told(pool(), nodeless(UNBOUND), claim=without_volume(), said=events))
    assert reason == "VolumePending"
    assert said in message
    assert PENDING[said] in message


def test_a_claim_that_goes_is_told_of_while_engines_run_on_it_and_when_one_cannot_start() -> None:
    going = {"metadata": {"deletionTimestamp": "2026-11-22T11:00:00Z"}}
    engine = settled(pool()).child("Deployment", "agentic-a")
    assert engine is not None
    running = PodView(
        name="p", component=names.VLLM_COMPONENT, model="a", node="n", phase="Running", ready=True,
        template=template_of(engine),
    )  # fmt: skip
    status = told(pool(), running, claim=going)
    conditions = {one.type: one for one in status.conditions}
    assert (conditions["Degraded"].status.value, conditions["Degraded"].reason) == ("True", "VolumeDeleted")
    stopped = nodeless('0/1 nodes are available: persistentvolumeclaim "agentic-cache" is being deleted')
    reason, message = model(told(pool(), stopped, claim=going))
    assert reason == "VolumeDeleted"
    assert "`kubectl delete pods --namespace llm --selector modelpool.dev/pool=agentic`" in message


def test_a_claim_that_lost_its_volume_is_to_be_deleted_by_hand() -> None:
    reason, message = model(told(pool(), nodeless(), claim={"status": {"phase": "Lost"}}))
    assert reason == "VolumeLost"
    assert "`kubectl delete persistentvolumeclaim agentic-cache --namespace llm`: another one is made" in message


BROUGHT = {
    "the cache": (pool(cache={"existingClaim": "mine"}), "`cache.existingClaim` names"),
    "weights": (
        pool_of(vllm("a", 0.3, source="pvc://mine/a"), ollama={"enabled": False}),
        "`source` of a names",
    ),
    "adapters": (
        pool_of(
            vllm("a", 0.3, source="hf://o/m", adapters=[{"name": "l", "source": "pvc://mine/l", "rank": 8}]),
            ollama={"enabled": False},
        ),
        "`adapters` of a names",
    ),
}


@pytest.mark.parametrize("case", BROUGHT)
def test_a_claim_that_its_users_bring_is_theirs_to_create(case: str) -> None:
    looked_at, named = BROUGHT[case]
    reason, message = model(told(looked_at, nodeless('persistentvolumeclaim "mine" not found')))
    assert reason == "VolumeMissing"
    assert "Create PersistentVolumeClaim mine in namespace llm" in message
    assert named in message


def test_ollamas_volume_is_told_of_in_its_own_words() -> None:
    looked_at = pool_of(ollama("b"))
    pod = nodeless(UNBOUND, None, names.OLLAMA_COMPONENT)
    said = {("PersistentVolumeClaim", "agentic-ollama"): Said(reason="ProvisioningFailed", message="no")}
    reason, message = model(told(looked_at, pod, claim=without_volume(), said=said))
    assert reason == "VolumePending"
    assert "`ollama.storage.size`" in message


def test_a_pod_that_hangs_on_its_node_says_what_an_event_tells() -> None:
    waits = PodView(name="p", component=names.VLLM_COMPONENT, model="a", node="n")
    assert model(told(pool(), waits))[0] == "ContainerCreating"
    words = 'Multi-Attach error for volume "pvc-8f2173a5-0000-4000-8000-000000000001" Volume is already attached'
    said = {("Pod", "p"): Said(reason="FailedAttachVolume", message=words)}
    status = told(pool(), waits, said=said)
    reason, message = model(status)
    assert (status.models[0].state.value, reason) == ("Failed", "FailedAttachVolume")
    assert 'Multi-Attach error for volume "pvc-…"' in message
    assert "still attached to another node" in message


def test_a_pull_whose_pod_is_denied_says_by_whom() -> None:
    looked_at = pool_of(ollama("b"))
    observed = settled(looked_at)
    (job,) = (ref.name for ref in observed.children if ref.kind == "Job")
    server = PodView(name="s", component=names.OLLAMA_COMPONENT, node="n", phase="Running", ready=True)
    said = Said(
        reason="FailedCreate",
        message='Error creating: pods "agentic-pull-b-x1" is forbidden: exceeded quota: pods, requested: pods=1',
    )
    reason, message = model(told(looked_at, server, said={("Job", job): said}))
    assert reason == "QuotaExceeded"
    assert "The pull's pod was not let in: exceeded quota: pods, requested: pods=1" in message
    assert "kubectl describe resourcequotas" in message


DENIED_PULLS = (
    "failed quota: q: must specify limits.ephemeral-storage for: pull",
    "minimum cpu usage per Container is 100m, but request is 50m",
    "cpu max limit to request ratio per Container is 4, but provided ratio is 20.000000",
    "exceeded quota: q, requested: limits.cpu=1, used: limits.cpu=0, limited: limits.cpu=500m",
)


@pytest.mark.parametrize("sentence", DENIED_PULLS)
def test_a_pull_whose_pod_is_denied_is_advised_on_its_own(sentence: str) -> None:
    """Its resources are others than those of the server, which may be well within the bounds."""
    looked_at = pool_of(ollama("b"))
    observed = settled(looked_at)
    (job,) = (ref.name for ref in observed.children if ref.kind == "Job")
    server = PodView(name="s", component=names.OLLAMA_COMPONENT, node="n", phase="Running", ready=True)
    said = Said(reason="FailedCreate", message=f'Error creating: pods "agentic-pull-b-x1" is forbidden: {sentence}')
    _, message = model(told(looked_at, server, said={("Job", job): said}))
    assert "`ollama.pullResources`" in message
    assert "`ollama.resources`" not in message


def test_a_deployment_whose_name_others_have_says_so() -> None:
    looked_at = pool()
    failure = "Could not apply Deployment agentic-a: an object of that name is there and is not this pool's"
    gone = ChildRef("apps/v1", "Deployment", "agentic-a")
    reason, message = model(told(looked_at, gone=gone, failure=failure))
    assert (reason, message) == (
        "NameInUse",
        (
            "an object of that name is there and is not this pool's. Delete the object that has the name, or give the"
            " pool another name: nothing of others is taken over"
        ),
    )
