"""Writes docs/reference/modelpool.md from the descriptions in crds/modelpools.yaml: `python tools/crd_docs.py`.

Defaults are those of the types that the operator's parser fills, since the CRD writes none into a spec. Else it knows
the shape of a CRD and Markdown, and nothing more. A test compares what `reference` returns with what is committed.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, get_args

import msgspec
import yaml

from modelpool_operator.api import parsing
from modelpool_operator.api.pool import PoolSpec
from modelpool_operator.api.status import PoolStatus

ROOT: Final = Path(__file__).parents[1]
CRD: Final = ROOT / "crds" / "modelpools.yaml"
TARGET: Final = ROOT / "docs" / "reference" / "modelpool.md"

Schema = dict[str, Any]

_HEADER: Final = """\
<!-- Generated from crds/modelpools.yaml by tools/crd_docs.py. Edit the descriptions there. -->
# ModelPool

`apiVersion: {group}/{version}`, `kind: {kind}`, short name `{short}`, {scope}.

{description}

The same text is in the cluster: `kubectl explain {singular}.spec.models`. A quantity is an amount of bytes as
Kubernetes writes it, such as `24Gi`. A field in **bold** is required. A default is what the operator takes for a field
that is absent: nothing is written into a `spec` that its user did not write.
"""

_LIMITS: Final = {
    "minimum": "at least {}",
    "maximum": "at most {}",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
    "maxProperties": "at most {} entries",
}


def reference(crd: Schema) -> str:
    """Return the whole page."""
    spec, version = crd["spec"], crd["spec"]["versions"][0]
    root = version["schema"]["openAPIV3Schema"]
    parts = [
        _HEADER.format(
            group=spec["group"],
            version=version["name"],
            kind=spec["names"]["kind"],
            short=spec["names"]["shortNames"][0],
            scope=spec["scope"].lower(),
            singular=spec["names"]["singular"],
            description=root["description"],
        )
    ]
    if rules := list(_rules(root)):
        parts.append("\n".join(["Every ModelPool:", "", *rules, ""]))
    for name, kind in (("spec", PoolSpec), ("status", PoolStatus)):
        parts += _sections(name, root["properties"][name], kind)
    parts.append(_columns(version["additionalPrinterColumns"]))
    return "\n".join(parts)


def _sections(path: str, schema: Schema, kind: type[msgspec.Struct] | None) -> Iterator[str]:
    """Yield a section for the object at `path` and for every object below it, depth first.

    Args:
        path: as in `spec.models[]`.
        schema: of the object.
        kind: the type that stands for it; None within what is Kubernetes' own.
    """
    fields = {one.encode_name: one for one in msgspec.structs.fields(kind)} if kind is not None else {}
    lines = [f"## {path}", "", schema["description"], "", "| field | type | default | meaning |", "|---|---|---|---|"]
    required = schema.get("required", [])
    for name, field in schema["properties"].items():
        shown = f"**`{name}`**" if name in required else f"`{name}`"
        default = _default(fields.get(name)) if "properties" not in field else ""
        meaning = " ".join([field["description"], *_limits(field)]).replace("|", "\\|")
        lines.append(f"| {shown} | {_type(field)} | {default} | {meaning} |")
    lines.append("")
    if rules := list(_rules(schema)):
        lines += ["Rules:", "", *rules, ""]
    yield "\n".join(lines)
    for name, field in schema["properties"].items():
        below, suffix = (field["items"], "[]") if field.get("type") == "array" else (field, "")
        if "properties" in below:
            yield from _sections(f"{path}.{name}{suffix}", below, _struct_in(fields.get(name)))


def _default(field: msgspec.structs.FieldInfo | None) -> str:
    """Return what is taken for a field that is absent, unless that is nothing."""
    value = None if field is None or field.default is msgspec.NODEFAULT else parsing.render(field.default)
    return "" if value in (None, "", (), [], {}) else f"`{_literal(value)}`"


def _struct_in(field: msgspec.structs.FieldInfo | None) -> type[msgspec.Struct] | None:
    """Return the struct that a field is, or lists; None where it is none."""
    parts = () if field is None else (field.type, *get_args(field.type))
    return next((part for part in parts if isinstance(part, type) and issubclass(part, msgspec.Struct)), None)


def _type(field: Schema) -> str:
    if "[KMGTPE]i" in field.get("pattern", ""):
        return "quantity"
    if field.get("x-kubernetes-int-or-string"):
        return "amount"
    if field["type"] == "array":
        return f"list of {_type(field['items'])}s"
    if "additionalProperties" in field:
        return f"map of {_type(field['additionalProperties'])}s"
    return str(field["type"])


def _limits(field: Schema) -> Iterator[str]:
    """Yield what else holds for a field, as sentences."""
    allowed = field.get("enum") or field.get("items", {}).get("enum")
    if allowed:
        yield f"One of {', '.join(f'`{value}`' for value in allowed)}."
    limits = [text.format(field[key]) for key, text in _LIMITS.items() if key in field]
    if limits:
        yield f"{', '.join(limits).capitalize()}."
    if "properties" not in field:  # else they stand in a section of their own
        for rule in _rules(field):
            yield f"Rule: {rule.removeprefix('- ')}"


def _rules(schema: Schema) -> Iterator[str]:
    """Yield the rules of a schema as list items, in the words of their messages up to what was got."""
    for rule in schema.get("x-kubernetes-validations", []):
        text = rule.get("message") or re.sub(r"^.*?(\"|')(.*?)\1.*$", r"\2", rule["messageExpression"])
        text = re.sub(r", '?%[sd]'?", "", text.partition(", got ")[0])
        text = re.sub(r"'?%[sd]'?", "…", text)
        where = rule.get("fieldPath", "").removeprefix(".")
        yield f"- `{where}` {text}." if where else f"- {text}."


def _literal(value: Any) -> str:
    return value if isinstance(value, str) else yaml.safe_dump(value, default_flow_style=True).split("\n")[0]


def _columns(columns: list[Schema]) -> str:
    lines = ["## Columns of `kubectl get modelpools`", "", "| column | meaning |", "|---|---|"]
    for column in columns:
        wide = " With `-o wide`." if column.get("priority") else ""
        lines.append(f"| {column['name']} | {column['description']}{wide} |")
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    TARGET.write_text(reference(yaml.safe_load(CRD.read_text())))
