from dataclasses import dataclass, field

import pytest

from modelpool_sidecar.routing import choose, table, table_building
from modelpool_sidecar.routing.choose import NoTargetKind, Target, Wait
from modelpool_sidecar.routing.route_request import RouteRequest
from modelpool_sidecar.routing.table import BackendKey, RoutingTable

from .worlds import OLLAMA, VLLM, Loads, built, document, entry, model

READY = built(document())
KEY = {engine: backend.key for backend in READY.models[0].backends for engine in [backend.engine]}
TEXT_ONLY = model(
    "qwen3:8b",
    entry("vllm", VLLM),
    entry("ollama", OLLAMA, can=("completion", "vision")),
    capabilities=("completion",),
)
SLEEPER = model("qwen3:8b", entry("vllm", VLLM, starts_on_demand=True))
SLEEPER_WITH_HELP = model("qwen3:8b", entry("vllm", VLLM, starts_on_demand=True), entry("ollama", OLLAMA, room=1))


def told(decision: Target | Wait | choose.NoTarget) -> str:
    match decision:
        case Target(endpoint=endpoint, route=route, why=why):
            return f"{endpoint.url} {route.value}" + (f" {why.value}" if why else "")
        case Wait(backend=backend):
            return f"wait {backend.engine}"
        case choose.NoTarget(kind=kind):
            return kind.value


@dataclass(kw_only=True)
class Case:
    want: str
    live: RoutingTable = READY
    loads: Loads = field(default_factory=Loads)
    line: BackendKey | None = None
    wanted: RouteRequest = field(default_factory=lambda: RouteRequest(model="qwen3:8b"))


def asking(**fields: object) -> RouteRequest:
    return RouteRequest(model="qwen3:8b", **fields)  # type: ignore[arg-type]


def lately(*urls: str) -> RoutingTable:
    """A table in which these have died moments ago."""
    routes = document()
    services = [table.service_of(routes.pool, item) for item in routes.models[0].backends]
    addresses = {service: (table.Address(url=service.name, ready=True),) for service in services}
    return table_building.build([routes], addresses, {url: table.Probed(alive=False, returning=True) for url in urls})


BOTH = (VLLM, OLLAMA)
BUSY = {VLLM: 2}
ALL_BUSY = {VLLM: 2, OLLAMA: 1}
CASES = {
    "an idle engine takes it": Case(want=f"{VLLM} primary"),
    "an engine with room takes it": Case(loads=Loads({VLLM: 1}), want=f"{VLLM} primary"),
    "a busy engine is waited for, though the fallback is idle": Case(loads=Loads(BUSY), want="wait vllm"),
    "a full queue spills to the fallback": Case(loads=Loads(BUSY, queued=2), want=f"{OLLAMA} fallback queue_full"),
    "full queues everywhere refuse": Case(loads=Loads(ALL_BUSY, queued=2), want=NoTargetKind.QUEUE_FULL),
    "an unready engine is not waited for": Case(
        live=built(document(), dead=(VLLM,)), want=f"{OLLAMA} fallback unready"
    ),
    "a busy fallback is waited for": Case(
        live=built(document(), dead=(VLLM,)), loads=Loads(ALL_BUSY), want="wait ollama"
    ),
    "nothing ready refuses": Case(live=built(document(), dead=(VLLM, OLLAMA)), want=NoTargetKind.UNAVAILABLE),
    "a failed engine is not tried again": Case(
        wanted=asking(tried=frozenset({VLLM})), want=f"{OLLAMA} fallback failed"
    ),
    "all failed refuses": Case(wanted=asking(tried=frozenset({VLLM, OLLAMA})), want=NoTargetKind.UNAVAILABLE),
    "after the wait the fallback takes it": Case(
        loads=Loads(BUSY), wanted=asking(gave_up=frozenset({KEY["vllm"]})), want=f"{OLLAMA} fallback queue_timeout"
    ),
    "after the wait with all busy it is refused": Case(
        loads=Loads(ALL_BUSY), wanted=asking(gave_up=frozenset(KEY.values())), want=NoTargetKind.QUEUE_TIMEOUT
    ),
    "an unknown name is refused": Case(wanted=RouteRequest(model="nope"), want=NoTargetKind.UNKNOWN_MODEL),
    "in line, one keeps the place although the queue is full": Case(
        line=KEY["vllm"], loads=Loads(ALL_BUSY, queued=2), want="wait vllm"
    ),
    "in the fallback's line, one stays there although the first queue has room": Case(
        line=KEY["ollama"], loads=Loads(ALL_BUSY), want="wait ollama"
    ),
    "in the fallback's line, one takes its free slot": Case(
        line=KEY["ollama"], loads=Loads(BUSY), want=f"{OLLAMA} fallback queue_full"
    ),
    "in the fallback's line, one takes a free slot of the first": Case(
        line=KEY["ollama"], loads=Loads({OLLAMA: 1}), want=f"{VLLM} primary"
    ),
    "in the line of an engine that dies, one is sent away": Case(
        live=built(document(), dead=(VLLM,)),
        line=KEY["vllm"],
        loads=Loads(ALL_BUSY),
        want=NoTargetKind.QUEUE_FULL,
    ),
    "an image goes to the backend that sees": Case(
        live=built(document(TEXT_ONLY)),
        wanted=asking(needs=frozenset({"vision"})),
        want=f"{OLLAMA} fallback capability",
    ),
    "an image is refused when the backend that sees is the only hope and is dead": Case(
        live=built(document(TEXT_ONLY), dead=(OLLAMA,)),
        wanted=asking(needs=frozenset({"vision"})),
        want=NoTargetKind.UNAVAILABLE,
    ),
    "an image is refused by name when nobody sees": Case(
        live=built(document(model(capabilities=("completion",)))),
        wanted=asking(needs=frozenset({"vision"})),
        want=NoTargetKind.LACKS_CAPABILITY,
    ),
    "a call that only the fallback has goes there": Case(
        wanted=asking(engines=frozenset({"ollama"})), want=f"{OLLAMA} fallback unserved"
    ),
    "a call that no engine of the model has is refused": Case(
        wanted=asking(engines=frozenset()), want=NoTargetKind.UNSERVED
    ),
    "an engine that starts on demand is waited for": Case(
        live=built(document(SLEEPER), dead=(VLLM,)), want="wait vllm"
    ),
    "while it starts, one keeps the place although the queue is full": Case(
        live=built(document(SLEEPER), dead=(VLLM,)), line=KEY["vllm"], loads=Loads(queued=2), want="wait vllm"
    ),
    "too many that wait for its start are refused": Case(
        live=built(document(SLEEPER), dead=(VLLM,)), loads=Loads(queued=2), want=NoTargetKind.QUEUE_FULL
    ),
    "its start is not waited for twice": Case(
        live=built(document(SLEEPER), dead=(VLLM,)),
        wanted=asking(gave_up=frozenset({KEY["vllm"]})),
        want=NoTargetKind.QUEUE_TIMEOUT,
    ),
    "an engine that started on demand and failed is not waited for": Case(
        live=built(document(SLEEPER)), wanted=asking(tried=frozenset({VLLM})), want=NoTargetKind.UNAVAILABLE
    ),
    "the fallback answers while it starts": Case(
        live=built(document(SLEEPER_WITH_HELP), dead=(VLLM,)), want=f"{OLLAMA} fallback unready"
    ),
    "a busy fallback is waited for while it starts": Case(
        live=built(document(SLEEPER_WITH_HELP), dead=(VLLM,)), loads=Loads({OLLAMA: 1}), want="wait ollama"
    ),
    "without its fallback it is waited for": Case(
        live=built(document(SLEEPER_WITH_HELP), dead=(VLLM, OLLAMA)), want="wait vllm"
    ),
    "an engine that was ready moments ago is waited for, where it is the last": Case(
        live=lately(VLLM, OLLAMA), want="wait vllm"
    ),
    "and not where another is ready": Case(live=lately(VLLM), want=f"{OLLAMA} fallback unready"),
    "nor where another is busy": Case(live=lately(VLLM), loads=Loads({OLLAMA: 1}), want="wait ollama"),
    "nor by a request that broke there": Case(
        live=lately(VLLM), wanted=asking(tried=frozenset(BOTH), broke=1), want=NoTargetKind.UNAVAILABLE
    ),
    "but by one whose connection was refused": Case(
        live=lately(VLLM, OLLAMA), wanted=asking(tried=frozenset({OLLAMA}), refused=frozenset({VLLM})), want="wait vllm"
    ),
    "in its line, one keeps the place": Case(
        live=lately(VLLM, OLLAMA), line=KEY["vllm"], loads=Loads(queued=9), want="wait vllm"
    ),
    "too many that wait for it are refused": Case(
        live=lately(VLLM, OLLAMA), loads=Loads(queued=9), want=NoTargetKind.QUEUE_FULL
    ),
    "it is not waited for twice": Case(
        live=lately(VLLM, OLLAMA), wanted=asking(gave_up=frozenset(KEY.values())), want=NoTargetKind.UNAVAILABLE
    ),
    "a request whose connection was refused is put to the engine that is back": Case(
        wanted=asking(refused=frozenset({VLLM})), want=f"{VLLM} retry"
    ),
    "a request that one engine broke with is put to another": Case(
        wanted=asking(tried=frozenset({VLLM}), broke=1), want=f"{OLLAMA} fallback failed"
    ),
    "and to no third": Case(wanted=asking(tried=frozenset({VLLM}), broke=2), want=NoTargetKind.BROKE_ENGINES),
    "unknown capabilities refuse nothing": Case(wanted=asking(needs=frozenset({"vision"})), want=f"{VLLM} primary"),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_choose(case: Case) -> None:
    assert told(choose.choose(case.live, case.loads, case.wanted, line=case.line)) == case.want


def two_endpoints() -> RoutingTable:
    routes = document()
    service = table.service_of(routes.pool, routes.models[0].backends[0])
    addresses = tuple(table.Address(url=url, ready=True) for url in ("http://a:1", "http://b:1"))
    return table_building.build([routes], {service: addresses}, {})


@pytest.mark.parametrize(
    ("loads", "want"),
    [
        (Loads({"http://a:1": 1}), "http://b:1 primary"),
        (Loads({"http://b:1": 1}), "http://a:1 primary"),
        (Loads(turns={"http://a:1": 7, "http://b:1": 3}), "http://b:1 primary"),
        (Loads({"http://a:1": 2, "http://b:1": 2}), "wait vllm"),
    ],
)
def test_the_least_loaded_endpoint_takes_it_and_equals_take_turns(loads: Loads, want: str) -> None:
    assert told(choose.choose(two_endpoints(), loads, RouteRequest(model="qwen3:8b"))) == want


def test_another_endpoint_of_the_same_backend_is_a_retry() -> None:
    wanted = RouteRequest(model="qwen3:8b", tried=frozenset({"http://a:1"}))
    assert told(choose.choose(two_endpoints(), Loads(), wanted)) == "http://b:1 retry"
