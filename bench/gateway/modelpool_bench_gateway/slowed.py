"""The gateway, costing more than it does: `python -m modelpool_bench_gateway.slowed PERCENT [the gateway's flags]`.

Every few milliseconds the gateway's event loop burns the given share of the processor time that was used for anything
else since. So the guard can be shown a change for the worse of a known size without touching the gateway's code.
"""

import asyncio
import sys
import time
from typing import Final

import uvloop

_EVERY: Final = 0.002
"""Seconds between looks at what is owed: short against a round of the guard."""


class _Burner:
    """Burns time in the thread of an event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop, share: float) -> None:
        self._loop = loop
        self._share = share
        self._burnt = 0.0
        loop.call_soon(self._burn)

    def _burn(self) -> None:
        began = time.thread_time()
        owed = (began - self._burnt) * self._share - self._burnt
        while time.thread_time() - began < owed:
            pass
        self._burnt += time.thread_time() - began
        self._loop.call_later(_EVERY, self._burn)


def main() -> int:
    """As the gateway's."""
    share = float(sys.argv.pop(1)) / 100
    make = uvloop.new_event_loop

    def make_burning() -> asyncio.AbstractEventLoop:
        loop = make()
        _Burner(loop, share)
        return loop

    # The gateway takes its loop from here when it is imported.
    uvloop.new_event_loop = make_burning  # type: ignore[assignment]
    from modelpool_sidecar.__main__ import main as gateway

    return gateway()


if __name__ == "__main__":
    raise SystemExit(main())
