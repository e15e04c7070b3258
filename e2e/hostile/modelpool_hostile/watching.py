"""What the gateway holds of memory while it is attacked: looked at all the time, so that a peak has a cause."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Final

from .gateway import Gateway

LIMIT_MIB: Final = 512.0
"""The chart's memory limit of a gateway: beyond it the kernel would end it."""
_KILL_MIB: Final = 3 * LIMIT_MIB
"""Beyond this it is ended, so that the machine under test lives on."""
_EVERY_SECONDS: Final = 0.05
_STEP_MIB: Final = 16.0


class Memory:
    """The memory of one gateway after another."""

    def __init__(self, under_way: Callable[[], Iterable[str]]) -> None:
        """`under_way`: the names of the cases that are being tried."""
        self.peak_mib = 0.0
        self.peaks: dict[str, float] = {}
        """By the cases that were under way: the most that was seen with them, where it was more than before."""
        self._under_way = under_way

    def beyond(self, mib: float) -> dict[str, int]:
        """What was under way when it held more."""
        return {names: round(peak) for names, peak in self.peaks.items() if peak >= mib}

    async def watch(self, gateway: Callable[[], Gateway]) -> None:
        """Look until cancelled. A gateway that takes far too much is killed."""
        while True:
            running = gateway()
            peak = running.peak_mib()
            if peak > self.peak_mib + _STEP_MIB:
                self.peaks["+".join(sorted(self._under_way())) or "nothing"] = peak
            self.peak_mib = max(self.peak_mib, peak)
            if running.resident_mib() > _KILL_MIB:
                running.kill()
            await asyncio.sleep(_EVERY_SECONDS)
