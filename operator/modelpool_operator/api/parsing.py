"""From a manifest to a `ModelPool`: the only parser. Past this module no dictionary stands for a ModelPool."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from modelpool_operator.api import names
from modelpool_operator.api.pool import ModelPool, PoolSpec
from modelpool_operator.api.quantity import Quantity
from modelpool_operator.api.status import PoolStatus

T = TypeVar("T")


class InvalidPoolError(Exception):
    """The ModelPool says something that cannot be: the user's to mend. The text names the field and what is allowed."""


def _decode(kind: type[Any], value: Any) -> Any:
    if kind is Quantity:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise ValueError(f"must be a quantity such as '24Gi', got '{value}'")
        return Quantity(value)
    raise NotImplementedError(f"no decoding for {kind}")


def _encode(value: Any) -> Any:
    if isinstance(value, Quantity):
        return value.text
    raise NotImplementedError(f"no encoding for {type(value)}")


def parse(kind: type[T], value: Any) -> T:
    """Return `value`, plain data as JSON or YAML gives it, as one of the API's types.

    Raises:
        InvalidPoolError: a field is missing, unknown, or of the wrong type.
    """
    try:
        return msgspec.convert(value, kind, dec_hook=_decode)
    except msgspec.ValidationError as exc:
        raise InvalidPoolError(str(exc)) from exc


def render(value: Any) -> Any:
    """Return one of the API's values as plain data, fields that equal their default left out where the type says so."""
    return msgspec.to_builtins(value, enc_hook=_encode)


def from_body(body: Mapping[str, Any]) -> ModelPool:
    """Return the ModelPool that a manifest describes, whether a file's or the API server's.

    Raises:
        InvalidPoolError: the manifest is no ModelPool of this version, or a field of its spec is wrong.
    """
    if body.get("apiVersion") != names.API_VERSION or body.get("kind") != names.KIND:
        found = f"{body.get('apiVersion')}, {body.get('kind')}"
        raise InvalidPoolError(f"must be `apiVersion: {names.API_VERSION}`, `kind: {names.KIND}`, got {found}")
    metadata = body.get("metadata") or {}
    if not metadata.get("name"):
        raise InvalidPoolError("`metadata.name` is required")
    return ModelPool(
        ref=names.ObjectRef(metadata.get("namespace") or "default", metadata["name"]),
        uid=metadata.get("uid", ""),
        generation=metadata.get("generation", 1),
        created=created_of(body),
        spec=parse(PoolSpec, body.get("spec") or {}),
    )


def created_of(body: Mapping[str, Any]) -> datetime | None:
    """Return when an object was created, or None where it was not yet."""
    created = (body.get("metadata") or {}).get("creationTimestamp")
    return datetime.fromisoformat(created) if isinstance(created, str) else created


def status_of(body: Mapping[str, Any]) -> PoolStatus | None:
    """Return the status that a manifest carries, or None when it has none that this version can read.

    A status is the operator's own word: one it cannot read, from an older version or an edit by hand, is written anew.
    """
    try:
        return parse(PoolStatus, body.get("status") or {})
    except InvalidPoolError:
        return None
