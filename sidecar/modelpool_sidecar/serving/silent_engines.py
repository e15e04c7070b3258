"""Requests that an engine has taken and says nothing of.

An engine that hangs keeps its connections, so nothing breaks: it is known by the silence alone. Where the gateway does
not probe an engine all the time, such a silence makes it a suspect; one that works hard still answers a probe. Once the
probes find it silent, too, those requests that their callers have seen nothing of go elsewhere. An engine that answers
probes, be it with "no", is never left: on its way out it ends what it has begun.
"""

import asyncio
from typing import Final

from ..discovery.directory import Directory
from ..discovery.probes import Prober
from ..http.client.pool import ConnectionPool
from ..http.urls import shown
from ..routing import choose, health
from ..routing.choose import Target, Wait
from ..routing.health import Failure
from .admission import Admission
from .context import RequestContext

INTERVAL: Final = 2.0
"""Seconds between looks."""
SILENT_SECONDS: Final = 5.0
"""Seconds without a byte after which an engine is asked whether it lives."""


class SilentEngines:
    """Looks after requests of which nothing is heard, until cancelled."""

    def __init__(self, directory: Directory, admission: Admission, upstream: ConnectionPool, prober: Prober) -> None:
        self._directory = directory
        self._in_flight = admission.in_flight
        self._upstream = upstream
        self._prober = prober

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await asyncio.sleep(INTERVAL)
            for url in self._upstream.silent(SILENT_SECONDS):
                self._prober.doubt(url)
            for url in self._directory.health.silent:
                await self._relieve(url)

    async def _relieve(self, url: str) -> None:
        """Let go elsewhere what can: each in its turn, so that no place is promised twice."""
        loop = asyncio.get_running_loop()
        for connection in self._upstream.under_way(url):
            context = connection.behalf
            if isinstance(context, RequestContext) and self._may_leave(context, url):
                loop.call_soon(connection.give_up, context, f"{shown(url)} answers neither requests nor probes")
                await asyncio.sleep(0)  # it breaks
                await asyncio.sleep(0)  # and its request has found a place

    def _may_leave(self, context: RequestContext, url: str) -> bool:
        """Whether the caller has seen nothing, and some other engine would take the request or let it wait."""
        if context.wanted is None or context.first_byte_ns:
            return False
        elsewhere = health.after(context.wanted, Failure.CLOSED, url)
        match choose.choose(self._directory.table, self._in_flight, elsewhere):
            case Target():
                return True
            case Wait(backend=backend):
                return backend.ready
            case _:
                return False
