"""Whose a ConfigMap is: the ModelPool that owns it, as the API server knows that one. Pure.

Who may write ConfigMaps in a namespace can label one as routes and write into it what he likes. So nothing that stands
in it decides whose it is: it must be owned by a ModelPool of its namespace that is there, by name and UID, and be
called what the operator calls the one ConfigMap of that pool. When the pool came is the API server's word as well.
"""

import datetime
import hashlib
from typing import Final, NamedTuple

from ...routing.documents import PoolRef
from .objects import KubeObject, ObjectKey, Objects, field, rows

GROUP: Final = "modelpool.dev"
KIND: Final = "ModelPool"

_LABEL_LENGTH: Final = 63
_FINGERPRINT: Final = 8


class NotOwnedError(ValueError):
    """The ConfigMap speaks for no pool; the message ends a sentence about it."""


class Owner(NamedTuple):
    """A ModelPool, as far as it matters here."""

    ref: PoolRef
    created: datetime.datetime
    uid: str


def owner_of(key: ObjectKey, item: KubeObject, pools: Objects) -> Owner:
    """Return the pool that a ConfigMap speaks for. Raises NotOwnedError."""
    if field(item, "metadata", "deletionTimestamp") is not None:
        raise NotOwnedError("is being deleted")
    references = rows(field(item, "metadata", "ownerReferences"))
    controllers = [one for one in references if field(one, "controller") is True]
    if len(controllers) != 1 or not _is_pool(controllers[0]):
        raise NotOwnedError(f"must be owned by a {KIND}, as those are that the operator writes")
    name, uid = field(controllers[0], "name"), field(controllers[0], "uid")
    pool = pools.get(ObjectKey(key.namespace, str(name)))
    if pool is None or not isinstance(uid, str) or field(pool, "metadata", "uid") != uid:
        raise NotOwnedError(f"must be owned by a {KIND} of its namespace that is there, got {name!r} with UID {uid!r}")
    if key.name != routes_name(str(name)):
        raise NotOwnedError(f"must be called {routes_name(str(name))!r}, as the operator calls it for that pool")
    return Owner(PoolRef(key.namespace, str(name)), _created(pool), uid)


def routes_name(pool: str) -> str:
    """Return the name of the ConfigMap with a pool's routes: that of the operator's `api/names.py`, held by a test."""
    name = f"{pool}-routes"
    if len(name) <= _LABEL_LENGTH:
        return name
    fingerprint = hashlib.sha256(name.encode(errors="replace")).hexdigest()[:_FINGERPRINT]
    return f"{name[: _LABEL_LENGTH - _FINGERPRINT - 1].rstrip('-')}-{fingerprint}"


def _is_pool(reference: object) -> bool:
    version = field(reference, "apiVersion")
    return field(reference, "kind") == KIND and isinstance(version, str) and version.startswith(f"{GROUP}/")


def _created(pool: KubeObject) -> datetime.datetime:
    text = field(pool, "metadata", "creationTimestamp")
    try:
        found = datetime.datetime.fromisoformat(text)
    except (TypeError, ValueError) as error:
        raise NotOwnedError(f"is owned by a {KIND} without a readable creationTimestamp: {text!r}") from error
    if found.tzinfo is None:
        raise NotOwnedError(f"is owned by a {KIND} whose creationTimestamp has no zone: {text!r}")
    return found
