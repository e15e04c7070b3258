"""The live routing table and the facts it is built from.

Sources set documents and addresses, probes and the outcomes of requests set what is known of one address; each change
makes a new table, of which what did not change is the same, and swaps it in by one assignment. Requests read `table`
once. Listeners hear of every change, on the same loop.
"""

import logging
import time
from collections.abc import Callable, Iterable, Mapping

from ..routing import documents, table_building, table_refreshing
from ..routing.documents import PoolRef
from ..routing.health import Health, Outcome, Verdict
from ..routing.keys import Keys
from ..routing.table import Address, Probed, RoutingTable, ServiceRef, folded
from ..routing.table_building import NO_KEYS

_log = logging.getLogger(__name__)


class Directory:
    """What is served where, now."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, keys: Keys = NO_KEYS) -> None:
        self.table = RoutingTable()
        self.loaded = False
        """Whether a source has spoken at all: before that, an empty table means nothing."""
        self.health = Health()
        """What outcomes of requests and silent probes say of the engines. To be written by this object alone."""
        self._clock = clock
        self._keys = keys
        self._keyless: frozenset[PoolRef] = frozenset()
        """Pools whose engines ask for a key that is not known, as was said already."""
        self._documents: tuple[documents.RoutesDocument, ...] = ()
        self._addresses: Mapping[ServiceRef, tuple[Address, ...]] = {}
        self._probed: dict[str, Probed] = {}
        self._listeners: list[Callable[[], None]] = []
        self._doubters: list[Callable[[str], None]] = []

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call `listener` after every new table."""
        self._listeners.append(listener)

    def on_suspicion(self, listener: Callable[[str], None]) -> None:
        """Call `listener` with each address that is to be asked at once."""
        self._doubters.append(listener)

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
        for gone in self._probed.keys() - urls:
            del self._probed[gone]
        self.health.keep(urls)
        if not trusted:
            for url in urls:
                self._probed.setdefault(url, Probed(alive=False))
        self.loaded = True
        self._swap(table_building.build(self._documents, self._addresses, self._probed, self._keys))
        self._tell_of_keys()

    def rekey(self, keys: Keys) -> None:
        """Send engines what is made of another release key from now on."""
        self._keys = keys
        self._swap(table_building.build(self._documents, self._addresses, self._probed, keys))

    def _tell_of_keys(self) -> None:
        """Say once of each pool that its engines will refuse what is asked of them."""
        if self._keys.known:
            return
        keyed = frozenset(
            one.pool.ref for one in self._documents for model in one.models for item in model.backends if item.keyed
        )
        for pool in sorted(keyed - self._keyless):
            _log.error("Engines ask for a key, and no --engine-key-file was given", extra={"pool": str(pool)})
        self._keyless = keyed

    def learn(self, url: str, found: Probed, suspicion: int | None = None) -> None:
        """Take over what a probe found.

        `suspicion`: what `suspicion` was when it asked. An engine that was suspected while it answered is asked again.
        """
        if not found.alive:
            self.health.spoke(url)
            self._lost(url)
        elif suspicion is None or suspicion == self.health.suspicion(url):
            self.health.lives(url)
            self._know(url, found)

    def silence(self, url: str, *, lasting: bool) -> None:
        """A probe got no answer. `lasting`: nor did several before it, so the engine hangs or is out of reach."""
        known = self._probed.get(url)
        if lasting:
            self.health.fell_silent(url)
        if lasting or (known is not None and not known.alive):
            self._lost(url)

    def ended(self, url: str, outcome: Outcome) -> None:
        """How an attempt there ended."""
        if (outcome.failure is None and url not in self.health.breaks) or url not in self._addressed:
            return
        verdict = self.health.ended(url, outcome, self._clock())
        if verdict is not Verdict.FINE:
            self.suspect(url)
        if verdict is Verdict.DEAD:
            self._lost(url)

    def suspect(self, url: str) -> None:
        """Have an address asked at once whether it lives. It goes on taking requests until it has answered."""
        if url not in self._addressed:
            return
        self.health.suspect(url)
        for doubter in self._doubters:
            doubter(url)

    def lacks(self, url: str, model: str) -> None:
        """An engine said that it does not hold a model which the routes promise, so it is not there yet."""
        known = self._probed.get(url)
        if known is not None and known.models is not None:
            held = known.models
        else:
            backends = (backend for one in self.table.models for backend in one.backends)
            held = frozenset(folded(one.model) for one in backends if any(at.url == url for at in one.endpoints))
        self.suspect(url)
        self._know(url, Probed(alive=known is None or known.alive, models=held - {folded(model)}))

    def known(self, url: str) -> Probed | None:
        """What was last learnt about an address."""
        return self._probed.get(url)

    @property
    def _addressed(self) -> Mapping[str, object]:
        return self.table.places

    def _lost(self, url: str) -> None:
        """The engine takes no requests. For a while after it did, it is worth waiting for."""
        known = self._probed.get(url)
        returning = self.health.lost(url, self._clock(), lived=known is None or known.alive)
        self._know(url, Probed(alive=False, returning=returning))

    def _know(self, url: str, known: Probed) -> None:
        if self._probed.get(url) != known:
            self._probed[url] = known
            self._swap(table_refreshing.refreshed(self.table, url, self._addresses, self._probed))

    def _swap(self, fresh: RoutingTable) -> None:
        self.table = fresh
        for listener in self._listeners:
            listener()
