"""The chart against a real API server: it is taken, installed, upgraded and removed, and its roles suffice."""

import copy
import json
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from chart_helm import ALL_ON, CHART, ROOT, Helm, Object, pick

from modelpool_cluster import waiting
from modelpool_cluster.cluster import Cluster
from modelpool_cluster.plugin import GpuNodes
from modelpool_cluster.rest import ApiError
from modelpool_under_test.processes import route_documents
from modelpool_under_test.processes.operator_program import Operator
from modelpool_under_test.processes.programs import Program, started

CRD = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/modelpools.modelpool.dev"
PODMONITORS: Object = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "podmonitors.monitoring.coreos.com"},
    "spec": {
        "group": "monitoring.coreos.com",
        "scope": "Namespaced",
        "names": {"kind": "PodMonitor", "plural": "podmonitors"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
            }
        ],
    },
}
"""The kind by its name: its fields are the Prometheus operator's matter, and unknown to this API server."""


@pytest.fixture
def restricted(cluster: Cluster, namespace: str) -> str:
    """A namespace that admits only Pods of the standard `restricted`."""
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    cluster.api.patch(f"/api/v1/namespaces/{namespace}", {"metadata": {"labels": labels}})
    return namespace


@pytest.fixture
def installer(cluster: Cluster, helm: Path, helm_home: Path) -> Helm:
    """helm as the cluster's admin."""
    return Helm(program=helm, home=helm_home, kubeconfig=cluster.kubeconfig)


@pytest.fixture
def release(installer: Helm, restricted: str, gpu_node: GpuNodes) -> Iterator[str]:
    """The chart, installed with its defaults and ready; returns its namespace."""
    gpu_node()
    # Other cases may have applied the CRD before.
    taken = ["--take-ownership", "--force-conflicts"] if _is_helm_4(installer) else ["--take-ownership"]
    installer(
        "install", "modelpool", CHART, f"--namespace={restricted}", "--wait", "--timeout=90s", *taken, timeout=110
    )
    yield restricted
    installer("uninstall", "modelpool", f"--namespace={restricted}", "--ignore-not-found", timeout=110)


def _is_helm_4(helm: Helm) -> bool:
    return helm("version", "--template={{.Version}}").startswith("v4.")


def _pods(cluster: Cluster, namespace: str) -> list[str]:
    return sorted(pod["metadata"]["labels"]["app.kubernetes.io/component"] for pod in cluster.pods(namespace))


@pytest.mark.parametrize("flags", [(), ("--values", ALL_ON)], ids=["defaults", "all on"])
def test_the_api_server_takes_every_object_and_knows_every_field(
    cluster: Cluster, chart: Helm, namespace: str, flags: tuple[str, ...], tmp_path: Path
) -> None:
    cluster.apply(PODMONITORS)
    cluster.kubectl("wait", "--for=condition=Established", "crd/podmonitors.monitoring.coreos.com")
    watched = {"watchNamespaces": [namespace]} if flags else {}
    rendered = tmp_path / "rendered.yaml"
    rendered.write_text(chart.template(watched, *flags, namespace=namespace))
    told = cluster.kubectl(
        "apply", "--server-side", "--force-conflicts", "--dry-run=server", "--validate=strict", "-f", rendered
    )
    wanted = [one for one in yaml.safe_load_all(rendered.read_text()) if one]
    assert len(told.splitlines()) == len(wanted), told


def test_install_upgrade_and_uninstall(cluster: Cluster, installer: Helm, release: str) -> None:
    assert _pods(cluster, release) == ["gateway", "operator"]

    flags = (f"--namespace={release}", "--wait", "--timeout=90s")
    installer("upgrade", "modelpool", CHART, *flags, values={"gateway": {"replicas": 2}}, timeout=110)
    assert _pods(cluster, release) == ["gateway", "gateway", "operator"]

    installer("uninstall", "modelpool", f"--namespace={release}", "--wait", timeout=110)
    waiting.wait_for("the end of the Pods", lambda: not _pods(cluster, release))
    roles = cluster.api.items("/apis/rbac.authorization.k8s.io/v1/clusterroles")
    assert [one["metadata"]["name"] for one in roles if one["metadata"]["name"].startswith(f"{release}:")] == []
    kept = cluster.api.find(CRD)
    assert kept is not None
    assert "deletionTimestamp" not in kept["metadata"]


@pytest.mark.parametrize("flags", [(), ("--values", ALL_ON)], ids=["defaults", "all on"])
@pytest.mark.parametrize("component", ["operator", "gateway"])
def test_pods_satisfy_the_restricted_standard(
    cluster: Cluster, chart: Helm, restricted: str, component: str, flags: tuple[str, ...]
) -> None:
    deployment = pick(chart.objects(None, *flags, namespace=restricted), "Deployment", component)
    # The ServiceAccount and PriorityClass are not the matter here, and admission would look for both.
    spec = {**deployment["spec"]["template"]["spec"], "serviceAccountName": "default"}
    spec.pop("priorityClassName", None)
    pod: Object = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": component}, "spec": spec}
    pods = f"/api/v1/namespaces/{restricted}/pods?dryRun=All"
    cluster.api.create(pods, pod)

    lax = copy.deepcopy(pod)
    lax["spec"]["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = True
    with pytest.raises(ApiError, match="violates PodSecurity"):
        cluster.api.create(pods, lax)


def test_the_cluster_s_roles_include_pools(cluster: Cluster, release: str) -> None:
    account = f"--as=system:serviceaccount:{release}:default"

    def may(role: str, verb: str) -> bool:
        cluster.kubectl("create", "rolebinding", role, f"--clusterrole={role}", f"--serviceaccount={release}:default",
                        "-n", release)  # fmt: skip
        try:
            return _answers_yes(cluster, "auth", "can-i", verb, "modelpools.modelpool.dev", "-n", release, account)
        finally:
            cluster.kubectl("delete", "rolebinding", role, "-n", release)

    def look() -> bool:
        found = {(role, verb): may(role, verb) for role in ("view", "edit", "admin") for verb in ("get", "create")}
        assert found == {(role, verb): (role, verb) != ("view", "create") for role, verb in found}, found
        return True

    waiting.wait_for("the aggregation of the roles", look, every=0.5)


def _answers_yes(cluster: Cluster, *question: str) -> bool:
    try:
        return cluster.kubectl(*question).strip() == "yes"
    except RuntimeError as exc:  # kubectl answers "no" with an exit status, too
        if not str(exc).endswith(": no"):
            raise
        return False


# -- the programs, with the rights that the chart gives them ---------------------------------------------------------


def _refused(cluster: Cluster, since: datetime, namespace: str, account: str) -> list[str]:
    user = f"system:serviceaccount:{namespace}:{account}"
    events = cluster.audit_events(since=since, user=user)
    assert events, f"{user} asked for nothing"
    return sorted({f"{event.verb} {event.uri}: {event.status}" for event in events if event.status in (401, 403)})


SCOPES: Mapping[str, bool] = {"everywhere": False, "in one namespace": True}


@pytest.mark.parametrize("scoped", SCOPES.values(), ids=SCOPES.keys())
def test_the_operator_serves_a_pool_with_its_own_rights(
    cluster: Cluster, installer: Helm, release: str, scoped: bool, tmp_path: Path
) -> None:
    since = datetime.now(UTC)
    namespace = _scope(installer, release, scoped)
    credentials = cluster.kubeconfig_for(release, "modelpool-operator")
    pool = {**yaml.safe_load((ROOT / "examples" / "single-gpu-24gb.yaml").read_text())}
    pool["metadata"]["namespace"] = release
    arguments = [
        *("--health-address=127.0.0.1:0", "--metrics-address=127.0.0.1:0", f"--kubeconfig={credentials}"),
        *("--gateway-service=modelpool-gateway", f"--gateway-namespace={release}"),
        f"--engine-key-secret={release}/modelpool-engine-key",
    ]
    with started("modelpool_operator", *arguments, *namespace, log=tmp_path / "operator.log") as program:
        user = f"system:serviceaccount:{release}:modelpool-operator"
        Operator(cluster=cluster, user=user, program=program).wait_until_ready()
        cluster.apply(pool)
        path = f"/apis/modelpool.dev/v1alpha1/namespaces/{release}/modelpools/{pool['metadata']['name']}"

        def planned() -> bool:
            seen: dict[str, Any] = cluster.api.get(path).get("status", {})
            states = {one["type"]: one["status"] for one in seen.get("conditions", [])}
            assert states.get("Planned") == "True", f"{seen}\n{program.log.read_text()[-2000:]}"
            return True

        waiting.wait_for("the pool's plan", planned)
        names = {model["name"] for model in pool["spec"]["models"] if model.get("engine", "vllm") == "vllm"}
        deployments = f"/apis/apps/v1/namespaces/{release}/deployments"
        selector = f"modelpool.dev/pool={pool['metadata']['name']}"
        waiting.wait_for(
            "its engines", lambda: len(cluster.api.items(deployments, labelSelector=selector)) > len(names)
        )
        # Less is wanted: the operator prunes, with its right to delete.
        policies = f"/apis/networking.k8s.io/v1/namespaces/{release}/networkpolicies"
        assert [one["metadata"]["name"] for one in cluster.api.items(policies)] == [
            f"{pool['metadata']['name']}-engines"
        ]
        less = {"ollama": {"enabled": False}, "models": pool["spec"]["models"][:1], "network": {"isolate": False}}
        cluster.api.patch(path, {"spec": less}, "application/merge-patch+json")
        waiting.wait_for("the pruning", lambda: len(cluster.api.items(deployments, labelSelector=selector)) == 1)
        waiting.wait_for("the end of the policy", lambda: not cluster.api.items(policies))
        # Nodes belong to no namespace: whoever may not look at them says what is not seen.
        nodes = ["list /api/v1/nodes?limit=250: 403"] if scoped else []
        assert _refused(cluster, since, release, "modelpool-operator") == nodes
        program.stop()


TINY: Object = {
    "name": "tiny",
    "backends": [{"engine": "vllm", "service": "small-tiny", "port": 8000, "model": "tiny", "maxConcurrency": 1}],
}


@pytest.mark.parametrize("scoped", SCOPES.values(), ids=SCOPES.keys())
def test_the_gateway_finds_routes_with_its_own_rights(
    cluster: Cluster, installer: Helm, release: str, scoped: bool, tmp_path: Path
) -> None:
    since = datetime.now(UTC)
    namespace = _scope(installer, release, scoped)
    credentials = cluster.kubeconfig_for(release, "modelpool-gateway")
    pool = cluster.api.create(route_documents.pools(release), route_documents.manifest("small"))
    content = route_documents.data(release, [TINY], name="small")
    owned = route_documents.config_map(route_documents.owner_of(pool), content, name="small-routes")
    cluster.api.create(route_documents.config_maps(release), owned)
    arguments = ["--listen=127.0.0.1:0", "--drain-delay=0", f"--kubeconfig={credentials}", *namespace]
    with started("modelpool_sidecar", *arguments, log=tmp_path / "gateway.log") as gateway:
        address = waiting.wait_for("the gateway's ports", lambda: _listening(gateway))
        waiting.wait_for("readiness", lambda: _is_ready(gateway, address))

        def look() -> bool:
            with urllib.request.urlopen(f"http://{address}/v1/models", timeout=5) as answer:
                names = [model["id"] for model in json.load(answer)["data"]]
            assert "tiny" in names, names
            return True

        waiting.wait_for("the model's name", look)
        assert _refused(cluster, since, release, "modelpool-gateway") == []
        gateway.stop()


def _listening(gateway: Program) -> str:
    gateway.assert_alive()
    return next((str(line["listening"][0]) for line in gateway.lines() if "listening" in line), "")


def _is_ready(gateway: Program, address: str) -> bool:
    gateway.assert_alive()
    try:
        with urllib.request.urlopen(f"http://{address}/readyz", timeout=5):
            return True
    except urllib.error.HTTPError as exc:
        with exc:
            raise AssertionError(f"{exc.code} {exc.read(500)!r}") from exc


def _scope(installer: Helm, release: str, scoped: bool) -> list[str]:
    """Keep the release to its own namespace, or leave it as it is; return what the programs are told of it."""
    if not scoped:
        return []
    values = {"watchNamespaces": [release], "rbac": {"nodes": False}}
    installer("upgrade", "modelpool", CHART, f"--namespace={release}", values=values, timeout=110)
    return [f"--namespace={release}"]
