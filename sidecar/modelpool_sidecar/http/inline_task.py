"""Requests without tasks: a coroutine is run from where its events arrive, and in a task only once it asks for one.

A task waits for two turns of the event loop with each request: one until it begins, one after the engine's answer is
here. An `InlineTask` begins its coroutine in the moment of the request, and goes on with it in the moment in which the
`Waker` is woken that it waits for. Nothing else can be waited for in this way: `in_task` first, for whatever needs the
means of asyncio (a timeout, a future, a connection to be made). The coroutine need not know how it is run.
"""

import asyncio
from collections.abc import Callable, Coroutine, Generator
from types import coroutine
from typing import Any, Final, Protocol

_IN_TASK: Final = object()
_ENDED: Final = object()


class _Sleeper(Protocol):
    def go_on(self) -> None: ...


class Waker:
    """What is waited for: by a task, which has its turn when it is woken, or by an inline task, which goes on then."""

    __slots__ = ("_loop", "sleeper")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.sleeper: _Sleeper | None = None
        """Who goes on at the next time."""

    def __await__(self) -> Generator[Any, None, None]:
        """Wait for the next time. What it means is for the waiting one to look at."""
        try:
            if asyncio.current_task(self._loop) is None:
                yield self
            else:
                self.sleeper = waiting = _Waiting(self._loop)
                yield from waiting.rung
        finally:
            self.sleeper = None

    def wake(self) -> None:
        """Wake who waits, if somebody does. In no task, or an inline task would run in it."""
        sleeper = self.sleeper
        if sleeper is not None:
            self.sleeper = None
            sleeper.go_on()


class _Waiting:
    """A task that waits."""

    __slots__ = ("rung",)

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.rung: asyncio.Future[None] = loop.create_future()

    def go_on(self) -> None:
        if not self.rung.done():
            self.rung.set_result(None)


@coroutine
def _yielded(wanted: object) -> Generator[object, None, None]:
    yield wanted


async def in_task() -> None:
    """Go on in a task, from the next turn of the event loop."""
    if asyncio.current_task() is None:
        await _yielded(_IN_TASK)


class InlineTask:
    """Runs one coroutine after another."""

    __slots__ = ("_ended", "_group", "_run", "_task", "fault")

    def __init__(self, group: asyncio.TaskGroup) -> None:
        """`group` owns the tasks."""
        self._group = group
        self._ended: Callable[[], None] | None = None
        self._run: Generator[Any, None, None] | None = None
        self._task: asyncio.Task[None] | None = None
        self.fault: Exception | None = None
        """What the coroutine raised at its end."""

    def begin(self, run: Coroutine[Any, None, None], ended: Callable[[], None]) -> bool:
        """Run as far as possible without waiting. Returns whether that was all; `ended` is called if not, at the end.

        The one before must have ended.
        """
        self._run = run.__await__()
        self.fault = None
        if self._moved():
            return True
        self._ended = ended
        return False

    @property
    def runs(self) -> bool:
        """Whether a coroutine has begun that has not ended."""
        return self._run is not None or self._task is not None

    def cancel(self) -> None:
        """As a task is cancelled: at once if it waits for a waker."""
        if self._task is not None:
            self._task.cancel()
        elif self._run is not None and self._moved(asyncio.CancelledError()):
            self._end()

    def go_on(self) -> None:
        """The waker has been woken."""
        if self._run is not None and self._moved():
            self._end()

    def _moved(self, thrown: BaseException | None = None) -> bool:
        """Run to the next wait. Returns whether it came to the end."""
        run = self._run
        assert run is not None
        try:
            # `next` and not `send`, because an end is no exception then, which would cost as much as four calls.
            wanted = next(run, _ENDED) if thrown is None else run.throw(thrown)
        except (StopIteration, asyncio.CancelledError):
            self._run = None
            return True
        except Exception as fault:
            self._run, self.fault = None, fault
            return True
        if wanted is _ENDED:
            self._run = None
            return True
        if type(wanted) is Waker:
            wanted.sleeper = self
            return False
        if wanted is not _IN_TASK:
            return self._moved(RuntimeError(f"an inline task cannot wait for {wanted!r}"))
        rest = self._rest(run)
        try:
            self._task = self._group.create_task(rest, name="request")
        except RuntimeError:  # the group has been cancelled
            rest.close()
            return self._moved(asyncio.CancelledError())
        self._task.add_done_callback(self._over)
        return False

    async def _rest(self, run: Generator[Any, None, None]) -> None:
        self._run = None
        try:
            await _Begun(run)
        except Exception as fault:
            self.fault = fault

    def _over(self, _: "asyncio.Task[None]") -> None:
        self._task = None
        if self._run is None or self._moved(asyncio.CancelledError()):  # else it was cancelled before it began
            self._end()

    def _end(self) -> None:
        ended, self._ended = self._ended, None
        if ended is not None:
            ended()


class _Begun:
    """Lets a coroutine be awaited that has begun already."""

    __slots__ = ("_run",)

    def __init__(self, run: Generator[Any, None, None]) -> None:
        self._run = run

    def __await__(self) -> Generator[Any, None, None]:
        return self._run
