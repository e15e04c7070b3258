"""What a worker makes of a pass, and how every pool comes into the queue."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable

import pytest

from modelpool_operator.api import parsing
from modelpool_operator.api.names import ObjectRef
from modelpool_operator.api.pool import ModelPool
from modelpool_operator.cluster import errors
from modelpool_operator.cluster.client import Client, Object
from modelpool_operator.handlers import workers
from modelpool_operator.handlers.memo import Changes
from modelpool_operator.handlers.model_names import ModelNames
from modelpool_operator.handlers.readiness import Readiness
from modelpool_operator.handlers.results import Outcome, Result
from modelpool_operator.handlers.workqueue import WorkQueue
from modelpool_operator.telemetry.metrics import Metrics
from modelpool_operator.tests.cluster import api_server

A, B = ObjectRef("llm", "a"), ObjectRef("llm", "b")
POOLS = "/apis/modelpool.dev/v1alpha1/namespaces/llm/modelpools"


class Clock:
    """Seconds that a test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


class Script:
    """A reconciler that answers as told, one answer per pass."""

    def __init__(self, *answers: Result | Exception) -> None:
        self._answers = list(answers)
        self.passes: list[ObjectRef] = []
        self.owes: frozenset[ObjectRef] = frozenset()
        self.done = asyncio.Event()

    def owed(self, ref: ObjectRef) -> frozenset[ObjectRef]:
        return self.owes

    async def reconcile(self, ref: ObjectRef) -> Result:
        self.passes.append(ref)
        answer = self._answers.pop(0)
        if not self._answers:
            self.done.set()
        if isinstance(answer, Exception):
            raise answer
        return answer


async def play(script: Script, queue: WorkQueue, readiness: Readiness | None = None) -> Metrics:
    """Let a worker carry the script out to its end."""
    metrics = Metrics(queue_depth=lambda: 0, pools=lambda: 0)
    async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
        work = workers.work(queue, script, metrics, readiness or Readiness(), clock=Clock())  # type: ignore[arg-type]
        worker = tasks.create_task(work)
        await script.done.wait()
        await asyncio.sleep(0)
        worker.cancel()
    return metrics


def outcome(metrics: Metrics, name: str) -> float | None:
    return metrics.registry.get_sample_value("modelpool_operator_reconciles_total", {"outcome": name})


async def test_a_pass_that_went_well_is_over() -> None:
    queue = WorkQueue(clock=Clock(), random=lambda: 0)
    queue.add(A)
    assert outcome(await play(Script(Result(outcome=Outcome.PLANNED)), queue), "planned") == 1
    assert len(queue) == 0


async def test_a_pool_that_wants_another_look_gets_it() -> None:
    clock = Clock()
    queue = WorkQueue(clock=clock, random=lambda: 0)
    queue.add(A)
    await play(Script(Result(outcome=Outcome.PLANNED, again=5)), queue)
    assert len(queue) == 1
    clock.now = 5
    assert await queue.get() == A


async def test_a_pool_that_is_gone_before_the_watch_could_show_it_is_not_waited_for() -> None:
    readiness, queue = Readiness(), WorkQueue(clock=Clock(), random=lambda: 0)
    readiness.listed([A])
    queue.add(A)
    await play(Script(Result(outcome=Outcome.GONE)), queue, readiness)
    assert readiness.problem() is None


async def test_other_pools_concerned_are_woken() -> None:
    queue = WorkQueue(clock=Clock(), random=lambda: 0)
    queue.add(A)
    script = Script(Result(outcome=Outcome.GONE, concerned=frozenset({B})), Result(outcome=Outcome.PLANNED))
    await play(script, queue)
    assert script.passes == [A, B]


async def test_other_pools_concerned_are_woken_although_the_pass_raised() -> None:
    for error in (errors.UnreachableError("no"), KeyError("a bug")):
        queue = WorkQueue(clock=Clock(), random=lambda: 0)
        queue.add(A)
        script = Script(error, Result(outcome=Outcome.PLANNED))
        script.owes = frozenset({B})
        await play(script, queue)
        assert script.passes == [A, B]


@pytest.mark.parametrize(
    ("error", "level"),
    [(errors.UnreachableError("Could not list pods: no"), logging.WARNING), (KeyError("a bug"), logging.ERROR)],
)
async def test_a_pass_that_failed_comes_again_later(
    error: Exception, level: int, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    queue = WorkQueue(clock=clock, random=lambda: 0)
    queue.add(A)
    assert outcome(await play(Script(error), queue), "failed") == 1
    assert len(queue) == 1
    assert [(record.levelno, record.exc_info is not None) for record in caplog.records] == [
        (level, level == logging.ERROR)
    ]
    clock.now = 60
    assert await queue.get() == A


async def test_a_pool_whose_pass_fails_holds_up_no_other() -> None:
    """One worker, so that whatever a pass raises is raised where the next pool waits."""
    queue = WorkQueue(clock=Clock(), random=lambda: 0)
    queue.add(A)
    queue.add(B)
    script = Script(RecursionError(), Result(outcome=Outcome.PLANNED))
    metrics = await play(script, queue)
    assert script.passes == [A, B]
    assert (outcome(metrics, "failed"), outcome(metrics, "planned")) == (1, 1)


Start = Callable[..., workers.Resync]


@pytest.fixture
async def server() -> AsyncIterator[api_server.ApiServer]:
    async with api_server.running() as running:
        yield running


@pytest.fixture
async def client(server: api_server.ApiServer) -> AsyncIterator[Client]:
    async with api_server.client_of(server, Metrics(queue_depth=lambda: 0, pools=lambda: 0)) as connected:
        yield connected


def put_pool(server: api_server.ApiServer, name: str, model: str = "m") -> None:
    spec = {"models": [{"name": model, "engine": "ollama"}]}
    server.put(POOLS, metadata={"name": name, "creationTimestamp": "2026-11-22T10:00:00Z"}, spec=spec)


async def test_at_the_start_every_pool_is_queued_and_every_claim_known(
    server: api_server.ApiServer, client: Client
) -> None:
    put_pool(server, "a")
    put_pool(server, "b")
    server.put(POOLS, metadata={"name": "invalid"}, spec={})
    queue, claims, readiness = WorkQueue(clock=Clock(), random=lambda: 0), ModelNames(), Readiness()
    resync = workers.Resync(client, queue, claims, readiness, Changes(), namespaces=["llm"], every=600)
    assert len(await resync.start()) == 3
    assert len(queue) == 3
    assert claims.lost_by(B) == {"m": A}
    assert readiness.problem() == "3 ModelPools have not come by on the watch"


async def test_a_pool_that_nobody_can_read_ends_no_operator(
    server: api_server.ApiServer, client: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    put_pool(server, "a")
    put_pool(server, "b")
    read = parsing.from_body

    def stumbling(body: Object) -> ModelPool:
        if body["metadata"]["name"] == "a":
            raise ArithmeticError("no such number")
        return read(body)

    monkeypatch.setattr(parsing, "from_body", stumbling)
    queue, claims, readiness = WorkQueue(clock=Clock(), random=lambda: 0), ModelNames(), Readiness()
    resync = workers.Resync(client, queue, claims, readiness, Changes(), namespaces=["llm"], every=600)
    assert await resync.start() == [A, B]
    assert len(queue) == 2
    assert [pool.ref for pool in resync.noted] == [B]
    assert [record.levelname for record in caplog.records if record.exc_info] == ["ERROR"]


async def test_a_pool_that_the_watch_does_not_show_is_looked_at_until_it_is_known_to_be_gone(
    server: api_server.ApiServer, client: Client
) -> None:
    """It is there when its first pass looks, and deleted before the watch begins: nothing else tells of its end."""
    put_pool(server, "a")
    loop, readiness = asyncio.get_running_loop(), Readiness()
    queue = WorkQueue(clock=loop.time, random=lambda: 0, spacing=0)
    resync = workers.Resync(client, queue, ModelNames(), readiness, Changes(), namespaces=["llm"], every=0.02)
    pools = await resync.start()
    assert await queue.get() == A
    queue.succeeded(A)
    async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
        running = tasks.create_task(resync.run(pools))
        assert await queue.get() == A
        readiness.seen(A)
        assert readiness.problem() is None
        running.cancel()


async def test_every_pool_comes_again_and_again(server: api_server.ApiServer, client: Client) -> None:
    put_pool(server, "a")
    loop = asyncio.get_running_loop()
    queue = WorkQueue(clock=loop.time, random=lambda: 0, spacing=0)
    resync = workers.Resync(client, queue, ModelNames(), Readiness(), Changes(), namespaces=["llm"], every=0.02)
    pools = await resync.start()
    async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
        running = tasks.create_task(resync.run(pools))
        put_pool(server, "b")  # Nothing wakes it: only the next round finds it.
        seen: list[ObjectRef] = []
        while seen.count(A) < 3 or seen.count(B) < 2:
            seen.append(await queue.get())
            queue.succeeded(seen[-1])
        running.cancel()


async def test_an_api_server_that_is_late_is_waited_for(
    server: api_server.ApiServer, client: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    put_pool(server, "a")
    server.refuse("GET", POOLS, 403, "not yet granted")
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            server.refusals.clear()

    monkeypatch.setattr(asyncio, "sleep", sleep)
    queue = WorkQueue(clock=Clock(), random=lambda: 0)
    resync = workers.Resync(client, queue, ModelNames(), Readiness(), Changes(), namespaces=["llm"], every=600)
    assert await resync.start() == [A]
    assert waits == [0.25, 0.5, 1.0]
    assert "Could not list the ModelPools" in caplog.text


async def test_one_of_several_namespaces_that_stays_denied_holds_up_no_other(
    server: api_server.ApiServer, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_pool(server, "a")
    server.refuse("GET", POOLS.replace("/llm/", "/team/"), 403, "its role went with it")

    async def sleep(_: float) -> None:
        return None

    monkeypatch.setattr(asyncio, "sleep", sleep)
    queue = WorkQueue(clock=Clock(), random=lambda: 0)
    resync = workers.Resync(client, queue, ModelNames(), Readiness(), Changes(), namespaces=["llm", "team"], every=600)
    async with asyncio.timeout(10):
        assert await resync.start() == [A]
    queue.succeeded(await queue.get())
    resync.wake("team")
    assert len(queue) == 0
    resync.wake("llm")
    assert len(queue) == 1


async def test_a_pass_that_hangs_holds_up_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """One worker, which goes on after its patience, and at some number of hanging passes waits for one to end."""
    monkeypatch.setattr(workers, "PATIENCE", 0.01)
    monkeypatch.setattr(workers, "LONG_PASSES", 2)
    hangs, others = asyncio.Event(), asyncio.Event()
    began: list[ObjectRef] = []

    class Hanging:
        async def reconcile(self, ref: ObjectRef) -> Result:
            began.append(ref)
            if ref == ObjectRef("llm", "c"):
                others.set()
            await hangs.wait()
            return Result(outcome=Outcome.PLANNED)

    queue = WorkQueue(clock=Clock(), random=lambda: 0)
    pools = [ObjectRef("llm", name) for name in "abc"]
    for ref in pools:
        queue.add(ref)
    metrics = Metrics(queue_depth=lambda: 0, pools=lambda: 0)
    async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
        worker = tasks.create_task(workers.work(queue, Hanging(), metrics, Readiness(), clock=Clock()))  # type: ignore[arg-type]
        while began != pools[:2]:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        assert began == pools[:2], "as many as may hang"
        hangs.set()
        await others.wait()
        worker.cancel()
    assert began == pools
