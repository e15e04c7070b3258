"""A table in which something else is known of one address: the models that stand there are made anew, no others.

To build a table of ten thousand models takes a third of a second, and engines come and go one at a time.
"""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from . import table, table_building
from .table import Address, Probed, RoutingTable, ServiceRef


def refreshed(
    before: RoutingTable, url: str, addresses: Mapping[ServiceRef, tuple[Address, ...]], probed: Mapping[str, Probed]
) -> RoutingTable:
    """What `table_building.build` would give, if nothing changed since `before` but what is known of this address."""
    places = before.places.get(url, ())
    if not places:
        return before
    models, names, shared = list(before.models), dict(before.names), table_building.Shared()
    unready = {pair for pair in before.unready if pair[0] != url}
    for place in places:
        old = models[place]
        backends = tuple(
            replace(one, endpoints=table_building.endpoints_of(one.service, one.model, addresses, probed, shared))
            for one in old.backends
        )
        new = models[place] = replace(old, backends=backends)
        unready.update(table_building.unready_of(new))
        for name in (old.name, *old.entry.aliases):
            for spelt in (name, table.folded(name)):
                if names.get(spelt) is old:
                    names[spelt] = new
    return replace(before, models=tuple(models), names=MappingProxyType(names), unready=frozenset(unready))
