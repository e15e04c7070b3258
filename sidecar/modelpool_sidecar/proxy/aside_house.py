"""What a connection at the side door needs of the front that it came in by."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from .body_budget import Bodies
from .front_turns import Turns
from .limits import Limits
from .visitor import Visitor
from .way_back import Clock, WayBack


class AsideHouse(Protocol):
    """What a connection needs of the front that it came in by."""

    clock: Clock
    group: asyncio.TaskGroup
    """Owns the tasks of requests that need one."""
    limits: Limits
    bodies: Bodies
    turns: Turns

    answer: Callable[[Visitor], Coroutine[Any, None, None]]
    """Answers one request, as an `errand`."""
    refuse: Callable[[Visitor, Exception], None]
    """Answers one request with the reason why it is not served."""

    def failed(self, back: WayBack, fault: Exception) -> None:
        """End an answer whose errand has ended with a fault."""
        ...
