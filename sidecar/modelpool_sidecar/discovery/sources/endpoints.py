"""Where a Service answers: addresses out of EndpointSlices. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Set
from typing import NamedTuple

from ...routing.addressing import PORTS, pod_address
from ...routing.table import Address, ServiceRef
from .objects import SERVICE_LABEL, KubeObject, ObjectKey, Objects, Trouble, field, rows


class Found(NamedTuple):
    """The addresses of services, and what was left out."""

    addresses: Mapping[ServiceRef, tuple[Address, ...]]
    troubles: tuple[Trouble, ...]


def addresses_of(wanted: Set[ServiceRef], slices: Objects) -> Found:
    """Look up services. A slice is of its own namespace's Service, whatever its labels say of others."""
    named = {ObjectKey(ref.namespace, ref.name) for ref in wanted}
    by_service: dict[ObjectKey, list[tuple[ObjectKey, KubeObject]]] = {}
    for key, item in slices.items():
        service = field(item, "metadata", "labels", SERVICE_LABEL)
        if isinstance(service, str) and (owner := ObjectKey(key.namespace, service)) in named:
            by_service.setdefault(owner, []).append((key, item))
    troubles: dict[Trouble, None] = {}
    found: dict[ServiceRef, tuple[Address, ...]] = {}
    for ref in wanted:
        merged: dict[str, Address] = {}
        for key, item in by_service.get(ObjectKey(ref.namespace, ref.name), ()):
            for one in _addresses(item, ref.port):
                if isinstance(one, Address):
                    ready = one.ready or (one.url in merged and merged[one.url].ready)
                    merged[one.url] = Address(url=one.url, ready=ready)
                else:
                    troubles[Trouble(f"EndpointSlice {key}", one)] = None
        found[ref] = tuple(sorted(merged.values(), key=lambda one: one.url))
    return Found(found, tuple(troubles))


def _addresses(item: KubeObject, service_port: int) -> Iterator[Address | str]:
    """Yield what a slice tells, and what is wrong with it."""
    port = _port(rows(field(item, "ports")), service_port)
    if port is None or field(item, "addressType") == "FQDN":
        return
    for endpoint in rows(field(item, "endpoints")):
        # "Nil should be interpreted as true" holds for ready; a terminating endpoint says ready: false.
        ready = field(endpoint, "conditions", "ready") is not False
        for address in rows(field(endpoint, "addresses")):
            host = pod_address(address)
            if host is None:
                yield f"has an address that no pod can have: {str(address)[:100]!r}"
            else:
                yield Address(url=f"http://{host}:{port}", ready=ready)


def _port(ports: Iterable[object], service_port: int) -> int | None:
    """The target port: the only one, else the one with the Service's number, else the one called http."""
    known = [(field(one, "name"), number) for one in ports if _is_port(number := field(one, "port"))]
    if len(known) == 1:
        return int(known[0][1])
    by_number = (number for _, number in known if number == service_port)
    by_name = (number for name, number in known if name == "http")
    return next(by_number, None) or next(by_name, None)


def _is_port(number: object) -> bool:
    return isinstance(number, int) and not isinstance(number, bool) and number in PORTS
