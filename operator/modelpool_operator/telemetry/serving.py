"""The servers of /healthz, /readyz and /metrics. They show what they are given and know nothing of pools."""

import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Callable

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

logger = logging.getLogger(__name__)

Check = Callable[[], str | None]
"""Returns what is wrong, or None."""


def _probe(check: Check) -> Callable[[web.Request], "web.Response | object"]:
    async def handle(_: web.Request) -> web.Response:
        problem = check()
        return web.Response(text=problem or "ok", status=503 if problem else 200)

    return handle


def health(*, alive: Check, ready: Check) -> web.Application:
    """Return an application with `/healthz` and `/readyz`: 200 `ok`, or 503 and what is wrong."""
    app = web.Application()
    app.add_routes([web.get("/healthz", _probe(alive)), web.get("/readyz", _probe(ready))])  # type: ignore[arg-type]
    return app


def metrics(registry: CollectorRegistry) -> web.Application:
    """Return an application with `/metrics` in Prometheus' text format."""

    async def show(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    app = web.Application()
    app.add_routes([web.get("/metrics", show)])
    return app


def _bound(host: str, port: int) -> socket.socket:
    """Return a socket. All addresses, `::`, are those of both families, and IPv4's alone on a machine without IPv6."""
    if host in ("", "::"):
        both = socket.has_dualstack_ipv6()
        return socket.create_server(("", port), family=socket.AF_INET6 if both else socket.AF_INET, dualstack_ipv6=both)
    return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)


@contextlib.asynccontextmanager
async def serving(app: web.Application, *, host: str, port: int, what: str) -> AsyncIterator[int]:
    """Serve an application, and log where; yields the port, which matters when `port` is 0 and one is picked."""
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.SockSite(runner, _bound(host, port)).start()
        bound: int = runner.addresses[0][1]
        logger.info("Serving", extra={"what": what, "host": host, "port": bound})
        yield bound
    finally:
        await runner.cleanup()
