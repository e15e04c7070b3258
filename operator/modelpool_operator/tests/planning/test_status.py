"""What is reported, from pods as Kubernetes describes them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from msgspec import structs

from modelpool_operator.api import names, parsing
from modelpool_operator.api.names import ObjectRef
from modelpool_operator.api.pool import ModelPool
from modelpool_operator.api.status import Condition, ConditionStatus, GatewayStatus, ModelState, PoolStatus
from modelpool_operator.planning.changes.plan import Plan, make_plan
from modelpool_operator.planning.objects.identity import ChildRef
from modelpool_operator.planning.observation.observed import Observed
from modelpool_operator.planning.observation.pod_views import PodView
from modelpool_operator.planning.placement.card_arithmetic import lines_of
from modelpool_operator.planning.reporting.status import assess, assess_failed, assess_invalid
from modelpool_operator.planning.sharing.inventory import Inventory, NodeView
from modelpool_operator.planning.sharing.shares import Placement
from modelpool_operator.tests.planning.pools import ollama, pool_of, settled, two_cards, vllm

NOW = datetime(2026, 11, 22, 12, 0, 0, 123456, tzinfo=UTC)
QWEN = vllm("qwen3:8b", 0.35, source="hf://Qwen/Qwen3-8B-AWQ", contextLength=4096)
POOL = pool_of(QWEN, ollama("cogito:8b"))


def pod(
    model: str | None,
    component: str = names.VLLM_COMPONENT,
    *,
    ready: bool = False,
    log: tuple[str, ...] = (),
    unschedulable: str | None = None,
    created: str = "2026-11-22T11:00:00Z",
    deleting: bool = False,
    node: str | None = "gpu-1",
    probed: bool = False,
    why_not: str = "",
    beside: tuple[dict[str, Any], ...] = (),
    inits: tuple[dict[str, Any], ...] = (),
    **container: Any,
) -> PodView:
    """Return a Pod as the API server describes it, reduced.

    Args:
        model: whose annotation it has.
        component: of its label, and the name of its container.
        ready: whether the pod is.
        log: last lines.
        unschedulable: the scheduler's words.
        created: when.
        deleting: whether it is told to end.
        node: where it is.
        probed: whether its container is ready although the pod is not.
        why_not: the reason of a pod that is not ready.
        beside: statuses of containers that others have injected; they come first.
        inits: statuses of init containers that others have injected.
        container: more of the container's status.
    """
    conditions = [{"type": "Ready", "status": str(ready), "reason": why_not, "message": f"{why_not}: a.dev/gate"}]
    if unschedulable:
        reason = {"reason": "Unschedulable", "message": unschedulable}
        conditions.append({"type": "PodScheduled", "status": "False", **reason})
    manifest = {
        "metadata": {
            "name": f"{component}-pod",
            "labels": {names.NAME_LABEL: component},
            "annotations": {names.MODEL_ANNOTATION: model} if model else {},
            "creationTimestamp": created,
            **({"deletionTimestamp": created} if deleting else {}),
        },
        "spec": {} if unschedulable or node is None else {"nodeName": node},
        "status": {
            "phase": "Running",
            "conditions": conditions,
            "containerStatuses": [
                *beside,
                *([{"name": component, "ready": ready or probed, **container}] if container or ready else []),
            ],
            "initContainerStatuses": list(inits),
        },
    }
    return PodView.from_manifest(manifest, log)


RUNNING: dict[str, Any] = {"state": {"running": {}}}
SERVER = pod(None, names.OLLAMA_COMPONENT, ready=True, **RUNNING)


def waiting(reason: str, message: str = "", **rest: Any) -> dict[str, Any]:
    return {"state": {"waiting": {"reason": reason, "message": message}}, **rest}


def crashed(reason: str, message: str) -> dict[str, Any]:
    return {"lastState": {"terminated": {"reason": reason, "message": message, "exitCode": 1}}, "restartCount": 4}


def pulled(observed: Observed, **conditions: str) -> Observed:
    """Return the observation with all pulls in these conditions, `Complete` unless said otherwise."""
    found = [
        {"type": kind, "status": "True", "message": text} for kind, text in (conditions or {"Complete": ""}).items()
    ]
    children = {
        ref: {**live, "status": {"conditions": found}} if ref.kind == "Job" else live
        for ref, live in observed.children.items()
    }
    return replace(observed, children=children)


def report(*pods: PodView, pool: ModelPool = POOL, observed: Observed | None = None, **more: Any) -> PoolStatus:
    """Return the status; pods of which no template is told are made from the one that the pool wants."""
    seen = replace(observed if observed is not None else pulled(settled(pool)), pods=(SERVER, *pods))
    plan = make_plan(pool, seen)
    seen = replace(seen, pods=tuple(up_to_date(one, plan) for one in seen.pods))
    return assess(pool, seen, plan, **{"previous": None, "now": NOW, **more})


def up_to_date(pod: PodView, plan: Plan) -> PodView:
    own = names.ollama_name("agentic") if pod.model is None else names.engine_names("agentic", pod.model).child
    return replace(pod, template=pod.template or plan.templates.get(own, ""))


def condition(status: PoolStatus, kind: str) -> Condition:
    return next(one for one in status.conditions if one.type == kind)


def words(status: PoolStatus, kind: str) -> tuple[str, str]:
    found = condition(status, kind)
    return found.status.value, found.reason


TRACE = """
(EngineCore pid=42) ERROR [core.py] Traceback (most recent call last):
(EngineCore pid=42) ValueError: Free memory on device cuda:0 (3.1/23.65 GiB) on startup is less than desired GPU memory
RuntimeError: Engine core initialization failed. See root cause above.
"""
UNSCHEDULABLE = "0/1 nodes are available: 1 Insufficient nvidia.com/gpu."
BAR = "model-00001-of-00002.safetensors:  45%|####      | 1.8G/4.0G"
SHARDS = "Loading safetensors checkpoint shards:  50% Completed | 1/2"

PODS: dict[str, tuple[PodView, ModelState, str, str]] = {
    "no node has room": (
        pod("qwen3:8b", unschedulable=UNSCHEDULABLE),
        ModelState.UNSCHEDULABLE,
        "NoGpuLeft",
        UNSCHEDULABLE,
    ),
    "no node was looked for": (
        pod("qwen3:8b", node=None),
        ModelState.PENDING,
        "Scheduling",
        "No node was chosen yet",
    ),
    "the image is not there": (
        pod("qwen3:8b", **waiting("ImagePullBackOff", "Back-off pulling image")),
        ModelState.FAILED,
        "ImagePullBackOff",
        "Back-off pulling image",
    ),
    "a Secret is not there": (
        pod("qwen3:8b", **waiting("CreateContainerConfigError", 'secret "hf" not found')),
        ModelState.FAILED,
        "CreateContainerConfigError",
        'secret "hf" not found',
    ),
    "the container is being made": (
        pod("qwen3:8b", **waiting("ContainerCreating")),
        ModelState.PULLING_IMAGE,
        "ContainerCreating",
        "Pulling the image or mounting volumes on node gpu-1",
    ),
    "killed for memory": (
        pod("qwen3:8b", **waiting("CrashLoopBackOff", **crashed("OOMKilled", ""))),
        ModelState.FAILED,
        "OOMKilled",
        "The container used more memory than its limit; 4 restarts",
    ),
    "it crashes again and again": (
        pod("qwen3:8b", **waiting("CrashLoopBackOff", **crashed("Error", TRACE))),
        ModelState.FAILED,
        "CardFull",
        (
            "ValueError: Free memory on device cuda:0 (3.1/23.65 GiB) on startup is less than"
            " desired GPU memory (4 restarts)"
        ),
    ),
    "it waits for its card": (
        pod("qwen3:8b", log=("start_engine: Waiting for card 0 (behind gemma3:4b)",), **RUNNING),
        ModelState.WAITING,
        "WaitingForCard",
        "Waiting for card 0 (behind gemma3:4b)",
    ),
    "it has waited for its card": (
        pod(
            "qwen3:8b",
            log=("start_engine: Waiting for card 0 (behind gemma3:4b)", "start_engine: Starting qwen3:8b"),
            **RUNNING,
        ),
        ModelState.LOADING,
        "Loading",
        "The engine starts",
    ),
    "it downloads": (
        pod("qwen3:8b", log=("start_engine: Starting qwen3:8b", BAR), **RUNNING),
        ModelState.DOWNLOADING,
        "Downloading",
        "Downloading, 45 %",
    ),
    "it loads weights": (
        pod("qwen3:8b", log=(BAR, SHARDS), **RUNNING),
        ModelState.LOADING,
        "Loading",
        "Loading safetensors checkpoint shards, 50 %",
    ),
    "it starts after a crash": (
        pod("qwen3:8b", **RUNNING, **crashed("Error", TRACE)),
        ModelState.LOADING,
        "Loading",
        (
            "The engine starts; 4 restarts, the last after: ValueError: Free memory on device"
            " cuda:0 (3.1/23.65 GiB) on startup is less than desired GPU memory"
        ),
    ),
    "its node was restarted": (
        pod("qwen3:8b", state={"terminated": {"reason": "Unknown", "message": "start_engine: Ready", "exitCode": 255}}),
        ModelState.LOADING,
        "NodeRestarted",
        "Node gpu-1 was restarted; the engine starts again",
    ),
    "it starts after its node": (
        pod("qwen3:8b", **RUNNING, **crashed("Unknown", "start_engine: Ready")),
        ModelState.LOADING,
        "Loading",
        "The engine starts; 4 restarts, the last after: its node was restarted",
    ),
    "it no longer answers": (
        pod("qwen3:8b", started=True, **RUNNING),
        ModelState.LOADING,
        "NotAnswering",
        "The engine has started and does not answer its health check",
    ),
    "it answers": (pod("qwen3:8b", ready=True, **RUNNING), ModelState.READY, "Ready", ""),
}


def assert_says(said: str, cause: str, *, advised: bool) -> None:
    """Fail unless a message is the cause, with a sentence on what to do where that is wanted."""
    cause = cause.removesuffix(".")
    assert said.startswith(cause), said
    assert (". " in said.removeprefix(cause)) is advised, said


@pytest.mark.parametrize(("seen", "state", "reason", "message"), PODS.values(), ids=PODS.keys())
def test_a_models_state_is_that_of_its_pod(seen: PodView, state: ModelState, reason: str, message: str) -> None:
    alone = pool_of({**QWEN, "fallback": {"enabled": False}})
    (model,) = report(seen, pool=alone).models
    assert (model.state, model.reason) == (state, reason)
    assert_says(model.message, message, advised=state in (ModelState.FAILED, ModelState.UNSCHEDULABLE))
    assert model.served_by == ("vllm" if state is ModelState.READY else None)


def test_an_engine_that_moves_waits_for_those_that_leave_a_node_and_is_not_called_broken() -> None:
    alone = pool_of({**QWEN, "fallback": {"enabled": False}})
    arriving = pod("qwen3:8b", unschedulable=UNSCHEDULABLE)
    leaving = replace(pod("qwen3:8b", ready=True, deleting=True, node="gpu-2", **RUNNING), held=1 << 30)
    status = report(arriving, leaving, pool=alone)
    assert words(status, "Ready") == ("False", "ModelsNotReady")
    assert "Moving: Waits until the pool's engines on gpu-2 have ended" in condition(status, "Ready").message
    assert words(status, "Progressing") == ("True", "EnginesStarting")
    lost = replace(leaving, lost=True, ready=False)
    assert words(report(arriving, lost, pool=alone), "Ready") == ("False", "NodeLost")


def test_a_fallback_stands_in_and_the_engines_reason_stays() -> None:
    status = report(pod("qwen3:8b", **waiting("CrashLoopBackOff", **crashed("Error", TRACE))))
    model = status.models[0]
    assert (model.state, model.served_by, model.reason) == (ModelState.FALLBACK, "ollama", "CardFull")
    assert words(status, "Ready") == ("False", "CardFull")
    assert words(status, "Degraded") == ("True", "CardFull")
    assert status.ready_models == "1/2"


def test_a_fallback_while_the_engine_starts_is_no_damage() -> None:
    status = report(pod("qwen3:8b", **RUNNING))
    assert status.models[0].state is ModelState.FALLBACK
    assert words(status, "Degraded") == ("False", "AsWanted")
    assert words(status, "Progressing") == ("True", "EnginesStarting")


def test_a_pool_in_good_order() -> None:
    status = report(
        pod("qwen3:8b", ready=True, **RUNNING), gateway=GatewayStatus(openai="http://g/v1", ollama="http://g")
    )
    assert [(one.type, one.status.value, one.reason) for one in status.conditions] == [
        ("Planned", "True", "Planned"),
        ("Ready", "True", "ModelsReady"),
        ("Progressing", "False", "Settled"),
        ("Degraded", "False", "AsWanted"),
    ]
    assert status.ready_models == "2/2"
    assert status.observed_generation == 3
    assert status.gateway is not None
    assert [(one.gpu, one.memory, one.ready_replicas) for one in status.models] == [(0, "8.4Gi", 1), (None, None, 1)]
    assert [(card.planned, card.free, card.models) for card in status.gpus] == [("8.9Gi", "15.1Gi", ("qwen3:8b",))]
    assert status.free_gpu_memory == "15.1Gi"


def test_the_three_models_of_a_card_add_up_as_shown() -> None:
    status = report(pool=pool_of(vllm("a", 0.25), vllm("b", 0.35), vllm("c", 0.30)))
    assert [(card.memory, card.planned, card.free) for card in status.gpus] == [("24.0Gi", "23.1Gi", "0.9Gi")]


def test_the_pod_of_the_newest_template_counts_and_one_that_goes_does_not() -> None:
    old = pod("qwen3:8b", created="2026-11-22T10:00:00Z", **waiting("CrashLoopBackOff", **crashed("Error", "x")))
    going = pod("qwen3:8b", created="2026-11-22T12:00:00Z", deleting=True, ready=True, **RUNNING)
    status = report(old, going, pod("qwen3:8b", **RUNNING), pool=pool_of({**QWEN, "fallback": {"enabled": False}}))
    assert status.models[0].state is ModelState.LOADING


PULLS: dict[str, tuple[dict[str, str], tuple[PodView, ...], ModelState, str, str]] = {
    "the pull is done": ({"Complete": ""}, (), ModelState.READY, "Ready", ""),
    "the pull runs": (
        {"Suspended": ""},
        (pod("cogito:8b", names.PULL_COMPONENT, **RUNNING),),
        ModelState.DOWNLOADING,
        "Pulling",
        "Pulling cogito:8b",
    ),
    "the pull says how far it is": (
        {"Suspended": ""},
        (pod("cogito:8b", names.PULL_COMPONENT, log=("pulling 8eeb52dfb3bb:  12% ▕██",), ready=True, **RUNNING),),
        ModelState.DOWNLOADING,
        "Pulling",
        "Pulling cogito:8b, 12 %",
    ),
    "a try has failed": (
        {"Suspended": ""},
        (pod("cogito:8b", names.PULL_COMPONENT, **RUNNING, **crashed("Error", "Error: pull model manifest: EOF")),),
        ModelState.DOWNLOADING,
        "Pulling",
        "Pulling cogito:8b; the last try failed: Error: pull model manifest: EOF",
    ),
    "all tries have failed": (
        {"Failed": "Job has reached the specified backoff limit"},
        (),
        ModelState.FAILED,
        "PullFailed",
        "Could not pull cogito:8b: Job has reached the specified backoff limit; it is tried again",
    ),
}


@pytest.mark.parametrize(("conditions", "pods", "state", "reason", "message"), PULLS.values(), ids=PULLS.keys())
def test_an_ollama_model_is_ready_when_it_is_pulled(
    conditions: dict[str, str], pods: tuple[PodView, ...], state: ModelState, reason: str, message: str
) -> None:
    pool = pool_of(ollama("cogito:8b"))
    (model,) = report(*pods, pool=pool, observed=pulled(settled(pool), **conditions)).models
    job = names.pull_name("agentic", "cogito:8b", "uid-agentic-ollama")
    assert (model.state, model.reason) == (state, reason)
    assert_says(model.message, message.format(job=job), advised=state is ModelState.FAILED)


def test_an_ollama_model_is_not_ready_while_its_server_is_down() -> None:
    pool = pool_of(ollama("cogito:8b"))
    seen = replace(pulled(settled(pool)), pods=(pod(None, names.OLLAMA_COMPONENT, **waiting("ErrImagePull", "no")),))
    status = assess(pool, seen, make_plan(pool, seen), previous=None, now=NOW)
    assert (status.models[0].state, status.models[0].reason) == (ModelState.FAILED, "ImagePullBackOff")


def test_a_fallback_that_cannot_be_pulled_is_a_damage() -> None:
    pool = pool_of(QWEN)
    observed = pulled(settled(pool), Failed="no such model")
    status = report(pod("qwen3:8b", ready=True, **RUNNING), pool=pool, observed=observed)
    assert words(status, "Ready") == ("True", "ModelsReady")
    assert words(status, "Degraded") == ("True", "FallbackMissing")


def test_nothing_that_the_deployment_makes_no_pod_of_goes_unsaid() -> None:
    observed = pulled(settled(POOL))
    ref = ChildRef("apps/v1", "Deployment", "agentic-qwen3-8b")
    failure = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "exceeded quota"}
    live = {**observed.children[ref], "status": {"conditions": [failure]}}
    status = report(observed=replace(observed, children={**observed.children, ref: live}))
    assert (status.models[0].reason, status.models[0].message) == ("FailedCreate", "exceeded quota")


def test_a_new_pool_is_on_its_way() -> None:
    status = assess(POOL, Observed(), make_plan(POOL, Observed()), previous=None, now=NOW)
    assert words(status, "Planned") == ("True", "Planned")
    assert words(status, "Ready") == ("False", "ModelsNotReady")
    assert words(status, "Progressing") == ("True", "Applying")
    assert words(status, "Degraded") == ("False", "AsWanted")
    assert [model.reason for model in status.models] == ["NotCreated", "NotCreated"]


def test_a_refusal_is_said_and_what_runs_is_said_to_run() -> None:
    good = report(pod("qwen3:8b", ready=True, **RUNNING))
    bad = structs.replace(pool_of({**QWEN, "gpuMemoryFraction": 1.0}, ollama("cogito:8b")), generation=4)
    status = report(pod("qwen3:8b", ready=True, **RUNNING), pool=bad, observed=pulled(settled(POOL)), previous=good)
    assert words(status, "Planned") == ("False", "CardOverfull")
    assert words(status, "Ready") == ("False", "CardOverfull")
    assert condition(status, "Ready").message.startswith("What answers is what ran before: ")
    assert status.models[0].state is ModelState.READY
    assert words(status, "Progressing") == ("False", "NotPlanned")
    assert words(status, "Degraded") == ("True", "RunsOlderSpec")
    assert (status.gpus, status.models[0].gpu) == (good.gpus, 0)


def test_a_refusal_of_a_new_pool_names_the_reason_for_each_model() -> None:
    bad = pool_of({**QWEN, "gpuMemoryFraction": 1.0})
    status = assess(bad, Observed(), make_plan(bad, Observed()), previous=None, now=NOW)
    assert words(status, "Degraded") == ("False", "AsWanted")
    assert status.models[0].reason == "CardOverfull"


def test_what_could_not_be_checked_is_said() -> None:
    status = report(pool=pool_of(vllm("a", 0.5)))
    assert words(status, "Planned") == ("True", "PlannedWithNotes")
    assert "so their fit is unchecked; set `weights`" in condition(status, "Planned").message


def test_a_change_that_the_api_server_refused_is_a_damage() -> None:
    status = report(pod("qwen3:8b", ready=True, **RUNNING), failures=("could not apply Service a: denied",))
    assert words(status, "Degraded") == ("True", "ApplyFailed")
    assert condition(status, "Degraded").message == "could not apply Service a: denied"


def test_who_writes_without_end_is_named_whatever_else_is_broken() -> None:
    fights = ("Deployment x: 'hpa' changes /spec/replicas; put back 9 times since 2026-11-22T12:00:00Z",)
    told: dict[str, Any] = {"previous": None, "now": NOW, "fights": fights}
    seen = Observed()
    refused = assess(POOL, seen, make_plan(POOL, seen), failures=("denied " * 500,), **told)
    failed = assess_failed(generation=3, reason="PassFailed", message="no", passing=False, **told)
    invalid = assess_invalid(generation=3, error="no", **told)
    sound = assess(POOL, seen, make_plan(POOL, seen), **told)
    found = [one for status in (refused, failed, invalid, sound) for one in status.conditions if one.type == "Degraded"]
    assert [one.reason for one in found] == ["ApplyFailed", "PassFailed", "InvalidSpec", "Interference"]
    assert all(fights[0] in one.message and "change the ModelPool instead" in one.message for one in found)


def test_a_name_that_an_older_pool_serves_is_a_damage() -> None:
    observed = replace(pulled(settled(POOL)), claimed={"cogito:8b": ObjectRef("llm", "elder")})
    status = report(pod("qwen3:8b", ready=True, **RUNNING), observed=observed)
    assert words(status, "Degraded") == ("True", "NameTaken")
    assert condition(status, "Degraded").message.startswith("Served by an older pool: cogito:8b (llm/elder). ")


def test_a_condition_keeps_its_time_until_its_status_changes() -> None:
    first = report(pod("qwen3:8b", **RUNNING))
    later = NOW + timedelta(minutes=5)
    same = report(pod("qwen3:8b", **waiting("ContainerCreating")), previous=first, now=later)
    assert condition(same, "Ready").last_transition_time == NOW.replace(microsecond=0)
    assert condition(same, "Ready").message != condition(first, "Ready").message
    other = report(pod("qwen3:8b", ready=True, **RUNNING), previous=same, now=later)
    assert condition(other, "Ready").last_transition_time == later.replace(microsecond=0)
    assert condition(other, "Planned").last_transition_time == NOW.replace(microsecond=0)


def test_a_status_can_be_read_back() -> None:
    status = report(pod("qwen3:8b", **RUNNING))
    assert parsing.status_of({"status": parsing.render(status)}) == status


def test_a_spec_that_cannot_be_read_leaves_the_rest_as_it_was() -> None:
    before = report(pod("qwen3:8b", ready=True, **RUNNING))
    status = assess_invalid(generation=4, error="Object missing required field `models`", previous=before, now=NOW)
    assert words(status, "Planned") == ("False", "InvalidSpec")
    assert condition(status, "Ready").status is ConditionStatus.UNKNOWN
    assert (status.models, status.gpus, status.observed_generation) == (before.models, before.gpus, 4)


def test_a_model_that_answers_with_some_of_its_replicas_is_ready_and_on_its_way() -> None:
    pool = pool_of({**QWEN, "replicas": 2})
    status = report(pod("qwen3:8b", ready=True, **RUNNING), pool=pool)
    assert words(status, "Ready") == ("True", "ModelsReady")
    assert words(status, "Progressing") == ("True", "EnginesStarting")
    assert condition(status, "Progressing").message == "qwen3:8b: 1 of 2 replicas answer"


def test_a_pull_whose_image_is_not_there_says_so() -> None:
    pool = pool_of(ollama("cogito:8b"))
    puller = pod("cogito:8b", names.PULL_COMPONENT, **waiting("ImagePullBackOff", "no such image"))
    (model,) = report(puller, pool=pool, observed=pulled(settled(pool), Suspended="")).models
    assert (model.state, model.reason) == (ModelState.FAILED, "ImagePullBackOff")


def test_advice_names_the_resource_that_was_chosen() -> None:
    status = report(
        pod("qwen3:8b", unschedulable=UNSCHEDULABLE),
        pool=pool_of(QWEN, gpus={"sharing": "auto"}),
        observed=Observed(inventory=Inventory(nodes=(NodeView(name="a", resources={"nvidia.com/gpu.shared": 8}),))),
    )
    assert status.sharing is not None
    assert status.sharing.resource_name == "nvidia.com/gpu.shared"
    assert "Let the device plugin offer one `nvidia.com/gpu.shared`" in status.models[0].message


STOPPED = "qwen3:8b: Stopped: `replicas` is 0, so it has no engine"


@pytest.mark.parametrize("fallback", [False, True])
def test_a_model_without_replicas_is_stopped_and_not_waited_for(fallback: bool) -> None:
    pool = pool_of({**QWEN, "replicas": 0, "fallback": {"enabled": fallback}})
    server = pod("", names.OLLAMA_COMPONENT, ready=True)
    status = report(server, pool=pool, observed=pulled(settled(pool), Complete=""))
    (model,) = status.models
    assert (model.state, model.reason) == (ModelState.STOPPED, "Stopped")
    assert model.served_by == ("ollama" if fallback else None)
    assert words(status, "Ready") == ("True", "ModelsStopped")
    said = f"{STOPPED} (served by its fallback)" if fallback else STOPPED
    assert condition(status, "Ready").message.endswith(said)
    assert words(status, "Progressing") == ("False", "Settled")
    assert words(status, "Degraded") == ("False", "AsWanted")


def test_a_model_whose_deployment_was_scaled_to_zero_by_hand_is_not_as_wanted() -> None:
    pool = pool_of({**QWEN, "fallback": {"enabled": False}})
    observed = settled(pool)
    children = {
        ref: {**live, "spec": {**live["spec"], "replicas": 0}} if ref.name == "agentic-qwen3-8b" else live
        for ref, live in observed.children.items()
    }
    status = report(pool=pool, observed=replace(observed, children=children))
    assert status.models[0].state is ModelState.PENDING
    assert words(status, "Ready") == ("False", "ModelsNotReady")
    assert words(status, "Progressing") == ("True", "Applying")


def test_a_stopped_model_beside_one_that_runs() -> None:
    other = vllm("gemma3:4b", 0.2, fallback={"enabled": False})
    pool = pool_of({**QWEN, "replicas": 0, "fallback": {"enabled": False}}, other)
    status = report(pod("gemma3:4b", ready=True), pool=pool)
    assert words(status, "Ready") == ("True", "ModelsReady")
    told = f"Every model that is wanted to run is answered by its own engine; {STOPPED}"
    assert condition(status, "Ready").message == told


def test_a_pull_that_has_not_started_says_so() -> None:
    pool = pool_of(ollama("cogito:8b"))
    observed = settled(pool)
    children = {ref: live for ref, live in observed.children.items() if ref.kind != "Job"}
    (model,) = report(pool=pool, observed=replace(observed, children=children)).models
    assert (model.reason, model.message) == ("PullNotStarted", "The pull of cogito:8b has not started")


def test_a_pod_that_was_evicted_is_no_mystery() -> None:
    gone = replace(pod("qwen3:8b"), phase="Failed")
    status = report(gone, pool=pool_of({**QWEN, "fallback": {"enabled": False}}))
    assert (status.models[0].reason, status.models[0].message) == (
        "PodFailed",
        "Pod vllm-pod failed and is being replaced",
    )
    low = "The node was low on resource: ephemeral-storage. Threshold quantity: 10Gi, available: 1Gi"
    status = report(
        replace(gone, reason="Evicted", message=low), pool=pool_of({**QWEN, "fallback": {"enabled": False}})
    )
    assert status.models[0].reason == "Evicted"
    assert (status.models[0].message or "").startswith(f"{low.rstrip('.')}. `kubectl describe node` shows")


def test_a_long_message_is_cut() -> None:
    status = report(pod("qwen3:8b", ready=True, **RUNNING), failures=("x" * 5000,))
    assert len(condition(status, "Degraded").message) == 2048


CARD_SIZES = {
    "as declared": (24576, None),
    "as drivers count a card of 24 GB": (24564, None),
    "less": (23034, "`gpus.memory` says 24.00Gi, but a card of node gpu-1 has 22.49Gi"),
    "more": (49140, "`gpus.memory` says 24.00Gi, but a card of node gpu-1 has 47.99Gi"),
}


@pytest.mark.parametrize(("mebibytes", "message"), CARD_SIZES.values(), ids=CARD_SIZES.keys())
def test_cards_that_are_not_as_declared_are_a_condition(mebibytes: int, message: str | None) -> None:
    engine = replace(pod("qwen3:8b", ready=True, **RUNNING), held=1, gpus=(0,))
    nodes = tuple(
        NodeView(name=name, gpu_memory=memory << 20) for name, memory in (("gpu-1", mebibytes), ("elsewhere", 1))
    )
    observed = replace(settled(POOL), pods=(engine,), inventory=Inventory(nodes=nodes))
    status = assess(POOL, observed, make_plan(POOL, observed), previous=None, now=NOW)
    degraded = next(one for one in status.conditions if one.type == "Degraded")
    if message is None:
        assert degraded.reason != "CardMemoryMismatch"
    else:
        assert (degraded.reason, degraded.message) == ("CardMemoryMismatch", message)


def test_a_change_that_waits_for_room_is_progress() -> None:
    before = pool_of(vllm("a", 0.6), vllm("b", 0.3))
    observed = settled(before)
    deployment = next(live for ref, live in observed.children.items() if str(ref) == "Deployment agentic-a")
    old = PodView.from_manifest({"metadata": {**deployment["spec"]["template"]["metadata"], "name": "a-x"}})
    shrunk = pool_of(vllm("a", 0.3), vllm("b", 0.6))
    observed = replace(observed, pods=(old,))
    plan = replace(make_plan(shrunk, observed), apply=())
    status = assess(shrunk, observed, plan, previous=None, now=NOW)
    progressing = next(one for one in status.conditions if one.type == "Progressing")
    assert (progressing.status, progressing.reason) == (ConditionStatus.TRUE, "WaitingForRoom")
    assert progressing.message == "b: waits for room on card 0, of which is still held: 14.90Gi a"


def test_the_status_spells_a_card_out_as_the_plan_does() -> None:
    (card,) = report().gpus
    placed = make_plan(POOL, settled(POOL)).placement
    assert isinstance(placed, Placement)
    assert [(line.what, line.memory, line.of) for line in card.arithmetic] == [
        (line.label, line.shown, line.spelled) for line in lines_of(placed.cards[0])
    ]
    assert sum(Decimal(line.memory.removesuffix("Gi")) for line in card.arithmetic) == 24
    assert card.arithmetic[0].of == (
        "5.68Gi weights + 1.20Gi runtime + 0.56Gi KV cache for one sequence of 4096 tokens + 0.96Gi more KV cache"
    )


def test_the_status_says_why_a_model_is_on_its_card() -> None:
    pool = pool_of(vllm("a", 0.8, gpu=0), vllm("b", 0.7), **two_cards())
    assert {model.name: model.placement for model in report(pool=pool, observed=settled(pool)).models} == {
        "a": "on card 0: pinned by `gpu`",
        "b": "on card 1: runs there already",
    }
