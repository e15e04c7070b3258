"""Whether an engine may go on sending: as long as there is no reason to make it wait, and there are two."""

import asyncio

from .read_timeout import ReadTimeout


class ReadPausing:
    """Pauses and resumes the reading of one connection."""

    __slots__ = ("_over", "_silence", "_transport", "_yields", "is_full", "is_unread")

    def __init__(self, transport: asyncio.Transport, silence: ReadTimeout) -> None:
        self._transport = transport
        self._silence = silence
        self.is_unread = False
        """Too much has come that nobody has read."""
        self.is_full = False
        """Whoever takes what comes has no room for more."""
        self._over = False
        self._yields = False

    def unread(self, is_unread: bool, *, ended: bool) -> None:
        """Say whether too much has come that nobody has read. `ended`: no more will come that could be held back."""
        self.is_unread = is_unread
        self._settle(ended)

    def full(self, is_full: bool, *, ended: bool) -> None:
        """Say whether the taker is full."""
        self.is_full = is_full
        self._settle(ended)

    def yield_turn(self) -> None:
        """Take no more before others have had their turn: the event loop would read megabytes in a row."""
        if not (self._yields or self._silence.held_back or self._over or self._transport.is_closing()):
            self._yields = True
            self._transport.pause_reading()
            asyncio.get_running_loop().call_soon(self._turn_over)

    def _turn_over(self) -> None:
        self._yields = False
        if not (self._silence.held_back or self._over or self._transport.is_closing()):
            self._transport.resume_reading()

    def free(self) -> None:
        """Nobody reads or takes what comes any more."""
        self.is_unread = self.is_full = False
        self._settle(True)

    def end(self) -> None:
        """The connection is closed."""
        self._over = True

    def _settle(self, ended: bool) -> None:
        held_back = self.is_unread or self.is_full
        silence = self._silence
        if held_back is silence.held_back or self._over:
            return
        if not held_back:
            silence.held_back, silence.spoken = False, True
            self._transport.resume_reading()
        elif not ended:
            silence.held_back = True
            self._transport.pause_reading()
