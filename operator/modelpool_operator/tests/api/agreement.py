"""Compares a schema with the type that stands for it, in both directions, and says every difference."""

import types
from collections.abc import Iterator
from datetime import datetime
from enum import Enum
from typing import Any, Final, Union, get_args, get_origin

import msgspec

from modelpool_operator.api.parsing import parse
from modelpool_operator.api.quantity import Quantity
from modelpool_operator.tests.api.crd import Schema, defaulted

SCALARS: Final = {int: "integer", float: "number", str: "string", bool: "boolean"}
NOTHING: Final[tuple[object, ...]] = (None, (), [], {})
"""Defaults that a schema says by having none: a field that is absent is empty."""


def differences(schema: Schema, kind: Any, path: str) -> Iterator[str]:
    """Yield every way in which `schema` and the type `kind` are not the same."""
    kind = _without_none(kind)
    origin = get_origin(kind)
    if origin in (tuple, list):
        yield from _expect(schema, path, type="array")
        yield from differences(schema.get("items", {}), get_args(kind)[0], f"{path}[]")
    elif origin is dict:
        yield from _expect(schema, path, type="object")
        if get_args(kind)[1] is str:
            yield from _expect(schema.get("additionalProperties", {}), f"{path}.*", type="string")
        else:
            yield from _expect(schema, path, **{"x-kubernetes-preserve-unknown-fields": True})
    elif isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        yield from _expect(schema, path, type="object")
        yield from _fields(schema, kind, path)
    elif kind is Quantity:
        if "[KMGTPE]i" not in schema.get("pattern", ""):
            yield f"{path}: the type is a quantity, the schema has no pattern of one"
        if not schema.get("x-kubernetes-int-or-string"):
            yield from _expect(schema, path, type="string")
    elif isinstance(kind, type) and issubclass(kind, Enum):
        yield from _expect(schema, path, type="string", enum=[member.value for member in kind])
    elif kind is datetime:
        yield from _expect(schema, path, type="string", format="date-time")
    else:
        yield from _expect(schema, path, type=SCALARS[kind])
        if "enum" in schema:
            yield f"{path}: the schema has an enum, the type has none"


def _fields(schema: Schema, kind: type[msgspec.Struct], path: str) -> Iterator[str]:
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    properties = schema.get("properties", {})
    yield from (f"{path}.{name}: not in {kind.__name__}" for name in properties.keys() - fields.keys())
    yield from (f"{path}.{name}: not in the schema" for name in fields.keys() - properties.keys())
    for name in sorted(fields.keys() & properties.keys()):
        field, below = fields[name], f"{path}.{name}"
        if field.required != (name in schema.get("required", [])):
            yield f"{below}: the type {'requires' if field.required else 'does not require'} it, the schema differs"
        if not field.required:
            yield from _defaults(properties[name], field, below)
        yield from differences(properties[name], field.type, below)


def _defaults(schema: Schema, field: msgspec.structs.FieldInfo, path: str) -> Iterator[str]:
    want = field.default_factory() if field.default_factory is not msgspec.NODEFAULT else field.default
    if path.startswith("spec"):
        if "default" in schema:
            yield f"{path}: the schema has a default, which the API server would write into what the user wrote"
        return
    if want in NOTHING:
        if "default" in schema:
            yield f"{path}: the schema's default is {schema['default']!r}, the type's is {want!r}"
        return
    if "default" not in schema:
        yield f"{path}: the type's default is {want!r}, the schema has none"
        return
    got = parse(field.type, defaulted(schema, schema["default"]))
    if got != want:
        yield f"{path}: the schema's default is {got!r}, the type's is {want!r}"


def _without_none(kind: Any) -> Any:
    if get_origin(kind) not in (Union, types.UnionType):
        return kind
    (only,) = (part for part in get_args(kind) if part is not type(None))
    return only


def _expect(schema: Schema, path: str, **want: Any) -> Iterator[str]:
    for key, value in want.items():
        if schema.get(key) != value:
            yield f"{path}: `{key}` is {schema.get(key)!r} in the schema, the type says {value!r}"
