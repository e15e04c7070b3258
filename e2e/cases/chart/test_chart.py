"""The chart by itself, with a real helm and no cluster: its values, what they do, and what it grants."""

import copy
import json
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from typing import Any

import jsonschema
import pytest
import yaml
from chart_derived import derived, documented
from chart_helm import ALL_ON, CHART, ROOT, Helm, HelmFailedError, Object, get, leaves, pick, resolved

from modelpool_operator import settings as operator_settings
from modelpool_operator.cluster import kinds
from modelpool_operator.planning.changes.child_changes import KEPT
from modelpool_sidecar import settings as gateway_settings

VALUES: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text())
SCHEMA: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text())
EVERYTHING: dict[str, Any] = yaml.safe_load(ALL_ON.read_text())
LEAVES = list(leaves(VALUES, SCHEMA))


@pytest.mark.parametrize("flags", [(), ("--values", ALL_ON)], ids=["defaults", "all on"])
def test_helm_finds_nothing_to_complain_about(chart: Helm, flags: tuple[str, ...]) -> None:
    assert "0 chart(s) failed" in chart("lint", "--strict", CHART, *flags)


def test_derived_files_are_up_to_date(chart: Helm) -> None:
    old = [str(path.relative_to(ROOT)) for path, want in derived(chart).items() if path.read_bytes() != want]
    assert old == [], "run .venv/bin/python e2e/cases/chart/chart_derived.py, and read what changed"


def test_the_chart_has_the_version_of_the_programs() -> None:
    described = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert {described["version"], described["appVersion"]} == {metadata.version("modelpool")}


# -- values ----------------------------------------------------------------------------------------------------------


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_values_and_schema_name_the_same_things() -> None:
    assert _difference(VALUES, SCHEMA) == []


def _difference(values: Mapping[str, Any], schema: Mapping[str, Any], path: str = "") -> list[str]:
    """Return what stands in the one and not in the other."""
    known = set(schema["properties"]) - {"global"}
    found = [f"{path}{name}: only in one of them" for name in sorted(known ^ set(values))]
    if schema.get("additionalProperties") is not False:
        found.append(f"{path}: must not take unknown properties")
    for name in sorted(known & set(values)):
        below = resolved(schema["properties"][name], root=SCHEMA)
        if "properties" in below:
            found += _difference(values[name], below, f"{path}{name}.")
    return found


def test_every_value_is_documented() -> None:
    assert [".".join(value.path) for value in documented() if not value.description] == []


OTHERWISE: dict[str, dict[str, Any]] = {
    # The digest that the file sets would win.
    "operator.image.tag": {"operator": {"image": {"digest": "", "tag": "9.9.9"}}},
    "gateway.image.digest": {"gateway": {"image": {"digest": f"sha256:{'f' * 64}"}}},
}


def test_every_value_has_an_effect(chart: Helm) -> None:
    """With everything on, each value put back to its default, or turned round, changes the rendering."""
    base = chart.template(EVERYTHING)

    def is_idle(path: tuple[str, ...]) -> bool:
        return chart.template(_with_another(path)) == base

    with ThreadPoolExecutor(max_workers=2) as pool:
        idle = [".".join(path) for path, found in zip(LEAVES, pool.map(is_idle, LEAVES), strict=True) if found]
    assert idle == []


def _with_another(path: tuple[str, ...]) -> dict[str, Any]:
    name, default = ".".join(path), get(VALUES, path)
    if name in OTHERWISE:
        return _merged(EVERYTHING, OTHERWISE[name])
    given = get(EVERYTHING, path)
    other = not given if isinstance(given, bool) else default
    assert other != given, f"{ALL_ON.name} must give {name} another value than its default"
    changed = copy.deepcopy(EVERYTHING)
    get(changed, path[:-1])[path[-1]] = other
    return changed


def _merged(values: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    below = {key: _merged(values[key], value) if isinstance(value, dict) else value for key, value in over.items()}
    return {**values, **below}


REFUSED = {
    "a key that is not there": ({"gatway": {}}, "gatway"),
    "an admin call that no engine has": ({"gateway": {"openAdmin": ["format"]}}, "openAdmin"),
    "a number as a tag": ({"operator": {"image": {"tag": 1.0}}}, "tag"),
    "a namespace that cannot exist": ({"watchNamespaces": ["Team_A"]}, "watchNamespaces"),
    "no workers": ({"operator": {"workers": 0}}, "workers"),
    "a log format unknown to the programs": ({"logFormat": "xml"}, "logFormat"),
    "a digest cut short": ({"gateway": {"image": {"digest": "sha256:abc"}}}, "digest"),
}


@pytest.mark.parametrize(("values", "named"), REFUSED.values(), ids=REFUSED.keys())
def test_wrong_values_are_refused_by_name(chart: Helm, values: dict[str, Any], named: str) -> None:
    with pytest.raises(HelmFailedError, match=named):
        chart.template(values)


# -- the programs ----------------------------------------------------------------------------------------------------


LIMITS = {
    "maxBodyBytes": "max_body_bytes",
    "maxConnections": "max_connections",
    "headTimeoutSeconds": "head_timeout",
    "bodyTimeoutSeconds": "body_timeout",
    "minBodyBytesPerSecond": "min_body_rate",
    "maxBodiesBytes": "max_bodies_bytes",
    "maxBodyValues": "max_body_values",
    "writeTimeoutSeconds": "write_timeout",
    "maxEngineLineBytes": "max_engine_line_bytes",
    "maxEngineAnswerBytes": "max_engine_answer_bytes",
    "maxLogLines": "max_log_lines",
    "connectTimeoutSeconds": "connect_timeout",
    "readTimeoutSeconds": "read_timeout",
}


def _arguments(objects: list[Object], component: str) -> list[str]:
    (container,) = pick(objects, "Deployment", component)["spec"]["template"]["spec"]["containers"]
    return [str(argument) for argument in container["args"]]


@pytest.mark.parametrize("values", [{}, EVERYTHING], ids=["defaults", "all on"])
def test_the_operator_takes_its_arguments(chart: Helm, values: dict[str, Any]) -> None:
    told = operator_settings.load(_arguments(chart.objects(values), "operator"), {})
    wanted = values or VALUES
    assert told.namespaces == tuple(wanted["watchNamespaces"])
    assert (told.workers, told.resync_seconds) == (wanted["operator"]["workers"], wanted["operator"]["resyncSeconds"])
    assert told.lease_namespace == wanted["operator"]["leaseNamespace"]
    assert told.health_address.host == wanted["listenHost"].strip("[]")
    assert told.gateway_namespace is not None


@pytest.mark.parametrize("values", [{}, EVERYTHING], ids=["defaults", "all on"])
def test_the_gateway_takes_its_arguments_and_has_time_to_end(chart: Helm, values: dict[str, Any]) -> None:
    objects = chart.objects(values)
    told = gateway_settings.read(_arguments(objects, "gateway"), {})
    wanted = (values or VALUES)["gateway"]
    assert [listen.port for listen in told.listen] == [8100, 11434]
    assert told.open_admin == frozenset(wanted["openAdmin"])
    assert told.origins == tuple(wanted["origins"])
    numbers = {name: getattr(told, field) for name, field in LIMITS.items()}
    assert numbers == {name: wanted[name] for name in LIMITS}
    assert told.access_log is wanted["accessLog"]
    pod = pick(objects, "Deployment", "gateway")["spec"]["template"]["spec"]
    assert pod["terminationGracePeriodSeconds"] > told.drain_delay + told.shutdown_timeout


@pytest.mark.parametrize("component", ["operator", "gateway"])
def test_selectors_are_what_pods_carry_and_never_a_version(chart: Helm, component: str) -> None:
    spec = pick(chart.objects(EVERYTHING), "Deployment", component)["spec"]
    selected = spec["selector"]["matchLabels"]
    assert selected.items() <= spec["template"]["metadata"]["labels"].items()
    assert not any("version" in key or "chart" in key for key in selected)


def test_status_points_to_the_service_that_the_chart_makes(chart: Helm) -> None:
    objects = chart.objects()
    told = operator_settings.load(_arguments(objects, "operator"), {})
    service = pick(objects, "Service", "gateway")["metadata"]
    assert (told.gateway_service, told.gateway_namespace) == (service["name"], service["namespace"])


def test_no_gateway_leaves_nothing_of_it(chart: Helm) -> None:
    objects = chart.objects(_merged(EVERYTHING, {"gateway": {"enabled": False}}))
    assert [one["metadata"]["name"] for one in objects if one["metadata"]["name"].endswith("gateway")] == []
    assert operator_settings.load(_arguments(objects, "operator"), {}).gateway_service is None


# -- rights ----------------------------------------------------------------------------------------------------------

Rights = dict[tuple[str, str], set[str]]
WRITTEN = {"list", "watch", "create", "patch", "delete"}
OPERATOR: Rights = {
    ("modelpool.dev", "modelpools"): {"get", "list", "watch"},
    ("modelpool.dev", "modelpools/status"): {"patch"},
    ("", "pods"): {"list", "watch"},
    ("", "pods/log"): {"get"},
    ("discovery.k8s.io", "endpointslices"): {"list", "watch"},
    ("", "events"): {"create", "list"},
    ("", "secrets"): {"create"},
    ("coordination.k8s.io", "leases"): {"create"},
    ("coordination.k8s.io", "leases/modelpool-operator"): {"get", "patch"},
    **{
        (kind.api_version.rpartition("/")[0], kind.plural): WRITTEN - ({"delete"} if kind.kind in KEPT else set())
        for kind in kinds.CHILDREN
    },
}
NODES: Rights = {
    ("", "nodes"): {"list", "watch"},
    ("resource.k8s.io", "resourceslices"): {"list"},
    ("resource.k8s.io", "deviceclasses"): {"list"},
    ("node.k8s.io", "runtimeclasses"): {"list"},
}
GATEWAY: Rights = {
    ("", "configmaps"): {"list", "watch"},
    ("modelpool.dev", "modelpools"): {"list", "watch"},
    ("discovery.k8s.io", "endpointslices"): {"list", "watch"},
}
AT_HOME = {
    ("modelpool-system", "modelpool-operator-asks-gateways"): {("discovery.k8s.io", "endpointslices"): {"list"}},
    ("modelpool-system", "modelpool-operator-release-key"): {("", "secrets"): {"get", "create"}},
}
"""Where the gateways are, and the key that engines' keys are made of, wherever pools are."""


def _place(one: Object) -> tuple[str, str]:
    return one["metadata"]["namespace"], one["metadata"]["name"]


def _granted(role: Object) -> Rights:
    """Return the rights of a role, those on single Leases under `leases/name`."""
    found: Rights = {}
    for rule in role["rules"]:
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                for name in rule.get("resourceNames", [""]) if resource == "leases" else [""]:
                    about = f"{resource}/{name}" if name else resource
                    found.setdefault((group, about), set()).update(rule["verbs"])
    return found


def test_of_secrets_the_operator_reads_the_one_of_its_gateways_and_the_gateway_none(chart: Helm) -> None:
    for values in ({}, {"watchNamespaces": ["a"]}, EVERYTHING):
        objects = chart.objects(values)
        rules = [
            (one["metadata"]["name"], rule)
            for one in objects
            if one["kind"] in ("Role", "ClusterRole")
            for rule in one["rules"]
            if "secrets" in rule["resources"]
        ]
        assert all("operator" in name for name, _ in rules)
        reading = [rule for _, rule in rules if set(rule["verbs"]) - {"create"}]
        (mounted,) = pick(objects, "Deployment", "gateway")["spec"]["template"]["spec"]["volumes"]
        assert [(rule["verbs"], rule["resourceNames"]) for rule in reading] == [
            (["get"], [mounted["secret"]["secretName"]])
        ]


KEYS: dict[str, tuple[dict[str, Any], str | None]] = {
    "by default": ({}, "modelpool-engine-key"),
    "by name": ({"engineKey": {"secretName": "ours"}}, "ours"),
    "not at all": ({"engineKey": {"enabled": False}}, None),
    "with gateways of another release": ({"gateway": {"enabled": False}, "engineKey": {"secretName": "ours"}}, "ours"),
    "with no gateway that has it": ({"gateway": {"enabled": False}}, None),
}


@pytest.mark.parametrize(("values", "want"), KEYS.values(), ids=KEYS.keys())
def test_operator_and_gateway_have_one_release_key(chart: Helm, values: dict[str, Any], want: str | None) -> None:
    objects = chart.objects(values)
    told = operator_settings.load(_arguments(objects, "operator"), {}).engine_key_secret
    assert told == (None if want is None else ("modelpool-system", want))
    assert [one["metadata"]["name"] for one in objects if one["metadata"]["name"].endswith("release-key")] == (
        [] if want is None else ["modelpool-operator-release-key"] * 2
    )
    if not values.get("gateway", {}).get("enabled", True):
        return
    pod = pick(objects, "Deployment", "gateway")["spec"]["template"]["spec"]
    file = gateway_settings.read(_arguments(objects, "gateway"), {}).engine_key_file
    assert [one["secret"]["secretName"] for one in pod.get("volumes", ())] == ([] if want is None else [want])
    folders = [one["mountPath"] for one in pod["containers"][0].get("volumeMounts", ())]
    assert folders == ([] if file is None else [str(file.parent)])


def test_no_label_of_the_users_takes_the_place_of_one_that_is_selected_by(chart: Helm) -> None:
    """A pool's NetworkPolicy lets in gateways by two of them; a Deployment's selector and a Service go by three."""
    prefix = "app.kubernetes.io/"
    theirs = {f"{prefix}{name}": "theirs" for name in ("name", "instance", "component", "part-of")}
    values = {"commonLabels": {**theirs, "team": "a"}, "gateway": {"podLabels": {**theirs, "tier": "b"}}}
    gateway = pick(chart.objects(values), "Deployment", "gateway")
    labels = gateway["spec"]["template"]["metadata"]["labels"]
    assert (labels["team"], labels["tier"]) == ("a", "b")
    assert (labels[f"{prefix}part-of"], labels[f"{prefix}component"]) == ("modelpool", "gateway")
    assert gateway["spec"]["selector"]["matchLabels"].items() <= labels.items()
    assert "theirs" not in labels.values()
    assert "theirs" not in gateway["metadata"]["labels"].values()


def test_the_whole_cluster_takes_cluster_roles(chart: Helm) -> None:
    objects = chart.objects()
    assert _granted(pick(objects, "ClusterRole", "operator")) == OPERATOR | NODES
    assert _granted(pick(objects, "ClusterRole", "gateway")) == GATEWAY
    assert {_place(one): _granted(one) for one in objects if one["kind"] == "Role"} == AT_HOME


def test_named_namespaces_take_roles_there_and_only_nodes_in_the_cluster(chart: Helm) -> None:
    objects = chart.objects({"watchNamespaces": ["a", "b"]})
    roles = {_place(one): _granted(one) for one in objects if one["kind"] == "Role"}
    assert roles == AT_HOME | {
        (namespace, f"modelpool-{component}"): rights
        for namespace in ("a", "b")
        for component, rights in (("operator", OPERATOR), ("gateway", GATEWAY))
    }
    assert _granted(pick(objects, "ClusterRole", "operator")) == NODES


def test_a_release_without_any_cluster_wide_object_is_possible(chart: Helm) -> None:
    values = {
        "watchNamespaces": ["a"],
        "crds": {"enabled": False},
        "rbac": {"nodes": False, "aggregateToDefaultRoles": False},
    }
    assert [one["kind"] for one in chart.objects(values) if "namespace" not in one["metadata"]] == []


def test_bindings_name_the_accounts_that_the_pods_run_as(chart: Helm) -> None:
    objects = chart.objects(EVERYTHING)
    for component in ("operator", "gateway"):
        account = pick(objects, "Deployment", component)["spec"]["template"]["spec"]["serviceAccountName"]
        subjects = [
            subject
            for one in objects
            if one["kind"] in {"RoleBinding", "ClusterRoleBinding"} and one["metadata"]["name"].endswith(component)
            for subject in one["subjects"]
        ]
        assert subjects, component
        assert {(one["name"], one["namespace"]) for one in subjects} == {(account, "modelpool-system")}


# -- the CRD ---------------------------------------------------------------------------------------------------------


def _annotations(chart: Helm, values: dict[str, Any]) -> dict[str, str]:
    found: dict[str, str] = pick(chart.objects(values), "CustomResourceDefinition", "modelpool.dev")["metadata"].get(
        "annotations", {}
    )
    return found


CRDS: dict[str, tuple[dict[str, Any], Callable[[dict[str, str]], bool]]] = {
    "kept on uninstall": ({}, lambda found: found == {"helm.sh/resource-policy": "keep"}),
    "deleted on uninstall when told so": ({"crds": {"keep": False}}, lambda found: found == {}),
}


@pytest.mark.parametrize(("values", "holds"), CRDS.values(), ids=CRDS.keys())
def test_the_crd_is(chart: Helm, values: dict[str, Any], holds: Callable[[dict[str, str]], bool]) -> None:
    assert holds(_annotations(chart, values))


def test_rendering_leaves_the_crd_as_it_is(chart: Helm) -> None:
    rendered = pick(chart.objects(), "CustomResourceDefinition", "modelpool.dev")
    assert rendered["spec"] == yaml.safe_load((ROOT / "crds" / "modelpools.yaml").read_text())["spec"]
