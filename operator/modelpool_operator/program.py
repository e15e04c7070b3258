"""The program put together: what is opened, which tasks run, who ends whom."""

import asyncio
import contextlib
import functools
import logging
import random
import socket
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

import aiohttp
import kopf
from kubernetes.aio.client import Configuration

from modelpool_operator.api import names
from modelpool_operator.api.names import ObjectRef
from modelpool_operator.api.status import GatewayStatus
from modelpool_operator.cluster import connecting
from modelpool_operator.cluster.client import Client
from modelpool_operator.cluster.gateways import Gateways
from modelpool_operator.cluster.leases import Seat
from modelpool_operator.cluster.mirror import Mirror
from modelpool_operator.cluster.recorder import Recorder
from modelpool_operator.cluster.reflector import following
from modelpool_operator.cluster.seats import Elsewhere, fence_of, holding, problem_of
from modelpool_operator.cluster.surroundings import Surroundings
from modelpool_operator.handlers import lifecycle, watches, workers
from modelpool_operator.handlers.card_holdings import CardHoldings
from modelpool_operator.handlers.engine_keys import EngineKeys
from modelpool_operator.handlers.memo import Changes, Memo
from modelpool_operator.handlers.model_names import ModelNames
from modelpool_operator.handlers.readiness import Readiness
from modelpool_operator.handlers.reconcile import Reconciler
from modelpool_operator.handlers.scaling import Scaling, poll
from modelpool_operator.handlers.workqueue import WorkQueue
from modelpool_operator.settings import SecretRef, Settings
from modelpool_operator.telemetry import serving
from modelpool_operator.telemetry.metrics import Metrics

logger = logging.getLogger(__name__)

GATEWAY_PORT: Final = 8100


async def run(settings: Settings) -> None:
    """Run the operator until SIGTERM or SIGINT.

    Raises:
        kubernetes.aio.config.ConfigException: there are no credentials.
    """
    await connecting.configuration(settings.kubeconfig)  # Fails at once and in plain words when there are none.
    readiness, model_names = Readiness(), ModelNames()
    queue = WorkQueue(clock=time.monotonic, random=random.random)
    metrics = Metrics(queue_depth=lambda: len(queue), pools=lambda: len(model_names))

    async def log_in() -> kopf.ConnectionInfo:
        return connection(await connecting.configuration(settings.kubeconfig))

    memo = Memo(
        queue=queue,
        readiness=readiness,
        changes=Changes(),
        log_in=log_in,
        started=asyncio.Event(),
        stop=asyncio.Event(),
        stopped=asyncio.Event(),
    )
    async with asyncio.TaskGroup() as tasks:
        parts = tasks.create_task(_serve(settings, memo, model_names, metrics), name="parts")
        try:
            # kopf leaves tasks alone that were there before it.
            await asyncio.sleep(0)
            await kopf.operator(
                registry=watches.REGISTRY,
                memo=memo,
                standalone=True,
                # kopf would ask the system for the user's name, and the user of a container has none.
                identity=socket.gethostname(),  # type: ignore[arg-type]
                clusterwide=not settings.namespaces,
                namespaces=settings.namespaces,
            )
        finally:
            parts.cancel()


async def _serve(settings: Settings, memo: Memo, model_names: ModelNames, metrics: Metrics) -> None:
    """Run the servers and the workers until kopf says stop."""
    try:
        async with contextlib.AsyncExitStack() as stack:
            configuration = await connecting.configuration(settings.kubeconfig)
            api = await stack.enter_async_context(connecting.connected(configuration, metrics))
            seats = _seats(settings, api)
            health = serving.health(alive=lambda: None, ready=lambda: problem_of(seats) or memo.readiness.problem())
            for app, address, what in (
                (health, settings.health_address, "health"),
                (serving.metrics(metrics.registry), settings.metrics_address, "metrics"),
            ):
                await stack.enter_async_context(serving.serving(app, host=address.host, port=address.port, what=what))
            api.fence = fence_of(seats)
            await stack.enter_async_context(holding(seats))
            recorder = Recorder(api, now=_now, reporter=socket.gethostname())
            scaling = Scaling(gateway_service_of(settings), clock=time.monotonic)
            asking = await stack.enter_async_context(aiohttp.ClientSession(trust_env=False))
            gateways = Gateways(api, asking, urls=settings.gateway_urls, clock=time.monotonic)
            mirror = Mirror(settings.namespaces or (None,))
            surroundings = Surroundings(settings.namespaces)
            card_holdings = CardHoldings(surroundings)
            release_key = _ref(settings.engine_key_secret)
            keys = await EngineKeys.begin(api, release_key, memo.readiness)
            reconciler = Reconciler(
                api,
                mirror,
                recorder,
                model_names,
                card_holdings,
                now=_now,
                clock=time.monotonic,
                gateway=gateway_of(settings),
                scaling=scaling,
                keys=keys,
                gateways_in=gateways_in(settings),
                elsewhere=Elsewhere(api, own=seats, clock=time.monotonic).holder,
                on_status=memo.changes.told,
            )
            resync = workers.Resync(
                api,
                memo.queue,
                model_names,
                memo.readiness,
                memo.changes,
                namespaces=settings.namespaces,
                every=settings.resync_seconds,
            )
            for seat in seats:
                seat.taken = functools.partial(resync.wake, seat.ref.namespace)
            pools = await resync.start()
            await stack.enter_async_context(following(api, mirror, memo.queue.add))
            await stack.enter_async_context(following(api, surroundings, waking(memo.queue, card_holdings)))
            reconciler.unplanned.expect(pools, resync.noted)
            resync.noted.clear()
            async with asyncio.TaskGroup() as tasks:
                running = [
                    tasks.create_task(
                        workers.work(memo.queue, reconciler, metrics, memo.readiness, clock=time.monotonic),
                        name=f"worker {number}",
                    )
                    for number in range(settings.workers)
                ]
                running.append(tasks.create_task(resync.run(pools), name="resync"))
                running.append(tasks.create_task(poll(scaling, gateways, memo.queue), name="demand"))
                running.append(
                    tasks.create_task(keys.follow(release_key, resync.wake, memo.readiness), name="release key")
                )
                memo.started.set()
                await memo.stop.wait()
                for task in running:
                    task.cancel()
    finally:
        memo.stopped.set()


def _seats(settings: Settings, api: Client) -> list[Seat]:
    """Return the Leases that are to be held: of each namespace that is served, or the one for all of them."""
    identity = f"{socket.gethostname()}_{uuid.uuid4()}"
    return [
        Seat(client=api, ref=ObjectRef(namespace, names.LEASE), identity=identity, clock=time.monotonic, now=_now)
        for namespace in sorted(settings.namespaces or (settings.lease_namespace,))
    ]


def _ref(secret: SecretRef | None) -> ObjectRef | None:
    return None if secret is None else ObjectRef(*secret)


def waking(queue: WorkQueue, card_holdings: CardHoldings) -> Callable[[ObjectRef], None]:
    """Return what a change on a node wakes: the pools to whom it makes a difference."""

    def wake(node: ObjectRef) -> None:
        for ref in card_holdings.around(node.name):
            queue.add(ref)

    return wake


def _now() -> datetime:
    return datetime.now(tz=UTC)


def gateway_of(settings: Settings) -> Callable[[ObjectRef], GatewayStatus | None]:
    """Return how a pool's clients reach the gateway, as its status tells them."""

    def gateway(pool: ObjectRef) -> GatewayStatus | None:
        if settings.gateway_service is None:
            return None
        host = f"{settings.gateway_service}.{settings.gateway_namespace or pool.namespace}.svc"
        url = f"http://{host}:{GATEWAY_PORT}"
        return GatewayStatus(openai=f"{url}/v1", ollama=url)

    return gateway


def gateways_in(settings: Settings) -> Callable[[ObjectRef], str | None]:
    """Return in which namespace a pool's gateways are, or None where the operator was told of none."""

    def namespace(pool: ObjectRef) -> str | None:
        return None if settings.gateway_service is None else settings.gateway_namespace or pool.namespace

    return namespace


def gateway_service_of(settings: Settings) -> Callable[[ObjectRef], ObjectRef | None]:
    """Return whom to ask what is asked of a pool's models: the Service of its gateways, or None."""

    def service(pool: ObjectRef) -> ObjectRef | None:
        if settings.gateway_urls:
            return ObjectRef("", "as told")  # One group, wherever the pool is.
        if settings.gateway_service is None:
            return None
        return ObjectRef(settings.gateway_namespace or pool.namespace, settings.gateway_service)

    return service


def connection(found: Configuration) -> kopf.ConnectionInfo:
    """Return for kopf what the client library found out, so that both are the same user on the same server."""
    scheme, _, token = found.api_key.get("BearerToken", "").partition(" ")
    return kopf.ConnectionInfo(
        server=found.host,
        ca_path=found.ssl_ca_cert,
        insecure=not found.verify_ssl,
        username=found.username or None,
        password=found.password or None,
        scheme=scheme or None,
        token=token.strip() or None,
        certificate_path=found.cert_file,
        private_key_path=found.key_file,
    )


__all__ = ["connection", "gateway_of", "lifecycle", "run"]
