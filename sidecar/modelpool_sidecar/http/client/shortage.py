"""When this machine has no more of what a connection takes: known by the error, and told without flooding the log."""

import asyncio
import errno
import logging
import os
import re
import socket
from typing import Final

from .errors import described

_SHORT: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL, errno.EAGAIN})
_NUMBERS: Final = re.compile(r"\[Errno (\d+)\]")
_LOG_SECONDS: Final = 10.0
"""Between two lines of the log."""
_log = logging.getLogger(__name__)


def is_ours(error: OSError) -> bool:
    """Whether a connection did not come about for want of descriptors, ports or memory here."""
    if isinstance(error, socket.gaierror):
        return not _has_descriptor()  # the resolver says the same when nobody answers it
    if error.errno is None:  # several addresses were tried, and the event loop names their errors
        return any(int(number) in _SHORT for number in _NUMBERS.findall(str(error)))
    return error.errno in _SHORT


def _has_descriptor() -> bool:
    try:
        os.close(os.open(os.devnull, os.O_RDONLY))
    except OSError:
        return False
    return True


class Shortages:
    """Logs the first at once, then how many more there were, at most once per ten seconds."""

    def __init__(self) -> None:
        self._times = 0
        self._last = ""
        self._timer: asyncio.TimerHandle | None = None

    def note(self, error: OSError) -> None:
        """One more."""
        self._times += 1
        self._last = described(error)
        if self._timer is None:
            self._tell()

    def close(self) -> None:
        """Tell what has not been told."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._say()

    def _tell(self) -> None:
        self._timer = None
        if self._times:
            self._say()
            self._timer = asyncio.get_running_loop().call_later(_LOG_SECONDS, self._tell)

    def _say(self) -> None:
        if self._times:
            extra = {"times": self._times, "error": self._last}
            _log.error("Could not connect to engines: out of descriptors, ports or memory here", extra=extra)
            self._times = 0
