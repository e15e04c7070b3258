"""Write one value that a JSON Schema allows, for structured output and for the arguments of tool calls.

Pure. Knows the keywords that clients of language models use; a schema beyond them gets the simplest value of its
type.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Json = Any
"""A decoded JSON value; schemas come from clients and may hold anything."""

_STRINGS = {
    "city": "Paris",
    "location": "Paris",
    "country": "France",
    "name": "Ada",
    "unit": "celsius",
    "query": "weather",
}
_FORMATS = {
    "date": "2026-11-22",
    "date-time": "2026-11-22T10:00:00Z",
    "time": "10:00:00Z",
    "email": "ada@example.org",
    "uri": "https://example.org/",
    "uuid": "6f1e4b1c-0c61-4b0e-9f0a-2d6a4e2f9c11",
    "ipv4": "192.0.2.1",
}
_DEPTH = 12
"""Recursive schemas end here: deeper values are null or empty."""


_TYPES = ("object", "array", "string", "number", "integer", "boolean", "null")


def flaw(schema: Json) -> str:
    """Return what is wrong with a schema, empty when nothing is; engines that compile schemas refuse such ones."""
    return _flaw(schema, schema)


def _flaw(schema: Json, root: Json) -> str:
    if isinstance(schema, list):
        return next(filter(None, (_flaw(one, root) for one in schema)), "")
    if not isinstance(schema, Mapping):
        return ""
    named = schema.get("type")
    if isinstance(named, str) and named not in _TYPES:
        return f'Unsupported type "{named}"'
    if schema.get("enum") == []:
        return "enum should not be empty"
    reference = schema.get("$ref")
    if isinstance(reference, str) and reference.startswith("#/") and _resolve(reference, root) is None:
        return f"Cannot find field in {reference}"
    inner = ("properties", "$defs", "definitions")
    parts = [part for key in inner if isinstance(schema.get(key), Mapping) for part in schema[key].values()]
    parts += [schema.get(key) for key in ("items", "anyOf", "oneOf", "allOf", "additionalProperties")]
    return next(filter(None, (_flaw(one, root) for one in parts)), "")


def instance(schema: Json) -> Json:
    """Return a value that the schema allows."""
    return _value(schema, schema, "", _DEPTH)


def _value(schema: Json, root: Json, name: str, depth: int) -> Json:
    if not isinstance(schema, Mapping) or depth <= 0:
        return {} if schema is True and depth > 0 else None
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return schema["enum"][0]
    if "$ref" in schema:
        return _value(_resolve(schema["$ref"], root), root, name, depth - 1)
    for choice in ("anyOf", "oneOf"):
        if schema.get(choice):
            rest = {key: value for key, value in schema.items() if key != choice}
            return _value({**rest, **_mapping(schema[choice][0])}, root, name, depth - 1)
    if schema.get("allOf"):
        merged = {key: value for key, value in schema.items() if key != "allOf"}
        for part in schema["allOf"]:
            merged = _merge(merged, _mapping(_resolve(part["$ref"], root) if "$ref" in _mapping(part) else part))
        return _value(merged, root, name, depth - 1)
    return _typed(schema, root, name, depth)


def _typed(schema: Mapping[str, Json], root: Json, name: str, depth: int) -> Json:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((one for one in kind if one != "null"), "null")
    if kind is None:
        kind = "object" if "properties" in schema else "array" if "items" in schema else "string"
    match kind:
        case "object":
            return _object(schema, root, depth)
        case "array":
            return _array(schema, root, name, depth)
        case "integer":
            return _number(schema, step=1)
        case "number":
            return _number(schema, step=0.5)
        case "boolean":
            return False
        case "string":
            return _string(schema, name)
        case _:
            return None


def _object(schema: Mapping[str, Json], root: Json, depth: int) -> dict[str, Json]:
    properties = _mapping(schema.get("properties", {}))
    required = schema.get("required", [])
    wanted = properties if depth > _DEPTH // 2 else [key for key in properties if key in required]
    value = {key: _value(properties[key], root, key, depth - 1) for key in wanted}
    return value | {key: "example" for key in required if key not in value}


def _array(schema: Mapping[str, Json], root: Json, name: str, depth: int) -> list[Json]:
    prefix = [_value(one, root, name, depth - 1) for one in schema.get("prefixItems", [])]
    least = max(schema.get("minItems", 1 if depth > _DEPTH // 2 else 0), 0)
    size = min(least, schema.get("maxItems", least))
    more = [_value(schema.get("items", {"type": "string"}), root, name, depth - 1) for _ in range(size - len(prefix))]
    if schema.get("uniqueItems") and more and isinstance(more[0], int | float):
        more = [value + position for position, value in enumerate(more)]
    return prefix + more


def _number(schema: Mapping[str, Json], *, step: float) -> float:
    multiple = schema.get("multipleOf", step)
    if "exclusiveMinimum" in schema:
        least = schema["exclusiveMinimum"] + multiple
    else:
        least = schema.get("minimum", min(multiple, schema.get("maximum", multiple)))
    value = -(-least // multiple) * multiple
    most = schema.get("maximum", value)
    if "exclusiveMaximum" in schema and value >= schema["exclusiveMaximum"]:
        value = schema["exclusiveMaximum"] - multiple
    chosen = min(value, most)
    return int(chosen) if step == 1 else chosen


def _string(schema: Mapping[str, Json], name: str) -> str:
    text = _FORMATS.get(schema.get("format", ""), _STRINGS.get(name, "example"))
    text = text.ljust(schema.get("minLength", 0), "x")
    return text[: schema.get("maxLength", len(text))]


def _resolve(reference: str, root: Json) -> Json:
    found = root
    for part in reference.removeprefix("#").strip("/").split("/"):
        if part:
            found = _mapping(found).get(part.replace("~1", "/").replace("~0", "~"))
    return found


def _merge(left: Mapping[str, Json], right: Mapping[str, Json]) -> dict[str, Json]:
    merged = {**left, **right}
    if "properties" in left and "properties" in right:
        merged["properties"] = {**left["properties"], **right["properties"]}
    if "required" in left and "required" in right:
        merged["required"] = [*left["required"], *right["required"]]
    return merged


def _mapping(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, Mapping) else {}
