"""Waits for a condition with a deadline, and says what was seen when it did not come."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_for(what: str, look: Callable[[], T], *, timeout: float = 60.0, every: float = 0.1) -> T:
    """Return the first true value that `look` returns.

    Raises TimeoutError after `timeout` seconds, naming `what` and, when `look` raised AssertionError, its last words:
    so a look may be written as assertions that explain themselves.
    """
    deadline = time.monotonic() + timeout
    while True:
        seen: object
        try:
            value = look()
        except AssertionError as exc:
            seen = exc
        else:
            if value:
                return value
            seen = value
        if time.monotonic() >= deadline:
            raise TimeoutError(f"{what} did not happen within {timeout:.0f} s; seen last: {seen!r}")
        time.sleep(every)
