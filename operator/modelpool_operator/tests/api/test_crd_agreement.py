"""The types and the CRD say the same: names, requiredness, types, enums and defaults, for spec and status."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from modelpool_operator.api import names
from modelpool_operator.api.pool import PoolSpec
from modelpool_operator.api.status import PoolStatus
from modelpool_operator.tests.api.agreement import differences
from modelpool_operator.tests.api.crd import CRD, SCHEMA, Schema

SPEC: Schema = SCHEMA["properties"]["spec"]


def test_spec() -> None:
    assert list(differences(SPEC, PoolSpec, "spec")) == []


def test_status() -> None:
    assert list(differences(SCHEMA["properties"]["status"], PoolStatus, "status")) == []


def test_a_spec_is_required_and_a_status_is_not() -> None:
    assert SCHEMA["required"] == ["spec"]


def test_names() -> None:
    spec = CRD["spec"]
    assert CRD["metadata"]["name"] == f"{names.PLURAL}.{names.GROUP}"
    assert (spec["group"], spec["names"]["kind"], spec["names"]["plural"]) == (names.GROUP, names.KIND, names.PLURAL)
    assert [version["name"] for version in spec["versions"]] == [names.VERSION]


def model(schema: Schema) -> Schema:
    properties: Schema = schema["properties"]["models"]["items"]["properties"]
    return properties


def dig(schema: Schema, *path: str) -> Any:
    for key in path:
        schema = schema["properties"][key]
    return schema


MUTATIONS: dict[str, tuple[Callable[[Schema], object], str]] = {
    "a field removed": (lambda s: model(s).pop("weights"), "spec.models[].weights: not in the schema"),
    "a field added": (
        lambda s: model(s).update(color={"type": "string"}),
        "spec.models[].color: not in Model",
    ),
    "a field made required": (
        lambda s: dig(s, "gpus").update(required=["count"]),
        "spec.gpus.count: the type does not require it, the schema differs",
    ),
    "a field made optional": (
        lambda s: s["properties"]["models"]["items"].update(required=["name"]),
        "spec.models[].engine: the type requires it, the schema differs",
    ),
    "a default changed": (
        lambda s: dig(s, "ollama", "numParallel").update(default=2),
        "spec.ollama.numParallel: the schema's default is 2, the type's is 1",
    ),
    "a default removed": (
        lambda s: dig(s, "routing", "maxPending").pop("default"),
        "spec.routing.maxPending: the type's default is 256, the schema has none",
    ),
    "a default added": (
        lambda s: dig(s, "gpus", "runtimeClassName").update(default="nvidia"),
        "spec.gpus.runtimeClassName: the schema's default is 'nvidia', the type's is None",
    ),
    "an enum's value removed": (
        lambda s: model(s)["engine"].update(enum=["vllm"]),
        "spec.models[].engine: `enum` is ['vllm'] in the schema, the type says ['vllm', 'ollama']",
    ),
    "a type changed": (
        lambda s: model(s)["contextLength"].update(type="string"),
        "spec.models[].contextLength: `type` is 'string' in the schema, the type says 'integer'",
    ),
    "a quantity made plain": (
        lambda s: dig(s, "vllm", "shmSize").pop("pattern"),
        "spec.vllm.shmSize: the type is a quantity, the schema has no pattern of one",
    ),
}


@pytest.mark.parametrize(("mutate", "want"), MUTATIONS.values(), ids=MUTATIONS.keys())
def test_a_disagreement_is_said(mutate: Callable[[Schema], object], want: str) -> None:
    schema = deepcopy(SPEC)
    mutate(schema)
    assert want in list(differences(schema, PoolSpec, "spec"))
