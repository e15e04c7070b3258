"""The composition root: which objects a gateway consists of, and how it starts and ends. Nothing is decided here.

Start: source and prober run in one TaskGroup, the ports open. End, on SIGTERM: readiness fails, every answer closes its
connection, the ports stay open for the drain delay, then close; running answers get the shutdown timeout, and then end
with an error.
"""

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

from . import descriptors
from .dialects import cors
from .dialects.bounds import Bounds
from .dialects.cors import HostPolicy
from .discovery.directory import Directory
from .discovery.probes import PROBE_TIMEOUT, Prober
from .discovery.sources import Source, key_file
from .discovery.sources import access as access_to
from .discovery.sources.access import Access
from .discovery.sources.cluster import ClusterSource
from .discovery.sources.file import FileSource
from .engines.registry import PROFILES, Profiles
from .http.client.pool import ConnectionPool
from .http.limits import Limit, Limits
from .http.server.server import Server
from .routing.keys import Keys
from .serving.admin import Admin
from .serving.admission import Admission
from .serving.dispatch import Dispatch
from .serving.engine_catalog import EngineCatalog
from .serving.gauges import Gauges
from .serving.inference import Inference
from .serving.pages import Pages, Phase
from .serving.request_bodies import RequestBodies
from .serving.silent_engines import SilentEngines
from .settings import EVERYWHERE, Listen, Settings
from .stopping import Stop
from .telemetry.access_log import AccessLog
from .telemetry.events import Events
from .telemetry.log_writer import LogWriter
from .telemetry.metrics import Metrics

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A gateway that accepts connections."""

    listening: tuple[Listen, ...]
    """The real addresses, in the order of the settings."""
    directory: Directory
    admission: Admission
    phase: Phase
    server: Server
    limits: Limits
    bounds: Bounds


@asynccontextmanager
async def gateway(
    settings: Settings,
    access: AccessLog,
    log: LogWriter | None = None,
    *,
    stop: Stop | None = None,
    profiles: Profiles = PROFILES,
) -> AsyncIterator[Running]:
    """Run a gateway for the length of the block; leaving it closes the ports and waits for running answers.

    `log` writes the log's lines, if they can be lost. Answers are waited for until `stop` is hurried. `profiles`: the
    kinds of engines that there may be.
    """
    key = None if settings.engine_key_file is None else key_file.read(settings.engine_key_file)
    keyed = frozenset(one.name for one in profiles if one.takes_a_key)
    directory = Directory(keys=Keys(key, keyed))
    admission = Admission(directory, profiles)
    phase = Phase()
    limits = _limits(settings)
    if log is not None:
        log.when_lost = partial(limits.reached, Limit.LOG_LINES)
    bodies = RequestBodies(limits)
    bounds = Bounds(
        line_bytes=limits.max_engine_line_bytes,
        answer_bytes=limits.max_engine_answer_bytes,
        on_line=partial(limits.reached, Limit.ENGINE_LINE_BYTES),
        on_answer=partial(limits.reached, Limit.ENGINE_ANSWER_BYTES),
    )
    metrics = Metrics(Gauges(directory, admission.in_flight).now, limits.counts)
    events = Events((metrics, access))
    pages = Pages(directory, admission, phase, metrics)
    upstream = ConnectionPool(
        connect_timeout=settings.connect_timeout, read_timeout=settings.read_timeout, limits=limits
    )
    # Probes have connections of their own: theirs say nothing about those that answers travel on.
    probing = ConnectionPool(connect_timeout=PROBE_TIMEOUT, read_timeout=PROBE_TIMEOUT)
    dispatch = Dispatch(
        directory=directory,
        inference=Inference(directory, admission, upstream, events, profiles, bounds, bodies),
        administration=Admin(directory, upstream, settings.open_admin, profiles),
        pages=pages,
        events=events,
        profiles=profiles,
        host_policy=HostPolicy(
            origins=settings.origins,
            loopback=cors.are_loopback(listen.host for listen in settings.listen),
            hostname=socket.gethostname(),
        ),
        bodies=bodies,
        engine_catalog=EngineCatalog(probing, profiles),
    )
    async with asyncio.TaskGroup() as group:
        source = _source(settings, directory, profiles)
        prober = Prober(directory, probing, profiles, everything=settings.routes_file is not None)
        hangs = SilentEngines(directory, admission, upstream, prober)
        tasks = [
            group.create_task(source.run(), name="source"),
            group.create_task(prober.run(), name="prober"),
            group.create_task(hangs.run(), name="hangs"),
        ]
        if settings.engine_key_file is not None and key is not None:
            following = key_file.follow(settings.engine_key_file, key, directory, keyed)
            tasks.append(group.create_task(following, name="engine key"))
        server = Server(dispatch, group, limits)
        try:
            listening = [await _open(server, listen) for listen in settings.listen]
            yield Running(
                listening=tuple(listening),
                directory=directory,
                admission=admission,
                phase=phase,
                server=server,
                limits=limits,
                bounds=bounds,
            )
        finally:
            await _closed(server, settings.shutdown_timeout, stop or Stop())
            bodies.close()
            access.flush()
            for task in tasks:
                task.cancel()
            await upstream.close()
            await probing.close()


async def serve(
    settings: Settings,
    access: AccessLog,
    stop: Stop,
    announce: Callable[[Running], None],
    log: LogWriter | None = None,
) -> None:
    """Run until `stop` is asked for, then drain and end. Asking is the signal handlers' business."""
    async with gateway(settings, access, log, stop=stop) as running:
        announce(running)
        await stop.asked.wait()
        running.phase.draining = True
        running.server.drain()
        _log.info("Draining", extra={"seconds": settings.drain_delay, "in_flight": running.admission.in_flight.running})
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(settings.drain_delay):
                await stop.hurried.wait()


async def _closed(server: Server, timeout: float, stop: Stop) -> None:
    """Close the ports, and give running answers so many seconds, or until there is a hurry."""
    async with asyncio.TaskGroup() as group:
        hurrying = group.create_task(_hurried(server, stop), name="hurry")
        await server.close(timeout)
        hurrying.cancel()


async def _hurried(server: Server, stop: Stop) -> None:
    await stop.hurried.wait()
    server.hurry()


def _limits(settings: Settings) -> Limits:
    most = descriptors.for_callers(settings.max_connections, found := descriptors.raised())
    if most < settings.max_connections:
        facts = {"max_connections": settings.max_connections, "descriptors": found, "connections": most}
        _log.warning(
            "Fewer callers may connect than were allowed: the process may have too few files open", extra=facts
        )
    return Limits(
        max_connections=most,
        head_timeout=settings.head_timeout,
        max_body_bytes=settings.max_body_bytes,
        body_timeout=settings.body_timeout,
        min_body_rate=settings.min_body_rate,
        max_bodies_bytes=settings.max_bodies_bytes,
        max_body_values=settings.max_body_values,
        write_timeout=settings.write_timeout,
        max_engine_line_bytes=settings.max_engine_line_bytes,
        max_engine_answer_bytes=settings.max_engine_answer_bytes,
        max_log_lines=settings.max_log_lines,
    )


def _source(settings: Settings, directory: Directory, profiles: Profiles) -> Source:
    if settings.routes_file is not None:
        return FileSource(settings.routes_file, directory, profiles.names)
    return ClusterSource(directory, profiles.names, access=lambda: _access(settings), namespaces=settings.namespaces)


def _access(settings: Settings) -> Access:
    """A kubeconfig that was named, else the pod's service account, else what kubectl would use."""
    if settings.kubeconfig is None and settings.api_server is not None:
        return access_to.in_cluster(*settings.api_server)
    named = (settings.kubeconfig,) if settings.kubeconfig is not None else settings.default_kubeconfigs
    return access_to.from_kubeconfig(named)


async def _open(server: Server, listen: Listen) -> Listen:
    bound = _bound(listen)
    await server.listen(bound)
    host, port = bound.getsockname()[:2]
    return Listen(host, port)


def _bound(listen: Listen) -> socket.socket:
    """A socket. All addresses, `::`, are those of both families, and IPv4's alone on a machine without IPv6."""
    if listen.host == EVERYWHERE and not socket.has_dualstack_ipv6():
        listen = Listen("0.0.0.0", listen.port)  # noqa: S104
    family = socket.AF_INET6 if ":" in listen.host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if listen.host == EVERYWHERE:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        made.bind(listen)
    except OSError as error:
        made.close()
        raise OSError(error.errno, f"could not listen on {listen}: {error.strerror}") from error
    made.setblocking(False)
    return made
