"""The types and the CRD say the same: names, requiredness, types, enums and defaults, for spec and status."""

import re
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any, get_args

import msgspec
import pytest

from modelpool_operator.api import names, parsing
from modelpool_operator.api.models import Model
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


STATUS_MUTATIONS: dict[str, tuple[Callable[[Schema], object], str]] = {
    "a default changed": (
        lambda s: dig(s, "readyModels").update(default="1/1"),
        "status.readyModels: the schema's default is '1/1', the type's is '0/0'",
    ),
    "a default removed": (
        lambda s: dig(s, "readyModels").pop("default"),
        "status.readyModels: the type's default is '0/0', the schema has none",
    ),
    "a default added": (
        lambda s: dig(s, "freeGpuMemory").update(default="0"),
        "status.freeGpuMemory: the schema's default is '0', the type's is None",
    ),
}


@pytest.mark.parametrize(("mutate", "want"), STATUS_MUTATIONS.values(), ids=STATUS_MUTATIONS.keys())
def test_a_disagreement_on_the_status_is_said(mutate: Callable[[Schema], object], want: str) -> None:
    schema = deepcopy(SCHEMA["properties"]["status"])
    mutate(schema)
    assert want in list(differences(schema, PoolStatus, "status"))


def test_the_rules_count_with_the_defaults_of_the_types() -> None:
    """`self.?gpus.?count.orValue(1)`: what a rule takes for a field that is absent is what the parser takes."""
    found = dict[str, set[str]]()
    for path, kind, rules in rules_of(SPEC, PoolSpec, ""):
        for said in re.findall(r"(\w+)\.((?:\?\w+\.)+)orValue\(([^)]*)\)", rules):
            root, steps, value = said[0], [step.strip("?") for step in said[1].strip(".").split(".")], said[2]
            start: Any = Model if root in ("m", "o") else kind
            default = default_at(start, steps)
            if default is not None or steps[-1] not in ("gpu", "storageClassName", "existingClaim"):
                found.setdefault(f"{path}.{'.'.join(steps)}", set()).add(f"{value} is {literal(default)}")
    assert found, "no rule counts with a default"
    wrong = {path: said for path, said in found.items() for one in said if len(set(one.split(" is "))) != 1}
    assert wrong == {}


def rules_of(schema: Schema, kind: Any, path: str) -> Iterator[tuple[str, Any, str]]:
    """Yield each object with rules: its path, its type, and all of their text."""
    rules = schema.get("x-kubernetes-validations", [])
    yield path, kind, " ".join(text for rule in rules for text in (rule["rule"], rule.get("messageExpression", "")))
    fields = {field.encode_name: field.type for field in msgspec.structs.fields(kind)}
    for name, field in schema["properties"].items():
        below = field["items"] if field.get("type") == "array" else field if "properties" in field else {}
        inner = struct_in(fields[name])
        if inner is not None and "properties" in below:
            yield from rules_of(below, inner, f"{path}.{name}")


def struct_in(kind: Any) -> Any:
    """Return the struct that a type is, holds or may be absent of; None where it is none."""
    parts = (kind, *get_args(kind))
    return next((part for part in parts if isinstance(part, type) and issubclass(part, msgspec.Struct)), None)


def default_at(kind: Any, steps: list[str]) -> Any:
    """Return what the parser takes for a field that is absent, as plain data."""
    *above, last = steps
    for step in above:
        kind = struct_in(field_of(kind, step).type)
    return parsing.render(field_of(kind, last).default)


def field_of(kind: Any, name: str) -> msgspec.structs.FieldInfo:
    """Return what a struct says of the field with a name."""
    return next(one for one in msgspec.structs.fields(kind) if one.encode_name == name)


def literal(value: Any) -> str:
    """Return a value as CEL spells it."""
    return f"'{value}'" if isinstance(value, str) else str(value).lower()


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
    "a default added": (
        lambda s: dig(s, "ollama", "numParallel").update(default=1),
        "spec.ollama.numParallel: the schema has a default, which the API server would write into what the user wrote",
    ),
    "a default added to an object": (
        lambda s: dig(s, "gpus").update(default={}),
        "spec.gpus: the schema has a default, which the API server would write into what the user wrote",
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
