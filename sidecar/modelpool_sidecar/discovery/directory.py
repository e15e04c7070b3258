"""The live routing table and the facts it is built from.

Sources set documents and addresses, probes and the outcomes of requests set what is known of one address; each change
makes a new table, of which what did not change is the same, and swaps it in by one assignment. Requests read `table`
once. Listeners hear of every change, on the same loop.
"""

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from ..routing import documents, health, table_building, table_refreshing
from ..routing.documents import PoolRef
from ..routing.health import NO_BREAK, Outcome, Row, Verdict
from ..routing.keys import Keys
from ..routing.table import Address, Probed, RoutingTable, ServiceRef, folded
from ..routing.table_building import NO_KEYS

RETURN_SECONDS: Final = 5.0
"""How long an engine that died is worth waiting for: a false alarm is over in milliseconds, a restart in a few seconds.
Who waits longer is better told to come again."""

_log = logging.getLogger(__name__)


class Directory:
    """What is served where, now."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, keys: Keys = NO_KEYS) -> None:
        self.table = RoutingTable()
        self.loaded = False
        """Whether a source has spoken at all: before that, an empty table means nothing."""
        self.rows: dict[str, Row] = {}
        """Requests that broke in a row, by address: read-only, and the same object for ever."""
        self._clock = clock
        self._keys = keys
        self._keyless: frozenset[PoolRef] = frozenset()
        """Pools whose engines ask for a key that is not known, as was said already."""
        self._documents: tuple[documents.RoutesDocument, ...] = ()
        self._addresses: Mapping[ServiceRef, tuple[Address, ...]] = {}
        self._probed: dict[str, Probed] = {}
        self._suspects: dict[str, int] = {}
        """What is to be asked, and the number of the suspicion, which is higher the later it came."""
        self._suspicions = 0
        self._died: dict[str, float] = {}
        """When each engine died that may be back in a moment."""
        self._silent: set[str] = set()
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
        for known in (self._probed, self._suspects, self._died, self.rows):
            for gone in known.keys() - urls:
                del known[gone]
        self._silent &= urls
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
            self._silent.discard(url)
            self._lost(url)
        elif suspicion is None or suspicion == self.suspicion(url):
            self._suspects.pop(url, None)
            self._died.pop(url, None)
            self._silent.discard(url)
            self._know(url, found)

    def silence(self, url: str, *, lasting: bool) -> None:
        """A probe got no answer. `lasting`: nor did several before it, so the engine hangs or is out of reach."""
        known = self._probed.get(url)
        if lasting:
            self._silent.add(url)
        if lasting or (known is not None and not known.alive):
            self._lost(url)

    def heard(self, url: str, outcome: Outcome) -> None:
        """What became of a request there."""
        before = self.rows.get(url)
        if url not in self._addressed or (before is None and outcome is Outcome.ANSWERED):
            return
        row, verdict = health.judged(before or NO_BREAK, outcome, self._clock())
        if row.length:
            self.rows[url] = row
        else:
            self.rows.pop(url, None)
        if verdict is not Verdict.FINE:
            self.suspect(url)
        if verdict is Verdict.DEAD:
            self._lost(url)

    def suspect(self, url: str) -> None:
        """Have an address asked at once whether it lives. It goes on taking requests until it has answered."""
        if url not in self._addressed:
            return
        self._suspicions += 1
        self._suspects[url] = self._suspicions
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

    @property
    def suspects(self) -> frozenset[str]:
        """Addresses that are to be asked and have not answered since."""
        return frozenset(self._suspects)

    @property
    def silent(self) -> frozenset[str]:
        """Addresses that have answered none of the last probes."""
        return frozenset(self._silent)

    def suspicion(self, url: str) -> int:
        """The number of the last suspicion of an address; 0 when there is none."""
        return self._suspects.get(url, 0)

    def known(self, url: str) -> Probed | None:
        """What was last learnt about an address."""
        return self._probed.get(url)

    @property
    def _addressed(self) -> Mapping[str, object]:
        return self.table.places

    def _lost(self, url: str) -> None:
        """The engine takes no requests. For a while after it did, it is worth waiting for."""
        known = self._probed.get(url)
        if known is None or known.alive:
            self._died[url] = self._clock()
        died = self._died.get(url)
        if died is not None and self._clock() - died >= RETURN_SECONDS:
            died = None
            del self._died[url]
        self._know(url, Probed(alive=False, returning=died is not None))

    def _know(self, url: str, known: Probed) -> None:
        if self._probed.get(url) != known:
            self._probed[url] = known
            self._swap(table_refreshing.refreshed(self.table, url, self._addresses, self._probed))

    def _swap(self, fresh: RoutingTable) -> None:
        self.table = fresh
        for listener in self._listeners:
            listener()
