"""The live routing table and the facts it is built from.

Sources set documents and addresses, probes and failed requests set what is known of one address; each change makes a
new table, of which what did not change is the same, and swaps it in by one assignment. Requests read `table` once.
Listeners hear of every change, on the same loop.
"""

from collections.abc import Callable, Iterable, Mapping

from ..routing import building, documents, refreshing
from ..routing.table import Address, Probed, RoutingTable, ServiceRef


class Directory:
    """What is served where, now."""

    def __init__(self) -> None:
        self.table = RoutingTable()
        self.loaded = False
        """Whether a source has spoken at all: before that, an empty table means nothing."""
        self._documents: tuple[documents.RoutesDocument, ...] = ()
        self._addresses: Mapping[ServiceRef, tuple[Address, ...]] = {}
        self._probed: dict[str, Probed] = {}
        self._suspects: set[str] = set()
        self._listeners: list[Callable[[], None]] = []

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call `listener` after every new table."""
        self._listeners.append(listener)

    def load(
        self,
        routes: Iterable[documents.RoutesDocument],
        addresses: Mapping[ServiceRef, tuple[Address, ...]],
        *,
        trusted: bool,
    ) -> None:
        """Take over what a source says, whole. What is known of addresses that are gone is forgotten.

        `trusted`: the source knows which addresses are ready; otherwise a new address is unready until a probe.
        """
        self._documents = tuple(routes)
        self._addresses = dict(addresses)
        urls = {address.url for group in self._addresses.values() for address in group}
        self._probed = {url: known for url, known in self._probed.items() if url in urls}
        self._suspects &= urls
        if not trusted:
            for url in urls:
                self._probed.setdefault(url, Probed(alive=False))
        self.loaded = True
        self._swap(building.build(self._documents, self._addresses, self._probed))

    def learn(self, url: str, known: Probed) -> None:
        """Take over what a probe found; it clears a suspicion when the engine is alive."""
        if known.alive:
            self._suspects.discard(url)
        if self._probed.get(url) != known:
            self._probed[url] = known
            self._refresh(url)

    def suspect(self, url: str) -> None:
        """A request could not reach this address: unready at once, until a probe says otherwise."""
        self._suspects.add(url)
        known = self._probed.get(url)
        if known is None or known.alive:
            self._probed[url] = Probed(alive=False, models=known.models if known else None)
            self._refresh(url)

    def lacks(self, url: str, model: str) -> None:
        """An engine said that it does not hold a model which the routes promise, so it is not there yet."""
        known = self._probed.get(url)
        if known is not None and known.models is not None:
            held = known.models
        else:
            backends = (backend for one in self.table.models for backend in one.backends)
            held = frozenset(backend.model for backend in backends if any(at.url == url for at in backend.endpoints))
        self._suspects.add(url)
        self._probed[url] = Probed(alive=known is None or known.alive, models=held - {model})
        self._refresh(url)

    @property
    def suspects(self) -> frozenset[str]:
        """Addresses that failed a request and have not answered a probe since."""
        return frozenset(self._suspects)

    def known(self, url: str) -> Probed | None:
        """What was last learnt about an address."""
        return self._probed.get(url)

    def _refresh(self, url: str) -> None:
        self._swap(refreshing.refreshed(self.table, url, self._addresses, self._probed))

    def _swap(self, fresh: RoutingTable) -> None:
        self.table = fresh
        for listener in self._listeners:
            listener()
