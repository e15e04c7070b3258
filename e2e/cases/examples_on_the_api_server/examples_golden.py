"""What the operator has said of an object, as the API server records it, in a form that two runs share.

Server-side apply keeps book of every field and its manager. So a golden file holds exactly the operator's fields: no
default of this or that Kubernetes version, and nothing that another controller wrote.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from modelpool_operator.planning import scripts

MANAGER: Final = "modelpool-operator"
SCRIPT: Final = "start_engine.py"
"""Long, and proved by tests of its own: a golden file only says that it is there."""
GOLDEN: Final = Path(__file__).parent / "golden"

_HASHES: Final = ("modelpool.dev/applied", "modelpool.dev/template-hash")
_PULL: Final = re.compile(r"^(.*-pull-.*)-[0-9a-f]{8}$")
_KEY: Final = re.compile(r"-key-[0-9a-f]{8}$")


def normalised(live: Mapping[str, Any], namespace: str) -> dict[str, Any]:
    """Return the operator's fields of an object, with what differs from run to run replaced by a word."""
    (entry,) = (one for one in live["metadata"]["managedFields"] if one["manager"] == MANAGER)
    mine: dict[str, Any] = _owned(live, entry["fieldsV1"])
    said = {"apiVersion": live["apiVersion"], "kind": live["kind"], **mine}
    said["metadata"]["name"] = _PULL.sub(r"\1-VOLUME", live["metadata"]["name"])
    for owner in said["metadata"]["ownerReferences"]:
        owner["uid"] = "UID"
    for metadata in (said["metadata"], ((said.get("spec") or {}).get("template") or {}).get("metadata") or {}):
        for key in _HASHES:
            if key in metadata.get("annotations", {}):
                metadata["annotations"][key] = "HASH"
    for container in (((said.get("spec") or {}).get("template") or {}).get("spec") or {}).get("containers", ()):
        for variable in container["env"]:
            if (secret := (variable.get("valueFrom") or {}).get("secretKeyRef")) is not None:
                secret["name"] = _KEY.sub("-key-POOL", secret["name"])
    if SCRIPT in said.get("data", {}):
        assert said["data"][SCRIPT] == scripts.START_ENGINE
        said["data"][SCRIPT] = "TEXT"
    if "routes.json" in said.get("data", {}):
        routes = json.loads(said["data"]["routes.json"])
        assert routes["pool"]["namespace"] == namespace
        routes["pool"] |= {"namespace": "NAMESPACE", "created": "TIME"}
        said["data"]["routes.json"] = routes
    return said


def _owned(live: Any, fields: Mapping[str, Any]) -> Any:
    """Return the part of a value that a FieldsV1 set names."""
    inner = {key: value for key, value in fields.items() if key != "."}
    if not inner:
        return live
    if isinstance(live, list):
        return [_owned(item, inner[key]) for item in live for key in inner if _is_item(item, key)]
    return {key.removeprefix("f:"): _owned(live[key.removeprefix("f:")], value) for key, value in inner.items()}


def _is_item(item: Any, key: str) -> bool:
    kind, _, text = key.partition(":")
    wanted = json.loads(text)
    if kind == "v":
        return bool(item == wanted)
    return all(item.get(name) == value for name, value in wanted.items())


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as blocks."""


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


_Dumper.add_representer(str, _text)


def dumped(objects: list[dict[str, Any]]) -> str:
    """Return objects as one YAML text, in the order of kind and name."""
    ordered = sorted(objects, key=lambda one: (one["kind"], one["metadata"]["name"]))
    return yaml.dump_all(ordered, Dumper=_Dumper, sort_keys=True, width=120, allow_unicode=True)
