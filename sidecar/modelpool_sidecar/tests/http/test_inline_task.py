"""Coroutines that run where their events arrive: when they go on, what they may wait for, how they are stopped."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest

from modelpool_sidecar.http.inline_task import InlineTask, Waker, in_task


class Stage:
    """An errand that is begun and rung for from the event loop, as by a socket, and what became of it."""

    def __init__(self, group: asyncio.TaskGroup) -> None:
        self.loop = asyncio.get_running_loop()
        self.errand = InlineTask(group)
        self.bell = Waker(self.loop)
        self.seen: list[str] = []
        self.ended = asyncio.Event()

    async def begin(self, run: Coroutine[Any, None, None]) -> bool:
        over: bool = await self.called(lambda: self.errand.begin(run, self.ended.set))
        return over

    async def called(self, act: Any) -> Any:
        """Do something in no task."""
        result = self.loop.create_future()
        self.loop.call_soon(lambda: result.set_result(act()))
        return await result

    def rung(self) -> list[str]:
        """What has been seen when the bell has stopped ringing."""
        self.bell.wake()
        return list(self.seen)

    async def work(self, *steps: str) -> None:
        try:
            for step in steps:
                self.seen.append(step)
                match step:
                    case "bell":
                        await self.bell
                    case "task":
                        await in_task()
                    case "sleep":
                        await asyncio.sleep(0)
                    case "long":
                        await asyncio.Event().wait()
                    case "fails":
                        raise LookupError("fails")
                    case _:
                        pass
        except asyncio.CancelledError:
            self.seen.append("cancelled")
            raise
        finally:
            self.seen.append("end")


@asynccontextmanager
async def stage() -> AsyncIterator[Stage]:
    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        yield Stage(group)


async def test_what_waits_for_nothing_is_over_at_once() -> None:
    async with stage() as here:
        assert await here.begin(here.work("a", "b"))
        assert here.seen == ["a", "b", "end"]
        assert not here.ended.is_set()


async def test_it_goes_on_while_the_bell_rings() -> None:
    async with stage() as here:
        assert not await here.begin(here.work("bell", "bell", "c"))
        assert await here.called(here.rung) == ["bell", "bell"]
        assert await here.called(here.rung) == ["bell", "bell", "c", "end"]
        assert here.ended.is_set()


async def test_a_task_waits_for_the_same_bell() -> None:
    async with asyncio.TaskGroup() as group:
        here = Stage(group)
        task = group.create_task(here.work("bell", "b"), name="waits")
        await asyncio.sleep(0)
        here.bell.wake()
        here.bell.wake()  # nobody waits any more
        await task
        assert here.seen == ["bell", "b", "end"]


@pytest.mark.parametrize("steps", [("task", "sleep", "b"), ("bell", "task", "bell", "sleep"), ("task", "task")])
async def test_it_goes_on_in_a_task_when_it_asks_for_one(steps: tuple[str, ...]) -> None:
    async with stage() as here:
        assert not await here.begin(here.work(*steps))
        while not here.ended.is_set():
            await here.called(here.rung)
        assert here.seen == [*steps, "end"]
        assert await here.begin(here.work("again"))


async def test_without_a_task_a_future_cannot_be_waited_for() -> None:
    async with stage() as here:
        assert await here.begin(here.work("sleep", "never"))
        assert here.seen == ["sleep", "end"]
        assert isinstance(here.errand.fault, RuntimeError)


@pytest.mark.parametrize("before", [(), ("bell",), ("task",)])
async def test_a_fault_is_kept(before: tuple[str, ...]) -> None:
    async with stage() as here:
        over = await here.begin(here.work(*before, "fails"))
        while not over and not here.ended.is_set():
            await here.called(here.bell.wake)
        assert isinstance(here.errand.fault, LookupError)
        assert await here.begin(here.work("again"))
        assert here.errand.fault is None


@pytest.mark.parametrize("turns", [0, 1, 5])
@pytest.mark.parametrize("steps", [("bell",), ("task", "long")])
async def test_it_is_cancelled_whatever_it_waits_for(steps: tuple[str, ...], turns: int) -> None:
    async with stage() as here:

        def begin_and_perhaps_cancel() -> None:
            assert not here.errand.begin(here.work(*steps), here.ended.set)
            if not turns:
                here.errand.cancel()

        await here.called(begin_and_perhaps_cancel)
        for _ in range(turns):
            await asyncio.sleep(0)
        await here.called(here.errand.cancel)
        await here.ended.wait()
        assert here.seen[-2:] == ["cancelled", "end"]
        assert here.errand.fault is None
        here.bell.wake()
        here.errand.cancel()


async def test_a_group_that_is_over_cancels_what_asks_for_a_task() -> None:
    seen: list[str] = []
    with pytest.raises(ExceptionGroup):
        async with asyncio.TaskGroup() as group:
            here = Stage(group)
            seen = here.seen
            assert not await here.begin(here.work("bell", "task", "never"))

            async def fails() -> None:
                raise LookupError

            group.create_task(fails(), name="fails")
            here.loop.call_soon(lambda: here.loop.call_soon(here.bell.wake))
            await asyncio.sleep(30)
    assert seen == ["bell", "task", "cancelled", "end"]
