"""Instances satisfy their schemas, as jsonschema judges."""

from typing import Any

import jsonschema
import pytest

from modelpool_simulators import schemas

_TREE = {
    "$defs": {
        "Node": {
            "type": "object",
            "properties": {
                "value": {"type": "integer"},
                "next": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/Node"}]},
            },
            "required": ["value"],
            "additionalProperties": False,
        }
    },
    "$ref": "#/$defs/Node",
}


@pytest.mark.parametrize(
    "schema",
    [
        {
            "type": "object",
            "properties": {"ok": {"type": "boolean"}, "n": {"enum": [1, 2, 3]}},
            "required": ["ok", "n"],
        },
        {"type": "array", "items": {"type": "string", "minLength": 3, "maxLength": 5}, "minItems": 2},
        {"type": "array", "items": {"type": "integer"}, "minItems": 3, "uniqueItems": True},
        {"type": "array", "prefixItems": [{"type": "integer"}, {"type": "string"}], "minItems": 2},
        {"type": "integer", "minimum": 7, "multipleOf": 5},
        {"type": "integer", "maximum": -3},
        {"type": "number", "exclusiveMinimum": 2, "exclusiveMaximum": 3},
        {"type": ["null", "string"]},
        {"const": {"a": [1]}},
        {"oneOf": [{"type": "string", "format": "date"}, {"type": "integer"}]},
        {
            "allOf": [{"properties": {"a": {"type": "string"}}, "required": ["a"]}, {"required": ["b"]}],
            "type": "object",
        },
        {"type": "object", "required": ["free"]},
        {"type": "object", "properties": {"deep": {"type": "object", "properties": {"er": {"type": "array"}}}}},
        _TREE,
        {},
        True,
    ],
)
def test_instance_satisfies_the_schema(schema: Any) -> None:
    jsonschema.validate(schemas.instance(schema), schema)


def test_endless_schemas_end() -> None:
    endless = {"$defs": {"A": {"type": "object", "properties": {"a": {"$ref": "#/$defs/A"}}}}, "$ref": "#/$defs/A"}
    jsonschema.validate(schemas.instance(endless), {"type": "object"})
