"""Requests without tasks: a coroutine is run from where its events arrive, and in a task only once it asks for one.

A task waits for two turns of the event loop with each request: one until it begins, one after the engine's answer is
here. An `Errand` begins its coroutine in the moment of the request, and goes on with it in the moment in which the
`Bell` rings that it waits for. Nothing else can be waited for in this way: `in_task` first, for whatever needs the
means of asyncio (a timeout, a future, a connection to be made). The coroutine need not know how it is run.
"""

import asyncio
from collections.abc import Callable, Coroutine, Generator
from types import coroutine
from typing import Any, Final, Protocol

_IN_TASK: Final = object()


class _Sleeper(Protocol):
    def go_on(self) -> None: ...


class Bell:
    """One waits until it rings: a task, which then has its turn, or an errand, which goes on before `ring` returns."""

    __slots__ = ("_loop", "sleeper")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.sleeper: _Sleeper | None = None
        """Who goes on at the next ring."""

    def __await__(self) -> Generator[Any, None, None]:
        """Wait for the next ring. What it means is for the waiting one to look at."""
        try:
            if asyncio.current_task(self._loop) is None:
                yield self
            else:
                self.sleeper = waiting = _Waiting(self._loop)
                yield from waiting.rung
        finally:
            self.sleeper = None

    def ring(self) -> None:
        """Wake who waits, if somebody does."""
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


class Errand:
    """Runs one coroutine after another. Each must see to its own exceptions, as a task of a TaskGroup must."""

    __slots__ = ("_ended", "_group", "_run", "_task")

    def __init__(self, group: asyncio.TaskGroup) -> None:
        """`group` owns the tasks."""
        self._group = group
        self._ended: Callable[[], None] | None = None
        self._run: Coroutine[Any, None, None] | None = None
        self._task: asyncio.Task[None] | None = None

    def begin(self, run: Coroutine[Any, None, None], ended: Callable[[], None]) -> bool:
        """Run as far as possible without waiting. Returns whether that was all; `ended` is called if not, at the end.

        The one before must have ended.
        """
        self._run = run
        if self._moved(run.send):
            return True
        self._ended = ended
        return False

    def cancel(self) -> None:
        """As a task is cancelled: at once if it waits for a bell."""
        if self._task is not None:
            self._task.cancel()
        elif self._run is not None and self._moved(self._run.throw, asyncio.CancelledError()):
            self._end()

    def go_on(self) -> None:
        """The bell has rung."""
        if self._run is not None and self._moved(self._run.send):
            self._end()

    def _moved(self, move: Callable[[Any], object], told: object = None) -> bool:
        """Run to the next wait. Returns whether it came to the end."""
        try:
            wanted = move(told)
        except (StopIteration, asyncio.CancelledError):
            self._run = None
            return True
        if type(wanted) is Bell:
            wanted.sleeper = self
            return False
        assert self._run is not None
        fault: BaseException = RuntimeError(f"an errand cannot wait for {wanted!r}")
        if wanted is _IN_TASK:
            try:
                self._task = self._group.create_task(self._run, name="request")
            except RuntimeError:  # the group has been cancelled
                fault = asyncio.CancelledError()
            else:
                self._task.add_done_callback(self._over)
                self._run = None
                return False
        return self._moved(self._run.throw, fault)

    def _over(self, _: "asyncio.Task[None]") -> None:
        self._task = None
        self._end()

    def _end(self) -> None:
        ended, self._ended = self._ended, None
        if ended is not None:
            ended()
