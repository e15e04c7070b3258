"""The CRD as the tests of the API see it: its schema, closed and defaulted as the API server does it."""

from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any, Final

import jsonschema
import yaml

ROOT: Final = Path(__file__).parents[4]
CRD: Final[dict[str, Any]] = yaml.safe_load((ROOT / "crds" / "modelpools.yaml").read_text())
SCHEMA: Final[dict[str, Any]] = CRD["spec"]["versions"][0]["schema"]["openAPIV3Schema"]

Schema = dict[str, Any]


def walk(schema: Schema, path: str) -> Iterator[tuple[str, Schema]]:
    """Yield every field of a schema with its path."""
    yield path, schema
    for name, field in schema.get("properties", {}).items():
        yield from walk(field, f"{path}.{name}")
    if "items" in schema:
        yield from walk(schema["items"], f"{path}[]")


FIELDS: Final[dict[str, Schema]] = dict(walk(SCHEMA, ""))


def closed(schema: Schema) -> Schema:
    """Return the schema with unknown fields refused, as strict validation does; metadata is Kubernetes' own."""
    copy = deepcopy(schema)
    if "items" in copy:
        copy["items"] = closed(copy["items"])
    if "properties" in copy:
        copy["properties"] = {name: closed(field) for name, field in copy["properties"].items()}
        copy.setdefault("additionalProperties", bool(copy.get("x-kubernetes-preserve-unknown-fields")))
    return copy


def defaulted(schema: Schema, value: Any) -> Any:
    """Return `value` with the schema's defaults filled in, outside in."""
    if isinstance(value, dict) and "properties" in schema:
        filled = dict(value)
        for name, field in schema["properties"].items():
            if name not in filled and "default" in field:
                filled[name] = deepcopy(field["default"])
            if name in filled:
                filled[name] = defaulted(field, filled[name])
        return filled
    if isinstance(value, list):
        return [defaulted(schema["items"], item) for item in value]
    return value


def objections(schema: Schema, value: Any) -> list[str]:
    """Return what is wrong with a value, field by field. Cross-field rules are the API server's."""
    found = jsonschema.Draft7Validator(closed(schema)).iter_errors(value)
    return [f"{error.json_path}: {error.message}" for error in found]
