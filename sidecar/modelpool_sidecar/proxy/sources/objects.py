"""Routes and addresses out of Kubernetes objects: pure over decoded JSON, so that recorded watch events test it.

An `ObjectStore` holds what one list-and-watch has seen; `snapshot` turns the objects into what a Directory loads.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from ...routing import documents
from ...routing.documents import RoutesDocument
from ...routing.table import Address, ServiceRef, service_of

ROUTES_SELECTOR: Final = "modelpool.dev/routes=true"
ROUTES_KEY: Final = "routes.json"
SERVICE_LABEL: Final = "kubernetes.io/service-name"

KubeObject = Mapping[str, Any]


class ObjectKey(NamedTuple):
    """Identity of an object within its kind."""

    namespace: str
    name: str


Objects = Mapping[ObjectKey, KubeObject]


class ExpiredError(Exception):
    """The API server no longer knows our resourceVersion: list again."""


class ApiRefusedError(Exception):
    """The API server answered a list or a watch with an error."""


class ObjectStore:
    """The objects of one kind, as far as the list and the events since have told."""

    def __init__(self) -> None:
        self.objects: dict[ObjectKey, KubeObject] = {}
        self.resource_version = ""

    def replace(self, listed: KubeObject) -> None:
        """Take over a whole list; what it does not hold is gone."""
        self.objects = {_key(item): item for item in listed.get("items") or ()}
        self.resource_version = listed["metadata"]["resourceVersion"]

    def apply(self, event: KubeObject) -> bool:
        """Take over one watch event; True when it may change the routes. Raises ExpiredError for 410."""
        kind, item = event["type"], event["object"]
        match kind:
            case "ERROR":
                if item.get("code") == 410:
                    raise ExpiredError(item.get("message", ""))
                raise ApiRefusedError(f"watch failed: {item.get('message', item)}")
            case "BOOKMARK":
                self.resource_version = item["metadata"]["resourceVersion"]
                return False
            case "DELETED":
                self.objects.pop(_key(item), None)
            case _:
                self.objects[_key(item)] = item
        self.resource_version = item["metadata"]["resourceVersion"]
        return True


def merged(stores: Iterable[ObjectStore]) -> Objects:
    """The objects of several namespaces as one."""
    return {key: item for store in stores for key, item in store.objects.items()}


class Snapshot(NamedTuple):
    """What a Directory loads, and what was wrong on the way."""

    routes: tuple[RoutesDocument, ...]
    addresses: Mapping[ServiceRef, tuple[Address, ...]]
    problems: tuple[str, ...]


def snapshot(
    config_maps: Objects, slices: Objects, last_good: Mapping[ObjectKey, RoutesDocument]
) -> tuple[Snapshot, dict[ObjectKey, RoutesDocument]]:
    """Read all objects. A ConfigMap that cannot be read keeps its last good document; its pool is not taken down."""
    good: dict[ObjectKey, RoutesDocument] = {}
    problems: list[str] = []
    for key, item in config_maps.items():
        try:
            good[key] = _routes(item)
        except documents.InvalidRoutesError as error:
            problems.append(f"ConfigMap {key.namespace}/{key.name}: {error}")
            if key in last_good:
                good[key] = last_good[key]
    wanted = {service_of(one.pool, item) for one in good.values() for model in one.models for item in model.backends}
    by_service: dict[ObjectKey, list[KubeObject]] = {}
    for key, item in slices.items():
        service = (item["metadata"].get("labels") or {}).get(SERVICE_LABEL)
        if service is not None:
            by_service.setdefault(ObjectKey(key.namespace, service), []).append(item)
    addresses = {
        ref: (Address(url=ref.name, ready=True),)
        if not ref.namespace
        else tuple(_addresses(by_service.get(ObjectKey(ref.namespace, ref.name), ()), ref.port))
        for ref in wanted
    }
    return Snapshot(tuple(good.values()), addresses, tuple(problems)), good


def _routes(item: KubeObject) -> RoutesDocument:
    text = (item.get("data") or {}).get(ROUTES_KEY)
    if text is None:
        raise documents.InvalidRoutesError(f"must have the key {ROUTES_KEY!r}")
    found = documents.parse(text)
    namespace = item["metadata"]["namespace"]
    if found.pool.namespace != namespace:
        # A document may only speak for its own namespace: its services are looked up there.
        raise documents.InvalidRoutesError(f"pool.namespace must be {namespace!r}, got {found.pool.namespace!r}")
    return found


def _addresses(slices: Iterable[KubeObject], service_port: int) -> list[Address]:
    found: dict[str, Address] = {}
    for item in slices:
        port = _port(item.get("ports") or (), service_port)
        if port is None or item.get("addressType") == "FQDN":
            continue
        for endpoint in item.get("endpoints") or ():
            conditions = endpoint.get("conditions") or {}
            # "Nil should be interpreted as true" holds for ready; a terminating endpoint says ready: false.
            ready = conditions.get("ready") is not False
            for address in endpoint.get("addresses") or ():
                host = f"[{address}]" if ":" in address else address
                url = f"http://{host}:{port}"
                found[url] = Address(url=url, ready=ready or (url in found and found[url].ready))
    return sorted(found.values(), key=lambda one: one.url)


def _port(ports: Iterable[KubeObject], service_port: int) -> int | None:
    """The target port: the only one, else the one with the Service's number, else the one called http."""
    known = [(port.get("name"), int(port["port"])) for port in ports if port.get("port") is not None]
    if len(known) == 1:
        return known[0][1]
    by_number = (number for _, number in known if number == service_port)
    by_name = (number for name, number in known if name == "http")
    return next(by_number, None) or next(by_name, None)


def _key(item: KubeObject) -> ObjectKey:
    return ObjectKey(item["metadata"]["namespace"], item["metadata"]["name"])
