"""How the program begins and ends inside kopf, who it is to the API server, and all of kopf's settings we rely on."""

import itertools
from collections.abc import Iterable, Iterator
from typing import Any

import kopf

from modelpool_operator.api import names
from modelpool_operator.cluster.client import WATCH_SECONDS
from modelpool_operator.handlers import kopf_storage
from modelpool_operator.handlers.memo import Memo
from modelpool_operator.handlers.watches import REGISTRY


@kopf.on.login(registry=REGISTRY)
async def log_in(memo: Memo, **_: Any) -> kopf.ConnectionInfo:
    """Return our credentials; asked again whenever the API server no longer takes the last ones."""
    return await memo.log_in()


@kopf.on.startup(registry=REGISTRY)
async def begin(settings: kopf.OperatorSettings, memo: Memo, **_: Any) -> None:
    """Set kopf up, and hold its watches back until the pools are listed: then the CRD is there, which kopf needs."""
    configure(settings)
    await memo.started.wait()


@kopf.on.cleanup(registry=REGISTRY)
async def end(memo: Memo, **_: Any) -> None:
    """End the workers and servers while kopf still waits for us."""
    memo.stop.set()
    await memo.stopped.wait()


def configure(settings: kopf.OperatorSettings) -> None:
    """Set every setting of kopf that matters here, its defaults included where we rely on them."""
    # Our recorder posts Events, and only those that a person can act upon.
    settings.posting.enabled = False
    settings.posting.loggers = False

    # One replica with the strategy Recreate; kopf's peering is no leader election, and would need a CRD of its own.
    settings.peering.standalone = True

    # The kinds are known and present, the namespaces are named: no need for the right to watch CRDs and namespaces.
    settings.scanning.disabled = True

    # Ends a watch from the server's side now and then, so that load balancers with idle limits never do it for us.
    settings.watching.server_timeout = WATCH_SECONDS
    # A little later from ours, in case the server's end was lost.
    settings.watching.client_timeout = 300
    settings.watching.connect_timeout = 5
    # Bookmarks come every minute; a watch that is silent for longer is dead.
    settings.watching.inactivity_timeout = 90
    settings.watching.reconnect_backoff = 0.2
    # Bounds the memory of the first list.
    settings.watching.chunk_size = 250

    # An event only marks its pool, so kopf's worker per object has nothing to wait for once its queue is empty.
    settings.queueing.idle_timeout = 0.2
    settings.queueing.exit_timeout = 1
    settings.queueing.worker_limit = None

    settings.networking.request_timeout = 30
    settings.networking.connect_timeout = 5
    # A watch that gives up ends the operator. An API server being upgraded, or a role being replaced, comes back.
    settings.networking.error_backoffs = Patience()
    settings.networking.trust_env = False

    # No handler of ours persists anything, and kopf shall not compute what it would persist. Should one ever, its mark
    # would bear our name and not the framework's.
    settings.persistence.finalizer = f"{names.GROUP}/operator"
    settings.persistence.progress_storage = kopf_storage.NoProgress()
    settings.persistence.diffbase_storage = kopf_storage.NoDiffBase()

    # Below a Pod's usual grace period of 30 seconds: better to end oneself with a log line than to be killed without.
    settings.process.ultimate_exiting_timeout = 25


class Patience(Iterable[float]):
    """Delays between attempts at a request, in seconds: longer and longer up to half a minute, and without end."""

    def __iter__(self) -> Iterator[float]:
        return itertools.chain((0.25, 0.5, 1, 2, 4, 8, 16), itertools.repeat(30))
