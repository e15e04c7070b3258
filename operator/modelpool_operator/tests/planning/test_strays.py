"""What others added where everything is ours, and how it is taken out."""

import copy
from typing import Any

import pytest

from modelpool_operator.planning.manifests import Manifest
from modelpool_operator.planning.strays import strays_in, trim_of

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
    assert [one.path for one in strays_in(WANTED, live(way, value))] == ([want] if want else [])


@pytest.mark.parametrize("manager", ["modelpool-operator", None])
def test_what_the_api_server_and_admission_fill_in_is_nobodys(manager: str | None) -> None:
    way, value, _ = CASES["a node selector"]
    seen = live(way, value, manager or "")
    if manager is None:
        del seen["metadata"]["managedFields"]
    assert strays_in(WANTED, seen) == ()
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
        assert strays_in({**WANTED, "kind": kind}, {**live(way, value), "kind": kind}) == ()
