"""The queue: each pool once, one worker at a time, later after failures. Time is a number here, and nobody waits."""

import asyncio

import pytest

from modelpool_operator.api.names import ObjectRef
from modelpool_operator.handlers.workqueue import Backoff, Schedule, WorkQueue

A, B, C = (ObjectRef("llm", name) for name in "abc")


def schedule(spacing: float = 0, random: float = 0) -> Schedule:
    return Schedule(spacing=spacing, backoff=Backoff(first=1, factor=2, longest=10), random=lambda: random)


def test_what_is_asked_for_twice_comes_once() -> None:
    queue = schedule()
    queue.add(A, 0)
    queue.add(A, 0)
    assert len(queue) == 1
    assert queue.take(0) == A
    assert queue.take(0) is None


def test_pools_come_in_the_order_of_their_time_then_of_asking() -> None:
    queue = schedule()
    queue.add(C, 2)
    queue.add(B, 1)
    queue.add(A, 1)
    assert [queue.take(5) for _ in range(4)] == [B, A, C, None]


def test_a_pool_is_not_given_before_its_time() -> None:
    queue = schedule()
    queue.add(A, 3)
    assert queue.take(2.9) is None
    assert queue.next_due == 3
    assert queue.take(3) == A


def test_the_earlier_of_two_times_counts() -> None:
    queue = schedule()
    queue.add(A, 60)
    queue.add(A, 1)
    queue.add(A, 30)
    assert queue.next_due == 1
    assert queue.take(1) == A
    queue.succeeded(A, 1)
    assert queue.next_due is None


def test_a_running_pool_is_given_to_nobody_else_and_comes_again_when_asked_for_meanwhile() -> None:
    queue = schedule()
    queue.add(A, 0)
    assert queue.take(0) == A
    queue.add(A, 1)
    assert queue.take(1) is None
    queue.succeeded(A, 2)
    assert queue.take(2) == A
    queue.succeeded(A, 3)
    assert queue.take(99) is None


def test_passes_over_one_pool_keep_their_distance() -> None:
    queue = schedule(spacing=0.5)
    queue.add(A, 0)
    assert queue.take(0) == A
    queue.add(A, 0.1)
    queue.succeeded(A, 1)
    assert queue.take(1.4) is None
    assert queue.take(1.5) == A


def test_failures_back_off_and_a_success_forgets_them() -> None:
    queue = schedule()
    now, delays = 0.0, []
    queue.add(A, now)
    for _ in range(6):
        assert queue.take(now) == A
        delays.append(queue.failed(A, now))
        now += delays[-1]
    assert delays == [1, 2, 4, 8, 10, 10]
    assert queue.take(now) == A
    queue.succeeded(A, now)
    queue.add(A, now)
    assert queue.take(now) == A
    assert queue.failed(A, now) == 1


def test_an_event_need_not_wait_for_the_back_off() -> None:
    queue = schedule()
    queue.add(A, 0)
    assert queue.take(0) == A
    queue.failed(A, 0)
    queue.add(A, 0.1)
    assert queue.take(0.1) == A


def test_what_was_asked_for_while_a_pass_failed_is_not_lost() -> None:
    queue = schedule()
    queue.add(A, 0)
    assert queue.take(0) == A
    queue.add(A, 0.5)
    queue.failed(A, 0.6)
    assert queue.next_due == 0.6


def test_nothing_is_kept_of_a_pool_that_is_gone() -> None:
    queue = schedule(spacing=100)
    queue.add(A, 0)
    assert queue.take(0) == A
    queue.gone(A, 0)
    assert len(queue) == 0
    queue.add(A, 1)
    assert queue.take(1) == A


@pytest.mark.parametrize(("random", "want"), [(0.0, 1.0), (0.5, 0.9), (1.0, 0.8)])
def test_jitter_only_shortens(random: float, want: float) -> None:
    assert Backoff(first=1).delay(1, random) == pytest.approx(want)


def test_very_many_failures_do_not_overflow() -> None:
    assert Backoff().delay(10_000, 0) == Backoff().longest


class Clock:
    """Time that passes when told."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_workers_wait_until_something_is_asked_for() -> None:
    queue = WorkQueue(clock=Clock(), random=lambda: 0)
    async with asyncio.TaskGroup() as tasks:
        workers = [tasks.create_task(queue.get()) for _ in range(2)]
        await asyncio.sleep(0)
        queue.add(A)
        queue.add(B)
    assert {worker.result() for worker in workers} == {A, B}


async def test_one_pool_is_never_with_two_workers() -> None:
    loop = asyncio.get_running_loop()
    queue = WorkQueue(clock=loop.time, random=lambda: 0, spacing=0)
    running: set[ObjectRef] = set()
    passes = 0

    async def work() -> None:
        nonlocal passes
        while passes < 200:
            ref = await queue.get()
            assert ref not in running
            running.add(ref)
            await asyncio.sleep(0)
            running.remove(ref)
            passes += 1
            queue.succeeded(ref)
            for other in (A, B, C):
                queue.add(other)

    queue.add(A)
    async with asyncio.TaskGroup() as tasks:
        for _ in range(4):
            tasks.create_task(work())


async def test_a_delayed_pool_wakes_a_waiting_worker_in_time() -> None:
    loop = asyncio.get_running_loop()
    queue = WorkQueue(clock=loop.time, random=lambda: 0)
    async with asyncio.TaskGroup() as tasks:
        worker = tasks.create_task(queue.get())
        await asyncio.sleep(0)
        began = loop.time()
        queue.add(B, delay=3600)
        queue.add(A, delay=0.01)
    assert worker.result() == A
    assert loop.time() - began >= 0.01


async def test_a_cancelled_worker_takes_nothing_with_it() -> None:
    queue = WorkQueue(clock=Clock(), random=lambda: 0)
    async with asyncio.TaskGroup() as tasks:
        worker = tasks.create_task(queue.get())
        await asyncio.sleep(0)
        worker.cancel()
    queue.add(A)
    assert await queue.get() == A
