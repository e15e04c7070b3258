"""What a connection at the side door needs of the front that it came in by."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from .body_memory import Bodies
from .limits import Limits
from .pipelining import Turns
from .request import ServerRequest
from .response_writer import Clock, ResponseWriter


class GeneralOwner(Protocol):
    """What a connection needs of the front that it came in by."""

    clock: Clock
    group: asyncio.TaskGroup
    """Owns the tasks of requests that need one."""
    limits: Limits
    bodies: Bodies
    turns: Turns

    answer: Callable[[ServerRequest], Coroutine[Any, None, None]]
    """Answers one request, as an `errand`."""
    refuse: Callable[[ServerRequest, Exception], None]
    """Answers one request with the reason why it is not served."""

    def failed(self, back: ResponseWriter, fault: Exception) -> None:
        """End an answer whose errand has ended with a fault."""
        ...
