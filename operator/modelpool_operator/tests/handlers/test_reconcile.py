"""One pass after another over a pool, with the real planning and a stand-in for the API server."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from unittest.mock import Mock

import pytest
from aiohttp import web

from modelpool_operator.api import parsing
from modelpool_operator.api.names import ObjectRef
from modelpool_operator.api.pool import ModelPool
from modelpool_operator.api.status import GatewayStatus
from modelpool_operator.cluster import errors, kinds
from modelpool_operator.cluster.mirror import Mirror
from modelpool_operator.cluster.recorder import Recorder
from modelpool_operator.cluster.reflector import fill
from modelpool_operator.cluster.surroundings import Surroundings
from modelpool_operator.handlers import failed_passes, next_look, reconcile, unplanned_pools
from modelpool_operator.handlers.card_holdings import CardHoldings
from modelpool_operator.handlers.engine_keys import EngineKeys
from modelpool_operator.handlers.model_names import ModelNames
from modelpool_operator.handlers.reconcile import Reconciler
from modelpool_operator.handlers.results import Outcome
from modelpool_operator.handlers.scaling import Scaling
from modelpool_operator.telemetry.metrics import Metrics
from modelpool_operator.tests.cluster import api_server
from modelpool_operator.tests.cluster.api_server import ApiServer

REF = ObjectRef("llm", "agentic")
POOLS = "/apis/modelpool.dev/v1alpha1/namespaces/llm/modelpools"
LABELS = {"app.kubernetes.io/managed-by": "modelpool-operator", "modelpool.dev/pool": "agentic"}
NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
GATEWAY = GatewayStatus(openai="http://gw/v1", ollama="http://gw")
MODEL = {"name": "qwen3:8b", "engine": "vllm", "source": "hf://Qwen/Qwen3-8B-AWQ", "gpuMemoryFraction": 0.4}


@pytest.fixture
async def server() -> AsyncIterator[ApiServer]:
    async with api_server.running() as running:
        yield running


class Clock:
    """Seconds that a test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


async def nowhere(_: str) -> None:
    return None


@pytest.fixture
async def reconciler(server: ApiServer, clock: Clock) -> AsyncIterator[Reconciler]:
    async with api_server.client_of(server, Metrics(queue_depth=lambda: 0, pools=lambda: 0)) as client:
        recorder = Recorder(client, now=lambda: NOW, reporter="test")
        scaling = Scaling(lambda _: None, clock=lambda: 0.0)
        mirror = Mirror()
        await fill(client, mirror)
        yield Reconciler(
            client,
            mirror,
            recorder,
            ModelNames(),
            CardHoldings(Surroundings()),
            now=lambda: NOW,
            clock=clock,
            gateway=lambda _: GATEWAY,
            scaling=scaling,
            elsewhere=nowhere,
        )


def put_pool(server: ApiServer, *models: dict[str, Any], name: str = "agentic", **metadata: Any) -> None:
    server.put(
        POOLS,
        apiVersion="modelpool.dev/v1alpha1",
        kind="ModelPool",
        metadata={"name": name, "creationTimestamp": "2026-11-22T09:00:00Z", **metadata},
        spec={"gpus": {"memory": "24Gi"}, "models": list(models)},
    )


def status(server: ApiServer) -> Any:
    return server.objects[f"{POOLS}/agentic"]["status"]


def planned(server: ApiServer) -> tuple[str, str]:
    (found,) = (condition for condition in status(server)["conditions"] if condition["type"] == "Planned")
    return found["status"], found["reason"]


async def test_the_first_pass_makes_everything_and_the_second_nothing(
    server: ApiServer, reconciler: Reconciler
) -> None:
    put_pool(server, MODEL)
    result = await reconciler.reconcile(REF)
    assert (result.outcome, result.again) == (Outcome.PLANNED, None)
    made = [path.split("/")[-2] for verb, path in server.writes if not path.endswith("/status")]
    assert sorted(set(made)) == ["configmaps", "deployments", "persistentvolumeclaims", "services"]
    assert server.writes[-1] == ("PATCH", f"{POOLS}/agentic/status")
    assert planned(server)[0] == "True"
    assert status(server)["gateway"] == {"openai": "http://gw/v1", "ollama": "http://gw"}

    await reconciler.reconcile(REF)  # Sees the children that the first one made; only the status may still change.
    server.requests.clear()
    await reconciler.reconcile(REF)
    assert server.writes == []


@pytest.fixture
async def keyed(server: ApiServer) -> AsyncIterator[Reconciler]:
    """One whose engines have keys, and whose gateways are known."""
    async with api_server.client_of(server, Metrics(queue_depth=lambda: 0, pools=lambda: 0)) as client:
        recorder = Recorder(client, now=lambda: NOW, reporter="test")
        mirror = Mirror()
        await fill(client, mirror)
        yield Reconciler(
            client,
            mirror,
            recorder,
            ModelNames(),
            CardHoldings(Surroundings()),
            now=lambda: NOW,
            clock=lambda: 0.0,
            gateway=lambda _: GATEWAY,
            scaling=Scaling(lambda _: None, clock=lambda: 0.0),
            elsewhere=nowhere,
            keys=EngineKeys(client, b"0123456789abcdef"),
            gateways_in=lambda _: "modelpool-system",
        )


async def test_a_pools_secret_is_made_before_its_engines_and_once(server: ApiServer, keyed: Reconciler) -> None:
    put_pool(server, MODEL)
    await keyed.reconcile(REF)
    kinds = [path.split("/namespaces/llm/")[1].split("/")[0] for _, path in server.writes]
    assert kinds[0] == "secrets"
    assert kinds.index("networkpolicies") < kinds.index("deployments")
    server.requests.clear()
    await keyed.reconcile(REF)
    await keyed.reconcile(REF)
    assert not [path for _, path in server.writes if not path.endswith("/status")]


async def test_a_secret_that_cannot_be_made_is_in_the_status_and_the_rest_goes_on(
    server: ApiServer, keyed: Reconciler
) -> None:
    server.refuse("POST", "/api/v1/namespaces/llm/secrets", 403, "secrets is forbidden: exceeded quota")
    put_pool(server, MODEL)
    result = await keyed.reconcile(REF)
    assert (result.outcome, result.again) == (Outcome.INCOMPLETE, 60.0)
    assert "exceeded quota" in str(status(server)["conditions"])
    assert [path for _, path in server.writes if "/deployments/" in path]


@pytest.mark.parametrize("status_code", [403, 504], ids=["quota", "a webhook that hangs"])
async def test_engines_that_run_without_a_key_run_on_where_their_secret_cannot_be_made(
    server: ApiServer, reconciler: Reconciler, keyed: Reconciler, status_code: int
) -> None:
    put_pool(server, MODEL)
    await reconciler.reconcile(REF)
    await fill(keyed._client, keyed._mirror)
    server.refuse("POST", "/api/v1/namespaces/llm/secrets", status_code, "exceeded quota")
    server.requests.clear()
    result = await keyed.reconcile(REF)
    assert (result.outcome, result.again) == (Outcome.INCOMPLETE, 60.0)
    assert "exceeded quota" in str(status(server)["conditions"])
    written = [path for _, path in server.writes]
    assert [path for path in written if "/networkpolicies/" in path]
    assert not [path for path in written if "/deployments/" in path or "/configmaps/agentic-routes" in path]
    server.refusals.clear()
    await keyed.reconcile(REF)
    assert [path for _, path in server.writes if "/deployments/" in path]


async def test_a_release_key_that_nobody_knows_holds_up_what_needs_it_alone(
    server: ApiServer, keyed: Reconciler
) -> None:
    """An operator that starts and cannot read its Secret."""
    put_pool(server, MODEL)
    await keyed.reconcile(REF)
    await fill(keyed._client, keyed._mirror)
    before = server.objects[DEPLOYMENT]["spec"]["template"]["spec"]["containers"][0]["env"]
    keyed._keys = EngineKeys(keyed._client, None, "Could not get Secret release-key: forbidden")
    pool = server.objects[f"{POOLS}/agentic"]
    pool["spec"]["models"] = [{**MODEL, "maxConcurrency": 3}, {"name": "qwen3:0.6b", "engine": "ollama"}]
    pool["metadata"]["generation"] += 1
    put_pool(server, MODEL, name="fresh")
    server.requests.clear()
    result = await keyed.reconcile(REF)
    assert (result.outcome, result.again) == (Outcome.INCOMPLETE, 60.0)
    assert condition(server, "Degraded")[:2] == ("True", "ApplyFailed")
    assert "Could not get Secret release-key: forbidden" in condition(server, "Degraded")[2]
    after = server.objects[DEPLOYMENT]["spec"]["template"]["spec"]["containers"][0]
    assert ("3" in after["args"], after["env"]) == (True, before), "the rest is carried out, with the same key"
    assert "/apis/apps/v1/namespaces/llm/deployments/agentic-ollama" in server.objects
    await keyed.reconcile(ObjectRef("llm", "fresh"))
    assert [path for path in server.objects if "/services/fresh" in path]
    assert not [path for path in server.objects if "/deployments/fresh-qwen" in path], "none is started without a key"


async def test_the_secret_that_engines_wait_for_is_made_again_of_a_refused_pool(
    server: ApiServer, keyed: Reconciler
) -> None:
    put_pool(server, MODEL)
    await keyed.reconcile(REF)
    (secret,) = (path for path in server.objects if "/secrets/" in path)
    del server.objects[secret]
    server.objects[f"{POOLS}/agentic"]["spec"]["models"] = [{**MODEL, "gpuMemoryFraction": 0.999}]
    waiting = {"reason": "CreateContainerConfigError", "message": f'secret "{secret.rpartition("/")[2]}" not found'}
    server.put(
        PODS,
        metadata={"name": "p", "labels": {**LABELS, "app.kubernetes.io/name": "vllm"}},
        spec={"containers": [{"name": "vllm"}]},
        status={"containerStatuses": [{"name": "vllm", "state": {"waiting": waiting}}]},
    )
    await fill(keyed._client, keyed._mirror)
    assert (await keyed.reconcile(REF)).outcome is Outcome.REFUSED
    assert secret in server.objects


async def test_a_pool_in_which_something_may_hang_is_looked_at_again(server: ApiServer, reconciler: Reconciler) -> None:
    put_pool(server, MODEL)
    metadata = {"name": "p", "labels": LABELS, "creationTimestamp": "2026-11-22T10:00:00Z"}
    server.put(
        "/api/v1/namespaces/llm/pods", metadata=metadata, spec={"nodeName": "n", "containers": [{"name": "vllm"}]}
    )
    await fill(reconciler._client, reconciler._mirror)
    assert (await reconciler.reconcile(REF)).again == next_look.ASK_AGAIN


async def test_a_pool_that_does_not_fit_is_told_so_and_nothing_is_made(
    server: ApiServer, reconciler: Reconciler
) -> None:
    put_pool(server, {**MODEL, "gpuMemoryFraction": 0.9}, {**MODEL, "name": "b", "gpuMemoryFraction": 0.9})
    assert (await reconciler.reconcile(REF)).outcome is Outcome.REFUSED
    assert server.writes == [("PATCH", f"{POOLS}/agentic/status"), ("POST", "/api/v1/namespaces/llm/events")]
    assert planned(server)[0] == "False"


async def test_an_invalid_pool_is_told_so_and_what_runs_is_left_alone(
    server: ApiServer, reconciler: Reconciler
) -> None:
    put_pool(server, MODEL)
    await reconciler.reconcile(REF)
    server.objects[f"{POOLS}/agentic"]["spec"] = {"models": "none"}
    server.requests.clear()
    assert (await reconciler.reconcile(REF)).outcome is Outcome.INVALID
    assert ("PATCH", f"{POOLS}/agentic/status") in server.writes
    assert not [path for verb, path in server.writes if verb == "DELETE"]
    assert planned(server) == ("False", "InvalidSpec")


async def test_a_pool_that_is_gone_needs_nothing(server: ApiServer, reconciler: Reconciler) -> None:
    assert (await reconciler.reconcile(REF)).outcome is Outcome.GONE
    assert server.writes == []


async def test_nothing_is_made_for_a_pool_that_is_going(server: ApiServer, reconciler: Reconciler) -> None:
    put_pool(server, MODEL, deletionTimestamp="2026-11-22T09:30:00Z", finalizers=["foregroundDeletion"])
    assert (await reconciler.reconcile(REF)).outcome is Outcome.GONE
    assert server.writes == []


async def test_a_pool_that_a_foreign_finalizer_holds_says_so_and_keeps_its_names(
    server: ApiServer, reconciler: Reconciler
) -> None:
    put_pool(server, MODEL)
    await reconciler.reconcile(REF)
    ready = condition(server, "Ready")
    server.objects[f"{POOLS}/agentic"]["metadata"] |= {
        "deletionTimestamp": "2026-11-22T09:30:00Z",
        "finalizers": ["foregroundDeletion", "example.com/backup"],
    }
    for _ in range(2):
        server.requests.clear()
        result = await reconciler.reconcile(REF)
        assert (result.outcome, result.concerned) == (Outcome.LEAVING, frozenset())
    assert server.writes == [], "said once"
    degraded = condition(server, "Degraded")
    assert degraded[:2] == ("True", "HeldByFinalizer")
    assert "'example.com/backup'" in degraded[2]
    assert "foregroundDeletion" not in degraded[2]
    assert condition(server, "Ready") == ready


PODS = "/api/v1/namespaces/llm/pods"


def put_pod(server: ApiServer, *, ready: bool) -> None:
    """Put the pod of the engine's Deployment, and have its Service reach it."""
    live = server.objects[DEPLOYMENT]
    live["metadata"]["generation"] = 1
    live["status"] = {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "readyReplicas": int(ready)}
    template = live["spec"]["template"]["metadata"]
    state = {"name": "vllm", "ready": ready, "started": True, "state": {"running": {}}}
    server.put(
        PODS,
        metadata={
            "name": "p",
            "labels": {**template["labels"], **LABELS},
            "annotations": template["annotations"],
            "creationTimestamp": "2026-11-22T09:30:00Z",
        },
        spec={"nodeName": "gpu-1"},
        status={
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": str(ready)}],
            "containerStatuses": [state],
        },
    )
    server.put(
        "/apis/discovery.k8s.io/v1/namespaces/llm/endpointslices",
        metadata={"name": "s", "labels": {**LABELS, "kubernetes.io/service-name": "agentic-qwen3-8b"}},
        endpoints=[{"targetRef": {"kind": "Pod", "name": "p"}, "conditions": {"ready": ready}}],
    )


async def test_of_a_pool_that_a_finalizer_holds_is_told_how_it_is(
    server: ApiServer, reconciler: Reconciler, clock: Clock
) -> None:
    put_pool(server, {**MODEL, "fallback": {"enabled": False}})
    await passes(reconciler, server, 2)
    put_pod(server, ready=True)
    await passes(reconciler, server, 2)
    assert condition(server, "Ready")[0] == "True"
    metadata = server.objects[f"{POOLS}/agentic"]["metadata"]
    metadata |= {"deletionTimestamp": "2026-11-22T09:30:00Z", "finalizers": ["example.com/backup"]}
    metadata["generation"] += 1
    await passes(reconciler, server, 1)
    assert condition(server, "Ready")[0] == "True", "it answers on"
    assert condition(server, "Progressing")[1] == "Settled"

    put_pod(server, ready=False)
    server.objects[DEPLOYMENT]["spec"]["replicas"] = 0
    written = await passes(reconciler, server, 2)
    assert condition(server, "Ready")[:2] == ("False", "ModelsNotReady")
    assert status(server)["readyModels"] == "0/1"
    assert condition(server, "Progressing")[1] != "Applying"
    assert condition(server, "Degraded")[1] == "HeldByFinalizer"
    assert set(written) == {f"{POOLS}/agentic/status"}, "nothing is carried out"


async def test_what_was_known_does_not_stay_for_ever(server: ApiServer, reconciler: Reconciler, clock: Clock) -> None:
    put_pool(server, MODEL)
    await reconciler.reconcile(REF)
    before = condition(server, "Ready")
    reconciler._mirror.collections[kinds.PODS, None].problem = errors.UnreachableError("Could not list pods: later")
    for _ in range(failed_passes.TOLD_AFTER):
        with pytest.raises(errors.UnreachableError):
            await reconciler.reconcile(REF)
    assert condition(server, "Ready") == before
    clock.now += failed_passes.KEPT_FOR
    with pytest.raises(errors.UnreachableError):
        await reconciler.reconcile(REF)
    assert condition(server, "Ready")[:2] == ("Unknown", "ApiServerUnreachable")
    reconciler._mirror.collections[kinds.PODS, None].problem = None
    await reconciler.reconcile(REF)
    assert condition(server, "Ready") == before


async def test_a_pool_that_an_operator_of_its_namespace_serves_is_left_to_that_one(
    server: ApiServer, reconciler: Reconciler
) -> None:
    async def elsewhere(namespace: str) -> str:
        return f"another in {namespace}"

    put_pool(server, MODEL)
    reconciler._elsewhere = elsewhere
    assert (await reconciler.reconcile(REF)).outcome is Outcome.ELSEWHERE
    assert server.writes == []


async def test_what_the_api_server_refused_stands_in_the_status_and_is_tried_again(
    server: ApiServer, reconciler: Reconciler, clock: Clock
) -> None:
    put_pool(server, MODEL)
    server.refuse("PATCH", "/apis/apps/v1/namespaces/llm/deployments/agentic-qwen3-8b", 403, "exceeded quota")
    result = await reconciler.reconcile(REF)
    assert (result.outcome, result.again) == (Outcome.INCOMPLETE, 2)
    assert "exceeded quota" in condition(server, "Degraded")[2]
    assert condition(server, "Ready")[1] == "DeploymentDenied"
    for clock.now in (1.0, 3.0):  # It waits for its time, and is tried again.
        await fill(reconciler._client, reconciler._mirror)
        await reconciler.reconcile(REF)
        assert condition(server, "Progressing")[1] != "Applying"
        assert "exceeded quota" in condition(server, "Degraded")[2]


async def test_a_pass_that_could_not_look_decides_nothing(server: ApiServer, reconciler: Reconciler) -> None:
    put_pool(server, MODEL)
    reconciler._mirror.collections[kinds.PODS, None].problem = errors.DeniedError("pods is forbidden")
    for _ in range(failed_passes.TOLD_AFTER):
        with pytest.raises(errors.DeniedError, match="pods is forbidden"):
            await reconciler.reconcile(REF)
    assert {path for verb, path in server.writes if verb == "PATCH"} == {f"{POOLS}/agentic/status"}
    assert condition(server, "Degraded")[:2] == ("True", "OperatorDenied")
    assert "helm upgrade" in condition(server, "Degraded")[2]


def condition(server: ApiServer, kind: str) -> tuple[str, str, str]:
    (found,) = (one for one in status(server)["conditions"] if one["type"] == kind)
    return found["status"], found["reason"], found["message"]


STEPS = {
    "parsing": "parsing.from_body",
    "looking": "observe",
    "scaling": "scaled",
    "planning": "plans.make_plan",
    "executing": "execute",
    "assessing": "statuses.assess",
    "looking for drift": "drift.found_in",
}
RAISED = (
    KeyError("name"),
    TypeError("'str' object is not a mapping"),
    RecursionError(),
    errors.ConflictError("faster"),
    errors.DeniedError("pods is forbidden"),
    errors.UnreachableError("no answer in time"),
)


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS.keys())
@pytest.mark.parametrize("error", RAISED, ids=[type(error).__name__ for error in RAISED])
async def test_any_pass_that_raises_is_in_the_status_once(
    server: ApiServer, reconciler: Reconciler, monkeypatch: pytest.MonkeyPatch, step: str, error: Exception
) -> None:
    put_pool(server, MODEL)

    def fail(*_: Any, **__: Any) -> Any:
        raise error

    monkeypatch.setattr(f"{reconcile.__name__}.{step}", fail)
    for _ in range(failed_passes.TOLD_AFTER + 1):
        with pytest.raises(type(error)):
            await reconciler.reconcile(REF)
    degraded = condition(server, "Degraded")
    assert degraded[0] == "True"
    assert str(error) in degraded[2]
    assert ". " in degraded[2], "there is no advice"
    told = [path for verb, path in server.writes if path.endswith("/status")]
    assert len(told) == 1


async def test_a_bug_while_writing_is_told_as_itself(
    server: ApiServer, reconciler: Reconciler, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_pool(server, MODEL)
    monkeypatch.setattr(reconciler._mirror, "note", Mock(side_effect=KeyError("spec")))
    with pytest.raises(ExceptionGroup):
        await reconciler.reconcile(REF)
    degraded = condition(server, "Degraded")
    assert degraded[1] == "OperatorFault"
    assert degraded[2].startswith("KeyError: 'spec' (execute.py:")


async def test_a_pool_that_could_be_passed_over_again_says_nothing_of_the_failure(
    server: ApiServer, reconciler: Reconciler, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_pool(server, MODEL)
    for _ in range(2):
        await reconciler.reconcile(REF)
    ready = condition(server, "Ready")
    with monkeypatch.context() as broken:
        broken.setattr(f"{reconcile.__name__}.plans.make_plan", Mock(side_effect=KeyError("name")))
        with pytest.raises(KeyError):
            await reconciler.reconcile(REF)
    assert condition(server, "Ready") == ("Unknown", "OperatorFault", "The last look at the pool failed; see Degraded")
    assert "KeyError: 'name'" in condition(server, "Degraded")[2]
    await reconciler.reconcile(REF)
    assert condition(server, "Ready") == ready
    assert condition(server, "Degraded")[:2] == ("False", "AsWanted")


async def test_an_api_server_that_knows_no_roles_yet_is_no_news(server: ApiServer, reconciler: Reconciler) -> None:
    put_pool(server, MODEL)
    await reconciler.reconcile(REF)
    told = len(server.writes)
    reconciler._mirror.collections[kinds.PODS, None].problem = errors.DeniedError("pods is forbidden")
    for _ in range(failed_passes.TOLD_AFTER - 1):
        with pytest.raises(errors.DeniedError):
            await reconciler.reconcile(REF)
    assert len(server.writes) == told
    reconciler._mirror.collections[kinds.PODS, None].problem = None
    await reconciler.reconcile(REF)
    assert condition(server, "Degraded")[0] == "False"


async def test_what_was_known_stays_when_the_api_server_is_away_for_a_moment(
    server: ApiServer, reconciler: Reconciler
) -> None:
    put_pool(server, MODEL)
    await reconciler.reconcile(REF)
    before = {kind: condition(server, kind) for kind in ("Planned", "Ready", "Progressing")}
    reconciler._mirror.collections[kinds.PODS, None].problem = errors.UnreachableError("Could not list pods: later")
    for number in range(failed_passes.TOLD_AFTER):
        assert condition(server, "Degraded")[0] == "False", number
        with pytest.raises(errors.UnreachableError):
            await reconciler.reconcile(REF)
    assert {kind: condition(server, kind) for kind in before} == before
    assert condition(server, "Degraded")[:2] == ("True", "ApiServerUnreachable")


async def test_a_status_that_cannot_be_written_hides_no_failure(server: ApiServer, reconciler: Reconciler) -> None:
    put_pool(server, MODEL)
    server.refuse("PATCH", f"{POOLS}/agentic/status", 503, "later")
    with pytest.raises(errors.UnreachableError, match="later"):
        await reconciler.reconcile(REF)


async def test_an_engine_that_starts_is_looked_at_again(server: ApiServer, reconciler: Reconciler) -> None:
    put_pool(server, MODEL)
    server.put(
        "/api/v1/namespaces/llm/pods",
        metadata={"name": "p", "labels": {**LABELS, "app.kubernetes.io/name": "vllm"}},
        spec={"containers": [{"name": "vllm"}]},
        status={"containerStatuses": [{"name": "vllm", "state": {"running": {}}}]},
    )
    await fill(reconciler._client, reconciler._mirror)
    assert (await reconciler.reconcile(REF)).again == next_look.LOOK_AGAIN


async def test_pools_that_claim_the_same_name_hear_of_each_other(server: ApiServer, reconciler: Reconciler) -> None:
    put_pool(server, MODEL)
    put_pool(server, MODEL, name="older", creationTimestamp="2026-11-22T08:00:00Z")
    assert (await reconciler.reconcile(REF)).concerned == frozenset()
    assert (await reconciler.reconcile(ObjectRef("llm", "older"))).concerned == {REF}
    del server.objects[f"{POOLS}/older"]
    assert (await reconciler.reconcile(ObjectRef("llm", "older"))).concerned == {REF}


async def test_a_pool_that_is_refused_holds_no_name(server: ApiServer, reconciler: Reconciler) -> None:
    large = {**MODEL, "gpuMemoryFraction": 0.999}
    put_pool(server, large, name="older", creationTimestamp="2026-11-22T08:00:00Z")
    put_pool(server, MODEL)
    assert (await reconciler.reconcile(ObjectRef("llm", "older"))).outcome is Outcome.REFUSED
    await reconciler.reconcile(REF)
    assert condition(server, "Degraded")[1] != "NameTaken"


@pytest.mark.parametrize("spec", [{"models": "none"}, {"models": [{**MODEL, "gpuMemoryFraction": 0.999}]}])
async def test_a_pool_that_ran_holds_its_names_as_long_as_it_has_routes(
    server: ApiServer, reconciler: Reconciler, spec: dict[str, Any]
) -> None:
    older = ObjectRef("llm", "older")
    put_pool(server, MODEL, name="older", creationTimestamp="2026-11-22T08:00:00Z")
    put_pool(server, {**MODEL, "name": "QWEN3:8b"})
    await reconciler.reconcile(older)
    server.objects[f"{POOLS}/older"]["spec"] = {"gpus": {"memory": "24Gi"}, **spec}
    assert (await reconciler.reconcile(older)).concerned == frozenset()
    await reconciler.reconcile(REF)
    assert condition(server, "Degraded")[1] == "NameTaken"


DEPLOYMENT = "/apis/apps/v1/namespaces/llm/deployments/agentic-qwen3-8b"


async def passes(reconciler: Reconciler, server: ApiServer, number: int) -> list[str]:
    """Make so many passes, the mirror in step, and return the paths of what they wrote."""
    server.requests.clear()
    for _ in range(number):
        await fill(reconciler._client, reconciler._mirror)
        await reconciler.reconcile(REF)
    return [path for verb, path in server.writes]


def scale(server: ApiServer, replicas: int) -> None:
    """Act as an autoscaler."""
    live = server.objects[DEPLOYMENT]
    live["spec"]["replicas"] = replicas
    holder = {"manager": "hpa", "time": "now", "fieldsV1": {"f:spec": {"f:replicas": {}}}}
    live["metadata"] |= {"managedFields": [holder], "resourceVersion": str(next(server._numbers))}


async def test_who_undoes_everything_meets_longer_and_longer_pauses_and_is_named(
    server: ApiServer, reconciler: Reconciler, clock: Clock
) -> None:
    put_pool(server, MODEL)
    await passes(reconciler, server, 2)
    put_back = []
    for second in range(1200):
        clock.now = float(second)
        if server.objects[DEPLOYMENT]["spec"]["replicas"] != 2:
            scale(server, 2)
        put_back += [second for path in await passes(reconciler, server, 1) if path == DEPLOYMENT]
        if second == 600:
            degraded = condition(server, "Degraded")
            assert degraded[:2] == ("True", "Interference")
            assert "'hpa' changes /spec/replicas; put back 34 times since" in degraded[2]
        if second > 100:
            assert condition(server, "Progressing")[1] != "Applying"
    assert put_back == [0, 1, 2, 3, *range(13, 1200, 20)]

    scale(server, 1)
    clock.now += 400
    await passes(reconciler, server, 2)
    assert condition(server, "Degraded")[1] != "Interference"


async def test_what_admission_makes_of_a_child_is_taken_as_it_is(
    server: ApiServer, reconciler: Reconciler, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of an operator that starts, too: it asks once, and learns that the answer is the same."""
    apply = server._patch

    def rewriting(request: Any) -> Any:
        if request.path == DEPLOYMENT and isinstance(request.body, dict):
            (container,) = request.body["spec"]["template"]["spec"]["containers"]
            container["image"] = "registry.example.com/mirrored"
            container["resources"] = {**container.get("resources", {}), "requests": {"cpu": "1"}}
        return apply(request)

    monkeypatch.setattr(server, "_patch", rewriting)
    put_pool(server, MODEL)
    assert DEPLOYMENT in await passes(reconciler, server, 1)
    await passes(reconciler, server, 2)
    assert await passes(reconciler, server, 3) == []
    assert condition(server, "Progressing")[1] != "Applying"
    reconciler._histories.drop(REF)
    assert (await passes(reconciler, server, 5)).count(DEPLOYMENT) == 1
    assert condition(server, "Degraded")[0] == "False"
    assert condition(server, "Progressing")[1] != "Applying"

    server.objects[DEPLOYMENT]["spec"]["template"]["spec"]["containers"][0]["image"] = "evil"
    wrote = await passes(reconciler, server, 3)
    assert wrote.count(DEPLOYMENT) == 1, "an edit by hand is put back"
    (container,) = server.objects[DEPLOYMENT]["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "registry.example.com/mirrored"


async def test_a_spec_that_two_set_in_turn_is_carried_out_less_and_less_often(
    server: ApiServer, reconciler: Reconciler, clock: Clock
) -> None:
    put_pool(server, MODEL)
    await passes(reconciler, server, 2)
    written = []
    for step in range(1200):
        clock.now = step * 0.3
        pool = server.objects[f"{POOLS}/agentic"]
        pool["spec"]["models"][0]["maxConcurrency"] = 3 + step % 2
        pool["metadata"]["generation"] += 1
        written += [(clock.now, path) for path in await passes(reconciler, server, 1)]
    counts = {minute: sum(minute * 60 <= when < minute * 60 + 60 for when, _ in written) for minute in range(6)}
    assert all(counts[minute] <= 6 for minute in range(1, 6)), (counts, written)
    assert condition(server, "Degraded")[1] == "Interference"


BESIDE = {
    "gpus": {"memory": "24Gi", "sharing": "visibleDevices"},
    "nodeSelector": {"kubernetes.io/hostname": "gpu-1"},
    "ollama": {"enabled": False},
}


async def test_two_pools_on_one_node_do_not_take_one_card(server: ApiServer, reconciler: Reconciler) -> None:
    pinned = {"gpus": {"memory": "24Gi", "count": 2, "sharing": "visibleDevices"}, "ollama": {"enabled": False}}
    for name in ("first", "second", "third"):
        put_pool(server, {**MODEL, "name": f"{name}:1", "gpuMemoryFraction": 0.8}, name=name)
        server.objects[f"{POOLS}/{name}"]["spec"] |= {**pinned, "nodeSelector": {"kubernetes.io/hostname": "gpu-1"}}
    results = {name: await reconciler.reconcile(ObjectRef("llm", name)) for name in ("first", "second", "third")}
    cards = {name: server.objects[f"{POOLS}/{name}"]["status"]["models"][0].get("gpu") for name in results}
    assert cards == {"first": 0, "second": 1, "third": None}
    (told,) = (one for one in server.objects[f"{POOLS}/third"]["status"]["conditions"] if one["type"] == "Planned")
    assert (told["status"], told["reason"]) == ("False", "CardHeld")
    assert "pool llm/first (first:1)" in told["message"]
    assert "pool llm/second (second:1)" in told["message"]

    del server.objects[f"{POOLS}/first"]
    for path in [path for path in server.objects if "/deployments/first" in path]:
        reconciler._mirror.drop(kinds.child("apps/v1", "Deployment"), ObjectRef("llm", path.rpartition("/")[2]))
    gone = await reconciler.reconcile(ObjectRef("llm", "first"))
    assert (gone.outcome, ObjectRef("llm", "third") in gone.concerned) == (Outcome.GONE, True)
    assert (await reconciler.reconcile(ObjectRef("llm", "third"))).outcome is Outcome.PLANNED


async def test_an_engine_that_the_api_server_does_not_take_holds_no_other_pool_up(
    server: ApiServer, reconciler: Reconciler, clock: Clock
) -> None:
    first, second = (ObjectRef("llm", name) for name in ("first", "second"))
    for ref in (first, second):
        put_pool(server, {**MODEL, "name": "a"}, name=ref.name)
        server.objects[f"{POOLS}/{ref.name}"]["spec"] |= BESIDE
    server.refuse("PATCH", "/apis/apps/v1/namespaces/llm/deployments/first-a", 403, "exceeded quota")
    await reconciler.reconcile(first)
    await reconciler.reconcile(second)
    for clock.now in (1.0, 3.0):  # First it waits for its time, then it is tried again.
        await fill(reconciler._client, reconciler._mirror)
        assert (second in (await reconciler.reconcile(first)).concerned) == (clock.now == 1.0)
        await reconciler.reconcile(second)
        assert "/apis/apps/v1/namespaces/llm/deployments/second-a" in server.objects


LARGE = {**MODEL, "name": "a", "gpuMemoryFraction": 0.8}


def put_beside(server: ApiServer, name: str, hour: int, **metadata: Any) -> ModelPool:
    """Put a pool that has most of the one card of `gpu-1`, and return it as it is parsed."""
    put_pool(server, LARGE, name=name, creationTimestamp=f"2026-11-22T{hour:02}:00:00Z", **metadata)
    body = server.objects[f"{POOLS}/{name}"]
    body["spec"] |= BESIDE
    return parsing.from_body(body)


def put_engine_of(server: ApiServer, pool: str) -> None:
    """Put a pod that has most of the one card of `gpu-1` for a pool."""
    server.put(
        "/api/v1/namespaces/llm/pods",
        metadata={
            "name": "p",
            "labels": {**LABELS, "modelpool.dev/pool": pool},
            "annotations": {
                "modelpool.dev/model-name": "a",
                "modelpool.dev/gpu": "0",
                "modelpool.dev/gpu-memory": str(20 << 30),
            },
        },
        spec={"nodeName": "gpu-1", "containers": [{"name": "vllm"}]},
        status={"phase": "Running"},
    )


def planned_of(server: ApiServer, name: str) -> tuple[str, str]:
    conditions = server.objects[f"{POOLS}/{name}"]["status"]["conditions"]
    (found,) = (one for one in conditions if one["type"] == "Planned")
    return found["status"], found["reason"]


async def elsewhere_is_llm(namespace: str) -> str | None:
    return "another" if namespace == "llm" else None


LEFT_TO_OTHERS: dict[str, dict[str, Any]] = {
    "an operator of its own": {},
    "a finalizer": {"deletionTimestamp": "2026-11-22T09:30:00Z", "finalizers": ["example.com/backup"]},
}


@pytest.mark.parametrize("metadata", LEFT_TO_OTHERS.values(), ids=LEFT_TO_OTHERS.keys())
async def test_nobody_waits_for_what_a_pool_wishes_that_is_left_to_others(
    server: ApiServer, reconciler: Reconciler, metadata: dict[str, Any]
) -> None:
    older, younger = put_beside(server, "older", 8, **metadata), put_beside(server, "younger", 9)
    reconciler.unplanned.expect([], [older])
    await reconciler.reconcile(younger.ref)
    assert planned_of(server, "younger") == ("False", "CardHeld")
    if not metadata:
        reconciler._elsewhere = elsewhere_is_llm
    assert (await reconciler.reconcile(older.ref)).concerned == {younger.ref}
    reconciler._elsewhere = nowhere
    await reconciler.reconcile(younger.ref)
    assert planned_of(server, "younger")[0] == "True"


async def test_what_pods_hold_of_a_pool_that_another_operator_serves_is_known(
    server: ApiServer, reconciler: Reconciler
) -> None:
    theirs, ours = put_beside(server, "theirs", 9), put_beside(server, "ours", 8)
    reconciler._elsewhere = elsewhere_is_llm
    put_engine_of(server, "theirs")
    await fill(reconciler._client, reconciler._mirror)
    await reconciler.reconcile(theirs.ref)
    reconciler._elsewhere = nowhere
    await reconciler.reconcile(ours.ref)
    assert planned_of(server, "ours") == ("False", "CardHeld")


async def test_a_pool_whose_pods_nobody_can_read_ends_no_operator(
    server: ApiServer, reconciler: Reconciler, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What is looked at before the workers begin is looked at outside of any pass."""
    first = put_beside(server, "first", 8)
    monkeypatch.setattr(f"{unplanned_pools.__name__}.engines_of", Mock(side_effect=ValueError("no such pod")))
    reconciler.unplanned.expect([first.ref], [first])
    assert [record.levelname for record in caplog.records] == ["ERROR"]


@pytest.mark.parametrize("listed", [True, False], ids=["cannot be read", "is gone"])
async def test_what_runs_of_a_pool_without_a_plan_is_known_before_the_first_pass(
    server: ApiServer, reconciler: Reconciler, listed: bool
) -> None:
    ours = put_beside(server, "ours", 8)
    put_engine_of(server, "theirs")
    await fill(reconciler._client, reconciler._mirror)
    reconciler.unplanned.expect([ours.ref, *([ObjectRef("llm", "theirs")] if listed else [])], [ours])
    await reconciler.reconcile(ours.ref)
    assert planned_of(server, "ours") == ("False", "CardHeld")


async def test_whom_a_pass_concerns_is_known_although_it_raised(
    server: ApiServer, reconciler: Reconciler, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = put_beside(server, "first", 8), put_beside(server, "second", 9)
    reconciler.unplanned.expect([], [second])
    monkeypatch.setattr(f"{reconcile.__name__}.execute", Mock(side_effect=errors.UnreachableError("later")))
    with pytest.raises(errors.UnreachableError):
        await reconciler.reconcile(first.ref)
    assert reconciler.owed(first.ref) == {second.ref}
    assert reconciler.owed(first.ref) == frozenset()


async def test_a_status_that_others_write_over_is_written_less_and_less_often(
    server: ApiServer, reconciler: Reconciler, clock: Clock
) -> None:
    put_pool(server, MODEL)
    await passes(reconciler, server, 2)
    written = []
    for second in range(400):
        clock.now = float(second)
        server.objects[f"{POOLS}/agentic"]["status"] = {"observedGeneration": -1, "conditions": []}
        written += [second for path in await passes(reconciler, server, 1) if path == f"{POOLS}/agentic/status"]
    assert written == [0, 1, 2, 21, 41, 62, 102, 182, 342]

    clock.now = 700.0
    await passes(reconciler, server, 1)
    server.objects[f"{POOLS}/agentic"]["metadata"]["generation"] += 1
    assert f"{POOLS}/agentic/status" in await passes(reconciler, server, 1), "what is new is told at once"


STATUS = f"{POOLS}/agentic/status"
TOO_LARGE = {**MODEL, "gpuMemoryFraction": 0.99}
PODS = "/api/v1/namespaces/llm/pods"


def edit(server: ApiServer, step: int) -> None:
    """Act as two who deploy the pool, each its own."""
    pool = server.objects[f"{POOLS}/agentic"]
    pool["spec"]["models"][0]["maxConcurrency"] = 3 + step % 2
    pool["metadata"]["generation"] += 1
    holder: dict[str, Any] = {"manager": ("argocd", "flux")[step % 2], "time": str(step), "fieldsV1": {"f:spec": {}}}
    pool["metadata"]["managedFields"] = [holder]


def wipe(server: ApiServer, _: int) -> None:
    """Act as who restores a pool that had no status."""
    server.objects[f"{POOLS}/agentic"]["status"] = {"observedGeneration": -1, "conditions": []}


def flip(server: ApiServer, step: int) -> None:
    """Have the only engine answer now and then."""
    put_pod(server, ready=step % 2 == 0)


@pytest.mark.parametrize(
    ("models", "metadata", "act", "says"),
    [
        ((TOO_LARGE, {**TOO_LARGE, "name": "b:1"}), {}, edit, "the ModelPool was changed"),
        (({**MODEL, "image": 1},), {}, edit, "the ModelPool was changed"),
        ((MODEL,), LEFT_TO_OTHERS["a finalizer"], wipe, "somebody writes over the status"),
        ((MODEL,), {}, flip, ""),
    ],
    ids=["a refused pool", "an invalid pool", "a held pool", "a pod that flaps"],
)
async def test_whatever_changes_a_status_without_end_has_it_written_a_few_times_a_minute(
    server: ApiServer,
    reconciler: Reconciler,
    clock: Clock,
    models: tuple[dict[str, Any], ...],
    metadata: dict[str, Any],
    act: Any,
    says: str,
) -> None:
    put_pool(server, *models)
    if models == ({**MODEL, "image": 1},):
        server.objects[f"{POOLS}/agentic"]["spec"]["models"][0]["engine"] = "none"
    await passes(reconciler, server, 2)
    server.objects[f"{POOLS}/agentic"]["metadata"] |= metadata
    written, degraded = [], []
    for step in range(240):
        clock.now = step * 0.75
        act(server, step)
        written += [clock.now for path in await passes(reconciler, server, 1) if path == STATUS]
        degraded.append(condition(server, "Degraded")[2] if status(server)["conditions"] else "")
        if act is flip:
            assert step % 2 == 0 or condition(server, "Ready")[0] != "True", "what is not so is told at once"
    assert [sum(60 * minute <= when < 60 * minute + 60 for when in written) <= 6 for minute in range(3)][1:] == [
        True
    ] * 2
    assert says in "; ".join(degraded)


async def test_a_pool_with_a_status_to_be_told_later_is_looked_at_then(
    server: ApiServer, reconciler: Reconciler, clock: Clock
) -> None:
    put_pool(server, {**MODEL, "engine": "none"})
    again = None
    for turn in range(60):
        server.objects[f"{POOLS}/agentic"]["metadata"]["generation"] = turn
        again = (await reconciler.reconcile(REF)).again
    assert again == pytest.approx(60.0)
    clock.now = 60.0
    await reconciler.reconcile(REF)
    assert status(server)["observedGeneration"] == 59


async def test_who_writes_over_the_status_is_named_in_an_event(
    server: ApiServer, reconciler: Reconciler, clock: Clock
) -> None:
    put_pool(server, MODEL)
    await passes(reconciler, server, 2)
    holder = {"manager": "restore", "time": "now", "fieldsV1": {"f:status": {"f:conditions": {}}}}
    server.objects[f"{POOLS}/agentic"]["metadata"]["managedFields"] = [holder]
    for second in range(60):
        clock.now = float(second)
        wipe(server, second)
        await reconciler.reconcile(REF)
    said = [one.body["message"] for one in server.requests if one.verb == "POST" and "reason" in one.body]
    assert any(one.startswith("'restore' writes over the status") for one in said)


async def test_who_takes_a_childs_label_away_is_named(server: ApiServer, reconciler: Reconciler) -> None:
    put_pool(server, MODEL)
    await passes(reconciler, server, 2)
    label = "app.kubernetes.io/managed-by"
    live = server.objects[DEPLOYMENT]
    live["metadata"]["labels"][label] = "labeller"
    fields: dict[str, Any] = {"f:metadata": {"f:labels": {f"f:{label}": {}}}}
    live["metadata"]["managedFields"] = [{"manager": "labeller", "time": "now", "fieldsV1": fields}]
    reconciler._mirror.drop(kinds.child("apps/v1", "Deployment"), ObjectRef("llm", "agentic-qwen3-8b"))
    await reconciler.reconcile(REF)
    (said,) = (one.body["message"] for one in server.requests if one.verb == "POST" and "reason" in one.body)
    assert f"/metadata/labels/{label} was changed by 'labeller' and is put back" in said


async def test_an_operator_that_starts_takes_nothing_for_changed_that_admission_rewrites(
    server: ApiServer, reconciler: Reconciler, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply = server._patch

    def rewriting(request: Any) -> Any:
        """Answer as the API server does where nothing changes: with the same version."""
        before = server.objects.get(request.path)
        if request.path == DEPLOYMENT and isinstance(request.body, dict):
            (container,) = request.body["spec"]["template"]["spec"]["containers"]
            container["image"] = "registry.example.com/mirrored"
        answer = apply(request)
        if request.path == DEPLOYMENT and before is not None:
            server.objects[DEPLOYMENT]["metadata"] = before["metadata"]
            answer = web.json_response(server.objects[DEPLOYMENT])
        return answer

    put_pool(server, MODEL)
    monkeypatch.setattr(server, "_patch", rewriting)
    await passes(reconciler, server, 3)
    put_pod(server, ready=True)
    await passes(reconciler, server, 3)
    assert condition(server, "Ready")[0] == "True"
    reconciler._histories.drop(REF)
    assert await passes(reconciler, server, 1) == [DEPLOYMENT], "the status stays as it is"
    assert await passes(reconciler, server, 2) == []
    assert condition(server, "Ready")[0] == "True"
