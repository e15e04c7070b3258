"""What a caller's connection needs of the front that it belongs to."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Protocol

from ..limits import Limits
from .body_memory import Bodies
from .pipelining import Turns
from .request import ServerRequest
from .request_parser import HeadCache
from .response_writer import Clock, ResponseWriter

if TYPE_CHECKING:
    from .connection import ServerConnection


class Application(Protocol):
    """Who answers requests."""

    async def answer(self, request: ServerRequest) -> None:
        """Answer one request. Run as an `inline_task`."""
        ...

    def refuse(self, request: ServerRequest, wrong: Exception) -> None:
        """Answer one request with the reason why it is not served, one of `http.errors`."""
        ...

    def streams_body(self, path: str) -> bool:
        """Whether a body for this path goes on as it comes, so that it is not to be gathered first."""
        ...


class KeptConnection(Protocol):
    """A connection, which is kept when nothing is asked."""

    @property
    def idle_since(self) -> float:
        """Since when nothing has been asked, as far as was looked, by the loop's clock; infinite where something is."""
        ...

    def leave(self) -> None:
        """Close it, if nothing is asked."""
        ...


class ConnectionOwner(Protocol):
    """The front, as its connections see it."""

    clock: Clock
    group: asyncio.TaskGroup
    """Owns the tasks of requests that need one."""
    heads: HeadCache
    turns: Turns
    limits: Limits
    bodies: Bodies

    answer: Callable[[ServerRequest], Coroutine[Any, None, None]]
    """Answers one request, as an `inline_task`."""
    refuse: Callable[[ServerRequest, Exception], None]
    """Answers one request with the reason why it is not served."""

    def failed(self, writer: ResponseWriter, fault: Exception) -> None:
        """End an answer whose task has ended with a fault."""
        ...

    def lend(self, due: float) -> asyncio.Protocol:
        """Make a protocol for requests that are not common. `due`: by when the head must be whole that has begun."""
        ...

    def left(self, connection: "ServerConnection") -> None:
        """Hear that the connection is closed."""
        ...
