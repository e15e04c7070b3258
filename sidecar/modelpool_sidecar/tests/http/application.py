"""An application for servers under test, made of functions."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from modelpool_sidecar.http.server.request import ServerRequest


@dataclass(frozen=True)
class Application:
    """Implements `connection_owner.Application`."""

    answer: Callable[[ServerRequest], Coroutine[Any, Any, None]]
    refuse: Callable[[ServerRequest, Exception], None]

    def streams_body(self, path: str) -> bool:
        """No path does."""
        return False
