"""Choosing a target: pure, so that every rule is a row in a table of cases.

The rules, for the backends of a model in order of preference:
0. a request at which two engines broke is put to no third;
1. a backend whose engine has no such call, that lacks what the request needs, or that has no ready endpoint left to
   try, is passed over;
2. a ready endpoint with room takes the request: the least loaded, and among equals the one that waited longest for
   work;
3. when all are busy, the request waits in that backend's queue, if the queue takes it and it may still wait;
4. else the next backend;
5. when none is left, a backend that starts on demand and has no ready endpoint is waited for, as a busy one is, and so
   is one with an endpoint that was ready moments ago and has not failed this request;
6. else the refusal says why.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

from .route_request import RouteRequest
from .table import Backend, BackendKey, Endpoint, Model, RoutingTable


class Route(StrEnum):
    """How the answer came about: by the first backend, by another backend, or by another endpoint of the first."""

    PRIMARY = "primary"
    FALLBACK = "fallback"
    RETRY = "retry"


class SkipReason(StrEnum):
    """Why a backend was passed over. A closed set: it labels a metric."""

    UNREADY = "unready"
    FAILED = "failed"
    QUEUE_FULL = "queue_full"
    QUEUE_TIMEOUT = "queue_timeout"
    STARTING = "starting"
    CAPABILITY = "capability"
    UNSERVED = "unserved"


class NoTargetKind(StrEnum):
    """Why a request cannot be served at all."""

    UNKNOWN_MODEL = "unknown_model"
    LACKS_CAPABILITY = "lacks_capability"
    UNSERVED = "unserved"
    UNAVAILABLE = "unavailable"
    QUEUE_FULL = "queue_full"
    QUEUE_TIMEOUT = "queue_timeout"
    BROKE_ENGINES = "broke_engines"


MOST_BREAKS: Final = 2
"""Engines that may break while they have one request: it may have been the request that broke them."""


class Loads(Protocol):
    """What choosing asks about the present."""

    def in_flight(self, url: str) -> int:
        """Requests running at an endpoint."""

    def last_turn(self, url: str) -> int:
        """A number that is higher the later an endpoint got its last request."""

    def admits(self, key: BackendKey, caller: str, bound: int) -> bool:
        """Whether one more request of this caller may wait for a backend, of which `bound` may."""


class Target:
    """Where the request goes now. Read-only, because it may be that of many requests."""

    __slots__ = (
        "authorization", "backend", "endpoint", "engine", "engine_model", "model", "name", "pool_name", "room", "route",
        "url", "why",
    )  # fmt: skip

    def __init__(
        self, *, model: Model, backend: Backend, endpoint: Endpoint, route: Route, why: SkipReason | None = None
    ) -> None:
        # What is looked at for every request comes first: the fields lie in memory in this order.
        self.url = endpoint.url
        self.room = backend.max_concurrency
        self.engine = backend.engine
        self.engine_model = backend.model
        self.authorization = backend.authorization
        self.name = model.name
        self.pool_name = model.pool_name
        self.model = model
        self.backend = backend
        self.endpoint = endpoint
        self.route = route
        self.why = why
        """Why the first backend did not take it; None on the primary route."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """The request joins this backend's queue."""

    model: Model
    backend: Backend


@dataclass(frozen=True, slots=True, kw_only=True)
class NoTarget:
    """Nobody can take it. The message is for the caller and names the model."""

    kind: NoTargetKind
    message: str
    model: Model | None = None
    lacks: tuple[str, ...] = ()
    """The capabilities that are missing, where that is the reason."""


def choose(
    table: RoutingTable, loads: Loads, wanted: RouteRequest, *, line: BackendKey | None = None
) -> Target | Wait | NoTarget:
    """Apply the rules above to one request.

    `line`: the backend in whose queue the request stands already. It keeps its place there, whatever the queue's
    length, and joins no other; a free slot anywhere is still taken.
    """
    model = table.find(wanted.model)
    if model is None:
        return unknown(wanted)
    if wanted.broke >= MOST_BREAKS:
        message = f"model '{wanted.model}': {wanted.broke} engines broke while they worked on this request"
        return NoTarget(kind=NoTargetKind.BROKE_ENGINES, message=message, model=model)
    passed: list[SkipReason] = []
    for backend in model.backends:
        if wanted.engines is not None and backend.engine not in wanted.engines:
            passed.append(SkipReason.UNSERVED)
            continue
        if backend.capabilities is not None and not wanted.needs <= backend.capabilities:
            passed.append(SkipReason.CAPABILITY)
            continue
        usable = backend.ready_endpoints
        if wanted.tried:
            usable = tuple(endpoint for endpoint in usable if endpoint.url not in wanted.tried)
        if not usable:
            passed.append(SkipReason.FAILED if _has_failed(backend, wanted) else SkipReason.UNREADY)
            continue
        endpoint = least_loaded(backend, usable, loads)
        if endpoint is not None:
            return Target(
                model=model,
                backend=backend,
                endpoint=endpoint,
                route=_route(model, backend, wanted),
                why=passed[0] if passed else None,
            )
        if backend.key in wanted.gave_up:
            passed.append(SkipReason.QUEUE_TIMEOUT)
        elif line is not None and backend.key == line:
            return Wait(model=model, backend=backend)
        elif line is not None or not loads.admits(backend.key, wanted.caller, model.queue.max_pending):
            passed.append(SkipReason.QUEUE_FULL)
        else:
            return Wait(model=model, backend=backend)
    coming = _starting(model, passed) or _returning(model, wanted, passed)
    if coming is not None:
        if coming.key in wanted.gave_up:
            passed.append(SkipReason.STARTING if coming.starts_on_demand else SkipReason.UNREADY)
        elif line == coming.key or (line is None and loads.admits(coming.key, wanted.caller, model.queue.max_pending)):
            return Wait(model=model, backend=coming)
        else:
            passed.append(SkipReason.QUEUE_FULL)
    return _refusal(model, wanted, passed)


def unknown(wanted: RouteRequest) -> NoTarget:
    """What a request is told that asks for a model which no table knows."""
    return NoTarget(kind=NoTargetKind.UNKNOWN_MODEL, message=f"model '{wanted.model}' not found")


def _has_failed(backend: Backend, wanted: RouteRequest) -> bool:
    """Whether the request has been at the backend, or was refused a connection there."""
    return any(one.url in wanted.tried or one.url in wanted.refused for one in backend.endpoints)


def _starting(model: Model, passed: list[SkipReason]) -> Backend | None:
    """The backend that comes when it is asked for, if that is why it was passed over."""
    reasons = zip(model.backends, passed, strict=True)
    return next((one for one, why in reasons if one.starts_on_demand and why is SkipReason.UNREADY), None)


def _returning(model: Model, wanted: RouteRequest, passed: list[SkipReason]) -> Backend | None:
    """The backend that may be back in a moment, if that is why it was passed over."""
    for backend, why in zip(model.backends, passed, strict=True):
        if why in (SkipReason.UNREADY, SkipReason.FAILED):
            for endpoint in backend.endpoints:
                if endpoint.returning and endpoint.url not in wanted.tried:
                    return backend
    return None


def least_loaded(backend: Backend, usable: Sequence[Endpoint], loads: Loads) -> Endpoint | None:
    """The endpoint with the fewest running requests that has room for one more."""
    if len(usable) == 1:
        return usable[0] if loads.in_flight(usable[0].url) < backend.max_concurrency else None
    with_room = [endpoint for endpoint in usable if loads.in_flight(endpoint.url) < backend.max_concurrency]
    return min(with_room, key=lambda one: (loads.in_flight(one.url), loads.last_turn(one.url)), default=None)


def _route(model: Model, backend: Backend, wanted: RouteRequest) -> Route:
    if backend is not model.backends[0]:
        return Route.FALLBACK
    return Route.RETRY if wanted.tried or wanted.refused else Route.PRIMARY


def _refusal(model: Model, wanted: RouteRequest, passed: list[SkipReason]) -> NoTarget:
    if passed and all(why is SkipReason.UNSERVED for why in passed):
        message = f"the engine that serves model '{wanted.model}' has no such call"
        return NoTarget(kind=NoTargetKind.UNSERVED, message=message, model=model)
    if passed and all(why in (SkipReason.CAPABILITY, SkipReason.UNSERVED) for why in passed):
        has = frozenset().union(
            *(
                one.capabilities or ()
                for one in model.backends
                if wanted.engines is None or one.engine in wanted.engines
            )
        )
        lacks = tuple(sorted(wanted.needs - has or wanted.needs))
        message = f"model '{wanted.model}' does not support {', '.join(lacks)}"
        return NoTarget(kind=NoTargetKind.LACKS_CAPABILITY, message=message, model=model, lacks=lacks)
    if SkipReason.STARTING in passed:
        message = f"model '{wanted.model}' is starting: waited {model.queue.timeout_seconds:g} s for its engine"
        return NoTarget(kind=NoTargetKind.QUEUE_TIMEOUT, message=message, model=model)
    if SkipReason.QUEUE_TIMEOUT in passed:
        message = f"model '{wanted.model}' is busy: waited {model.queue.timeout_seconds:g} s for a free slot"
        return NoTarget(kind=NoTargetKind.QUEUE_TIMEOUT, message=message, model=model)
    if SkipReason.QUEUE_FULL in passed:
        message = f"model '{wanted.model}' is busy: {model.queue.max_pending} requests are waiting already"
        return NoTarget(kind=NoTargetKind.QUEUE_FULL, message=message, model=model)
    message = f"model '{wanted.model}' is not ready: no engine that serves it can answer now"
    return NoTarget(kind=NoTargetKind.UNAVAILABLE, message=message, model=model)
