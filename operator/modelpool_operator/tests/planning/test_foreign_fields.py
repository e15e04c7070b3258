"""What others added where everything is ours, and how it is taken out."""

import copy
from typing import Any

import pytest

from modelpool_operator.planning.changes.foreign_fields import foreign_fields_in, trim_of
from modelpool_operator.planning.objects.identity import Manifest, sealed

CONTAINER = {"name": "vllm", "image": "a", "resources": {"limits": {"nvidia.com/gpu": 1}}, "env": [{"name": "A"}]}
WANTED: Manifest = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "x", "namespace": "llm"},
    "spec": {
        "replicas": 1,
        "selector": {"matchLabels": {"a/b": "c"}},
        "template": {"metadata": {"labels": {"a/b": "c"}}, "spec": {"containers": [CONTAINER]}},
    },
}
POD = ("spec", "template", "spec")
_CONTAINER = (*POD, "containers", 1)
"""In the live object, a sidecar stands first."""
CASES: dict[str, tuple[tuple[Any, ...], Any, str | None]] = {
    "a node selector": ((*POD, "nodeSelector"), {"disk": "ssd"}, "/spec/template/spec/nodeSelector"),
    "an affinity": ((*POD, "affinity"), {"nodeAffinity": {"x": []}}, "/spec/template/spec/affinity"),
    "a toleration": ((*POD, "tolerations"), [{"key": "a"}], "/spec/template/spec/tolerations"),
    "a memory limit": (
        (*_CONTAINER, "resources", "limits", "memory"),
        "1Gi",
        "/spec/template/spec/containers/vllm/resources/limits/memory",
    ),
    "a pause": (("spec", "paused"), True, "/spec/paused"),
    "no pause": (("spec", "paused"), False, None),
    "a term with a slash": (("spec", "selector", "matchLabels", "evil/~x"), "y", "/spec/selector/matchLabels/evil/~x"),
    "a label of the pods": (("spec", "template", "metadata", "labels", "x"), "y", None),
    "a restart": (("spec", "template", "metadata", "annotations"), {"restartedAt": "now"}, None),
    "a label": (("metadata", "labels"), {"team": "x"}, None),
    "an init container": ((*POD, "initContainers"), [{"name": "mesh"}], None),
    "a variable": ((*_CONTAINER, "env"), [{"name": "A"}, {"name": "B", "value": "1"}], None),
    "the status": (("status",), {"replicas": 1}, None),
}


def live(way: tuple[Any, ...], value: Any, manager: str = "carol") -> Manifest:
    """Return the child with something more, which a manager holds."""
    found = copy.deepcopy(WANTED)
    found["metadata"]["resourceVersion"] = "7"
    found["spec"]["template"]["spec"]["containers"].insert(0, {"name": "sidecar"})
    place: Any = found
    fields: dict[str, Any] = {}
    below = fields
    for step in way[:-1]:
        key = f'k:{{"name":"{place[step]["name"]}"}}' if isinstance(step, int) else f"f:{step}"
        below = below.setdefault(key, {})
        place = place[step]
    place[way[-1]] = value
    below[f"f:{way[-1]}"] = {}
    found["metadata"]["managedFields"] = [{"manager": manager, "fieldsV1": fields}]
    return found


@pytest.mark.parametrize(("way", "value", "want"), CASES.values(), ids=CASES.keys())
def test_what_somebody_added_is_found(way: tuple[Any, ...], value: Any, want: str | None) -> None:
    assert [one.path for one in foreign_fields_in(WANTED, live(way, value))] == ([want] if want else [])


@pytest.mark.parametrize("manager", ["modelpool-operator", None])
def test_what_the_api_server_and_admission_fill_in_is_nobodys(manager: str | None) -> None:
    way, value, _ = CASES["a node selector"]
    seen = live(way, value, manager or "")
    if manager is None:
        del seen["metadata"]["managedFields"]
    assert foreign_fields_in(WANTED, seen) == ()
    assert trim_of(WANTED, seen) is None


@pytest.mark.parametrize(
    ("case", "pointer"),
    [
        ("a memory limit", "/spec/template/spec/containers/1/resources/limits/memory"),
        ("a term with a slash", "/spec/selector/matchLabels/evil~1~0x"),
    ],
)
def test_it_is_taken_out_of_the_very_object_that_was_seen(case: str, pointer: str) -> None:
    way, value, _ = CASES[case]
    trim = trim_of(WANTED, live(way, value))
    assert trim is not None
    assert trim.patch == (
        {"op": "replace", "path": "/metadata/resourceVersion", "value": "7"},
        {"op": "remove", "path": pointer},
    )


def test_volumes_and_jobs_are_filled_in_by_others() -> None:
    way, value, _ = CASES["a node selector"]
    for kind in ("Job", "PersistentVolumeClaim", "ResourceClaim"):
        assert foreign_fields_in({**WANTED, "kind": kind}, {**live(way, value), "kind": kind}) == ()


HTTP = {"name": "http", "containerPort": 8000, "protocol": "TCP"}
WHOLE: Manifest = {
    **WANTED,
    "spec": {
        "replicas": 1,
        "strategy": {"type": "Recreate"},
        "template": {
            "metadata": {"labels": {"a/b": "c"}},
            "spec": {
                "containers": [{**CONTAINER, "ports": [HTTP], "startupProbe": {"httpGet": {"path": "/health"}}}],
                "volumes": [{"name": "cache", "persistentVolumeClaim": {"claimName": "cache"}}],
            },
        },
    },
}
SERVICE: Manifest = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "x", "namespace": "llm"},
    "spec": {"ports": [{"name": "http", "port": 8000, "protocol": "TCP"}]},
}
_ENGINE = ("spec", "template", "spec", "containers", 0)
_AT = "/spec/template/spec/containers/0"
EDITS: dict[str, tuple[Manifest, dict[tuple[Any, ...], Any], list[dict[str, Any]]]] = {
    "another strategy": (
        WHOLE,
        {("spec", "strategy"): {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}},
        [
            {"op": "replace", "path": "/spec/strategy/type", "value": "Recreate"},
            {"op": "remove", "path": "/spec/strategy/rollingUpdate"},
        ],
    ),
    "another port": (
        WHOLE,
        {(*_ENGINE, "ports", 0, "containerPort"): 8001},
        [{"op": "replace", "path": f"{_AT}/ports", "value": [HTTP]}],
    ),
    "a port of the host": (
        WHOLE,
        {(*_ENGINE, "ports", 0, "hostPort"): 8000},
        [{"op": "replace", "path": f"{_AT}/ports", "value": [HTTP]}],
    ),
    "another port, and one more": (
        WHOLE,
        {(*_ENGINE, "ports"): [{**HTTP, "containerPort": 8001}, {"name": "metrics", "containerPort": 9000}]},
        [{"op": "replace", "path": f"{_AT}/ports", "value": [HTTP, {"name": "metrics", "containerPort": 9000}]}],
    ),
    "two ports that changed their numbers": (
        WHOLE,
        {(*_ENGINE, "ports"): [{**HTTP, "containerPort": 8001}, {**HTTP, "name": "other"}]},
        [{"op": "replace", "path": f"{_AT}/ports", "value": [HTTP]}],
    ),
    "another port of a Service": (
        SERVICE,
        {("spec", "ports", 0, "port"): 80},
        [{"op": "replace", "path": "/spec/ports", "value": SERVICE["spec"]["ports"]}],
    ),
    "another source of a volume": (
        WHOLE,
        {("spec", "template", "spec", "volumes", 0): {"name": "cache", "emptyDir": {}}},
        [
            {
                "op": "add",
                "path": "/spec/template/spec/volumes/0/persistentVolumeClaim",
                "value": {"claimName": "cache"},
            },
            {"op": "remove", "path": "/spec/template/spec/volumes/0/emptyDir"},
        ],
    ),
    "another probe": (
        WHOLE,
        {(*_ENGINE, "startupProbe"): {"exec": {"command": ["true"]}}},
        [
            {"op": "add", "path": f"{_AT}/startupProbe/httpGet", "value": {"path": "/health"}},
            {"op": "remove", "path": f"{_AT}/startupProbe/exec"},
        ],
    ),
    "another image, which applying puts back": (WHOLE, {(*_ENGINE, "image"): "b"}, []),
}


def edited(wanted: Manifest, edits: dict[tuple[Any, ...], Any], manager: str = "carol") -> Manifest:
    """Return the child as somebody has edited it, who holds all of it since."""
    found = sealed(copy.deepcopy(wanted))
    found["metadata"] |= {"resourceVersion": "7", "managedFields": [{"manager": manager, "fieldsV1": {"f:spec": {}}}]}
    for way, value in edits.items():
        place: Any = found
        for step in way[:-1]:
            place = place[step]
        place[way[-1]] = value
    return found


@pytest.mark.parametrize(("wanted", "edits", "want"), EDITS.values(), ids=EDITS.keys())
def test_what_applying_alone_cannot_put_back_is_patched_at_once(
    wanted: Manifest, edits: dict[tuple[Any, ...], Any], want: list[dict[str, Any]]
) -> None:
    trim = trim_of(wanted, edited(wanted, edits))
    assert (list(trim.patch[1:]) if trim else []) == want
    assert trim is None or trim.is_all


def test_ports_that_the_pool_wants_changed_are_applied() -> None:
    live = edited(SERVICE, {}, manager="modelpool-operator")
    wanted = copy.deepcopy(SERVICE)
    wanted["spec"]["ports"][0]["port"] = 9000
    assert trim_of(wanted, live) is None


def test_what_is_below_a_field_that_is_put_back_whole_is_not_taken_out_again() -> None:
    policy = {**SERVICE, "kind": "NetworkPolicy", "spec": {"podSelector": {"matchLabels": {"a": "b"}}}}
    live = edited(policy, {("spec", "podSelector", "matchExpressions"): [{"key": "x"}]})
    trim = trim_of(policy, live)
    assert trim is not None
    assert [one["path"] for one in trim.patch[1:]] == ["/spec/podSelector"]


def test_a_child_of_which_more_is_to_be_changed_is_applied_behind_it() -> None:
    edits = {("spec", "strategy", "rollingUpdate"): {"maxSurge": 1}, ("metadata", "name"): "y"}
    trim = trim_of(WHOLE, edited(WHOLE, edits))
    assert trim is not None
    assert not trim.is_all


def test_what_a_patch_holds_is_given_up_before_the_pool_wants_something_else() -> None:
    """Else a variable that was once put back would stay when the pool drops it."""
    live = edited(WHOLE, {}, manager="modelpool-operator")
    live["metadata"]["managedFields"] = [
        {"manager": "modelpool-operator", "operation": "Apply", "fieldsV1": {"f:spec": {}}},
        {"manager": "modelpool-operator", "operation": "Update", "fieldsV1": {"f:spec": {}}},
    ]
    assert trim_of(WHOLE, live) is None
    trim = trim_of({**WHOLE, "spec": {**WHOLE["spec"], "replicas": 2}}, live)
    assert trim is not None
    assert list(trim.patch[1:]) == [{"op": "remove", "path": "/metadata/managedFields/1"}]
    assert not trim.is_all
