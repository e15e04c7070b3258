"""Routes and addresses out of Kubernetes objects: pure over decoded JSON, so that recorded watch events test it.

One subject's data is that subject's trouble: a ConfigMap that speaks for no pool serves nothing, one that cannot be
read keeps its last good document, and neither changes anything for another pool.
"""

from collections.abc import Container, Mapping
from typing import Final, NamedTuple

import msgspec

from ...routing import documents
from ...routing.documents import InvalidRoutesError, RoutesDocument
from ...routing.table import Address, ServiceRef, service_of
from .endpoints import addresses_of
from .objects import KubeObject, ObjectKey, Objects, Trouble, field
from .ownership import NotOwnedError, Owner, owner_of

ROUTES_KEY: Final = "routes.json"


class Reading(NamedTuple):
    """What one ConfigMap was found to say, remembered until it changes: reading is most of the work."""

    item: KubeObject
    owner: Owner
    good: RoutesDocument | None
    """Its last good document."""
    problem: str | None
    """What is wrong with what it says now."""


Readings = Mapping[ObjectKey, Reading]


class Snapshot(NamedTuple):
    """What a Directory loads, and what was wrong on the way."""

    routes: tuple[RoutesDocument, ...]
    addresses: Mapping[ServiceRef, tuple[Address, ...]]
    troubles: tuple[Trouble, ...]


def snapshot(
    config_maps: Objects, pools: Objects, slices: Objects, before: Readings, engines: Container[str]
) -> tuple[Snapshot, Readings]:
    """Read all objects; `before` is what the last snapshot returned beside itself."""
    readings: dict[ObjectKey, Reading] = {}
    troubles: list[Trouble] = []
    for key, item in config_maps.items():
        subject = f"ConfigMap {key}"
        try:
            owner = owner_of(key, item, pools)
        except NotOwnedError as error:
            troubles.append(Trouble(subject, str(error)))
            continue
        reading = readings[key] = _read(item, owner, before.get(key), engines)
        if reading.problem is not None:
            troubles.append(Trouble(subject, reading.problem))
    routes = tuple(one.good for one in readings.values() if one.good is not None)
    wanted = {service_of(one.pool, item) for one in routes for model in one.models for item in model.backends}
    found = addresses_of(wanted, slices)
    return Snapshot(routes, found.addresses, (*troubles, *found.troubles)), readings


def _read(item: KubeObject, owner: Owner, before: Reading | None, engines: Container[str]) -> Reading:
    """Read a ConfigMap. The last good document counts only as long as it is of the same pool."""
    if before is not None and before.owner != owner:
        before = None
    if before is not None and before.item is item:
        return before
    try:
        return Reading(item, owner, _routes(item, owner, engines), None)
    except InvalidRoutesError as error:
        return Reading(item, owner, before.good if before is not None else None, str(error))


def _routes(item: KubeObject, owner: Owner, engines: Container[str]) -> RoutesDocument:
    text = field(item, "data", ROUTES_KEY)
    if not isinstance(text, str):
        raise InvalidRoutesError(f"must have the key {ROUTES_KEY!r}")
    found = documents.parse(text, engines)
    if found.pool.ref != owner.ref:
        # It speaks for its owner alone: its services are looked up in that one's namespace.
        raise InvalidRoutesError(f"must speak for {owner.ref}, which owns it, got {found.pool.ref}")
    backends = (backend for model in found.models for backend in model.backends)
    if any(backend.url is not None for backend in backends):
        raise InvalidRoutesError("backends of a cluster must have `service` and `port`, and no `url`")
    return msgspec.structs.replace(
        found, pool=msgspec.structs.replace(found.pool, created=owner.created, uid=owner.uid)
    )
