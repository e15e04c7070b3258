"""Whether a live object still says what was applied."""

from typing import Any

import pytest

from modelpool_operator.api import names
from modelpool_operator.planning.changes.comparison import difference, is_in_place
from modelpool_operator.planning.objects.identity import sealed

CASES: dict[str, tuple[Any, Any, str | None]] = {
    "equal": ({"a": 1}, {"a": 1}, None),
    "a field more": ({"a": 1}, {"a": 1, "b": 2}, None),
    "a field less": ({"a": 1}, {}, "/a"),
    "another value": ({"spec": {"replicas": 1}}, {"spec": {"replicas": 2}}, "/spec/replicas"),
    "another type": ({"a": {"b": 1}}, {"a": "b"}, "/a"),
    "nothing said by leaving it out": ({"env": [{"name": "A", "value": ""}]}, {"env": [{"name": "A"}]}, None),
    "false is not true": ({"a": False}, {"a": True}, "/a"),
    "arguments in another order": ({"args": ["a", "b"]}, {"args": ["b", "a"]}, "/args/0"),
    "an argument more": ({"args": ["a"]}, {"args": ["a", "b"]}, "/args"),
    "variables in another order": (
        {"env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]},
        {"env": [{"name": "B", "value": "2"}, {"name": "A", "value": "1"}]},
        None,
    ),
    "a variable more": ({"env": [{"name": "A"}]}, {"env": [{"name": "A"}, {"name": "B"}]}, None),
    "a variable of another value": (
        {"env": [{"name": "A", "value": "1"}]},
        {"env": [{"name": "A", "value": "2"}]},
        "/env/A/value",
    ),
    "a field of an item": (
        {"containers": [{"name": "a", "image": "x"}]},
        {"containers": [{"name": "b", "image": "x"}, {"name": "a", "image": "y"}]},
        "/containers/a/image",
    ),
    "mounts of one volume in another order": (
        {"volumeMounts": [{"name": "v", "mountPath": "/a"}, {"name": "v", "mountPath": "/b"}]},
        {"volumeMounts": [{"name": "v", "mountPath": "/b"}, {"name": "v", "mountPath": "/a", "readOnly": False}]},
        None,
    ),
    "a toleration more": (
        {"tolerations": [{"key": "a"}]},
        {"tolerations": [{"key": "a"}, {"key": "b"}]},
        "/tolerations",
    ),
    "somebody let in by a NetworkPolicy": (
        {"spec": {"ingress": [{"from": [{"podSelector": {}}]}]}},
        {"spec": {"ingress": [{"from": [{"podSelector": {}}]}, {}]}},
        "/spec/ingress",
    ),
    "somebody else let in by one of its rules": (
        {"spec": {"ingress": [{"from": [{"podSelector": {"matchLabels": {"a": "b"}}}]}]}},
        {"spec": {"ingress": [{"from": [{"podSelector": {"matchLabels": {"a": "b"}}}, {"ipBlock": {"cidr": "0/0"}}]}]}},
        "/spec/ingress",
    ),
    "a pod taken out of a NetworkPolicy": (
        {"spec": {"podSelector": {"matchLabels": {"a": "b"}}}},
        {"spec": {"podSelector": {"matchLabels": {"a": "b", "c": "d"}}}},
        "/spec/podSelector",
    ),
    "no list at all": ({"env": [{"name": "A"}]}, {}, "/env/A"),
    "a list that became a text": ({"args": ["a"]}, {"args": "a"}, "/args"),
    "a quantity in another spelling": (
        {"resources": {"limits": {"cpu": "0.5", "memory": "1024Mi", "nvidia.com/gpu": 1}}},
        {"resources": {"limits": {"cpu": "500m", "memory": "1Gi", "nvidia.com/gpu": "1"}}},
        None,
    ),
    "a quantity in digits": ({"requests": {"storage": "1e9"}}, {"requests": {"storage": "1G"}}, None),
    "another quantity": (
        {"limits": {"memory": "1Gi"}},
        {"limits": {"memory": "1G"}},
        "/limits/memory",
    ),
    "a text that looks like a quantity": (
        {"env": [{"name": "A", "value": "1.0"}]},
        {"env": [{"name": "A", "value": "1"}]},
        "/env/A/value",
    ),
}


@pytest.mark.parametrize(("wanted", "live", "want"), CASES.values(), ids=CASES.keys())
def test_difference(wanted: Any, live: Any, want: str | None) -> None:
    assert difference(wanted, live) == want


def test_what_was_sealed_is_in_place() -> None:
    manifest = {"kind": "Service", "metadata": {"name": "a", "annotations": {"x": "y"}}, "spec": {"a": 1}}
    live = sealed(manifest)
    assert live["metadata"]["annotations"].keys() == {"x", names.APPLIED_ANNOTATION}
    assert is_in_place(manifest, live)
    assert not is_in_place({**manifest, "spec": {}}, live), "a field less is told by the seal"
    assert not is_in_place(manifest, {**live, "spec": {"a": 2}}), "an edit is told by the field"
