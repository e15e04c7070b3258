"""Who may reach a pool's engines: a small reader of NetworkPolicies asks, as the cluster's network would."""

from dataclasses import replace
from typing import Any

import pytest

from modelpool_operator.api.pool import ModelPool
from modelpool_operator.planning.changes.plan import make_plan
from modelpool_operator.planning.manifests import routes
from modelpool_operator.planning.manifests.network_policies import network_policy
from modelpool_operator.planning.objects.identity import Manifest, ref_of
from modelpool_operator.planning.observation.installation import Installation
from modelpool_operator.planning.observation.observed import Observed
from modelpool_operator.planning.placement.pool_placement import place_pool
from modelpool_operator.planning.sharing.shares import Placement
from modelpool_operator.tests.planning.pools import after, ollama, pool_of, stored, vllm

KNOWN = Installation(gateways="modelpool-system")
GATEWAY = {
    "app.kubernetes.io/name": "modelpool",
    "app.kubernetes.io/part-of": "modelpool",
    "app.kubernetes.io/component": "gateway",
}
MINE = {"app.kubernetes.io/managed-by": "modelpool-operator", "modelpool.dev/pool": "agentic"}
PROMETHEUS = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
MODELS = (vllm("a", 0.4), ollama("c"))


def policy_of(pool: ModelPool, installation: Installation) -> Manifest | None:
    placement = place_pool(pool, Observed())
    assert isinstance(placement, Placement)
    return network_policy(pool, placement, installation)


def selects(selector: dict[str, Any] | None, labels: dict[str, str]) -> bool:
    """Whether a LabelSelector selects labels, for what of it is used here."""
    found = selector or {}
    terms = found.get("matchExpressions", ())
    assert all(term["operator"] == "In" for term in terms)
    exact = found.get("matchLabels", {}).items() <= labels.items()
    return exact and all(labels.get(term["key"]) in term["values"] for term in terms)


def lets_in(policy: dict[str, Any], port: int, *, namespace: str, labels: dict[str, str]) -> bool:
    """Whether a pod of a namespace reaches a port of a pod that the policy is about."""

    def is_peer(peer: dict[str, Any]) -> bool:
        here = {"kubernetes.io/metadata.name": namespace}
        inside = selects(peer["namespaceSelector"], here) if "namespaceSelector" in peer else namespace == "llm"
        return inside and ("podSelector" not in peer or selects(peer["podSelector"], labels))

    rules = [one for one in policy["spec"]["ingress"] if port in [port["port"] for port in one["ports"]]]
    assert all(rule["from"] for rule in rules), "no `from` means from everywhere"
    return any(is_peer(peer) for rule in rules for peer in rule["from"])


ASKING: dict[str, tuple[str, dict[str, str], tuple[bool, bool]]] = {
    "a gateway": ("modelpool-system", GATEWAY, (True, True)),
    "another pod of the gateway's namespace": ("modelpool-system", {"app": "x"}, (False, False)),
    "who looks like a gateway elsewhere": ("team", GATEWAY, (False, False)),
    "any pod of the pool's namespace": ("llm", {"app": "x"}, (False, False)),
    "any pod of another namespace": ("team", {}, (False, False)),
    "a pull of the pool": ("llm", {**MINE, "app.kubernetes.io/name": "pull"}, (False, True)),
    "a removal of the pool": ("llm", {**MINE, "app.kubernetes.io/name": "remove"}, (False, True)),
    "a pull of another pool": (
        "llm",
        {**MINE, "modelpool.dev/pool": "other", "app.kubernetes.io/name": "pull"},
        (False, False),
    ),
    "another engine of the pool": ("llm", {**MINE, "app.kubernetes.io/name": "vllm"}, (False, False)),
    "Prometheus": ("monitoring", {"app": "prometheus"}, (True, False)),
    "a client that the pool names": ("llm", {"app": "pipeline"}, (True, True)),
}
"""Who asks: the namespace and labels, and whether vLLM and Ollama are reached where the pool names two of them."""
NAMED = {
    "monitoring": [PROMETHEUS],
    "clients": [{"podSelector": {"matchLabels": {"app": "pipeline"}}, "namespaceSelector": None}],
}


@pytest.mark.parametrize(("namespace", "labels", "want"), ASKING.values(), ids=ASKING.keys())
def test_who_reaches_which_engine(namespace: str, labels: dict[str, str], want: tuple[bool, bool]) -> None:
    policy = policy_of(pool_of(*MODELS, network=NAMED), KNOWN)
    assert policy is not None
    found = tuple(lets_in(policy, port, namespace=namespace, labels=labels) for port in (8000, 11434))
    assert found == want
    assert policy["spec"]["policyTypes"] == ["Ingress"]


@pytest.mark.parametrize("name", ["a gateway", "any pod of the pool's namespace", "a pull of the pool", "Prometheus"])
def test_the_server_of_stand_ins_answers_gateways_alone(name: str) -> None:
    models = (vllm("a", 0.4, fallback={"model": "qwen3:8b"}), ollama("c"))
    policy = policy_of(pool_of(*models, ollama={"gpuMemory": "4Gi"}), KNOWN)
    assert policy is not None
    namespace, labels, _ = ASKING[name]
    assert lets_in(policy, 11435, namespace=namespace, labels=labels) == (name == "a gateway")


@pytest.mark.parametrize("share", ["0", "6Gi"])
def test_a_gateway_reaches_every_port_that_the_routes_name(share: str) -> None:
    pool = pool_of(vllm("gemma3:4b", 0.4), ollama("cogito:8b"), ollama={"gpuMemory": share})
    placement, policy = place_pool(pool, Observed()), policy_of(pool, KNOWN)
    assert isinstance(placement, Placement)
    assert policy is not None
    document = routes.routes_document(pool, placement, routes.in_cluster(pool, placement))
    ports = {backend["port"] for model in document["models"] for backend in model["backends"]}
    assert ports == ({8000, 11434} if share == "0" else {8000, 11434, 11435})
    for port in ports:
        assert lets_in(policy, port, namespace="modelpool-system", labels=GATEWAY)


@pytest.mark.parametrize("name", ["a gateway", "Prometheus", "a client that the pool names"])
def test_nobody_is_let_in_whom_nobody_named(name: str) -> None:
    namespace, labels, _ = ASKING[name]
    policy = policy_of(pool_of(*MODELS, network={"isolate": True}), Installation())
    assert policy is not None
    assert not any(lets_in(policy, port, namespace=namespace, labels=labels) for port in (8000, 11434))


WISHES: dict[str, tuple[bool | None, Installation, bool]] = {
    "nothing said, gateways known": (None, KNOWN, True),
    "nothing said, no gateway known": (None, Installation(), False),
    "wanted": (True, Installation(), True),
    "not wanted": (False, KNOWN, False),
}


@pytest.mark.parametrize(("isolate", "installation", "want"), WISHES.values(), ids=WISHES.keys())
def test_whether_a_pool_is_isolated(isolate: bool | None, installation: Installation, want: bool) -> None:
    network: dict[str, Any] = {} if isolate is None else {"network": {"isolate": isolate}}
    assert (policy_of(pool_of(*MODELS, **network), installation) is not None) is want


def test_the_policy_is_about_every_pod_of_the_pool_and_comes_before_them() -> None:
    plan = make_plan(pool_of(*MODELS), Observed(installation=KNOWN))
    order = [one["kind"] for one in plan.apply]
    assert order.index("NetworkPolicy") < order.index("Deployment")
    (policy,) = (one for one in plan.apply if one["kind"] == "NetworkPolicy")
    pods = [one["spec"]["template"] for one in plan.apply if one["kind"] in ("Deployment", "Job")]
    assert len(pods) == 2
    assert all(selects(policy["spec"]["podSelector"], pod["metadata"]["labels"]) for pod in pods)


def test_a_policy_that_somebody_opens_is_put_back_and_one_that_is_not_wanted_goes() -> None:
    pool = pool_of(*MODELS)
    settled = replace(after(Observed(), make_plan(pool, Observed(installation=KNOWN))), installation=KNOWN)
    (ref,) = (ref for ref in settled.children if ref.kind == "NetworkPolicy")
    opened = stored(settled.children[ref])
    opened["spec"] = {**opened["spec"], "ingress": [*opened["spec"]["ingress"], {}]}
    plan = make_plan(pool, replace(settled, children={**settled.children, ref: opened}))
    assert ref in [ref_of(one) for one in plan.apply]
    assert ref in make_plan(pool_of(*MODELS, network={"isolate": False}), settled).delete


def test_a_policy_that_lets_no_caller_in_is_told_of() -> None:
    def notes(installation: Installation = Installation(), **network: Any) -> list[str]:  # noqa: B008 (frozen)
        observed = Observed(installation=installation)
        found = make_plan(pool_of(*MODELS, network=network), observed).notes
        return [note for note in found if "`network.isolate`" in note]

    (note,) = notes(isolate=True)
    assert "`network.clients`" in note
    assert notes(KNOWN, isolate=True) == notes(isolate=True, clients=[PROMETHEUS]) == []
    assert notes(isolate=False) == notes() == []
