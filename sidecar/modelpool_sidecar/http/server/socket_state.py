"""What a caller's socket tells when it is asked: how much of what was sent is unread, and whether the caller has left.

An answer is not read when it has left our buffer: the system holds megabytes more on both sides. So what counts is what
the caller's system has taken, which goes on as long as the caller reads.
"""

import asyncio
import fcntl
import select
import socket
import struct
import termios
from typing import Final

_RDHUP: Final[int] = getattr(select, "POLLRDHUP", 0)
_GONE: Final = _RDHUP | select.POLLHUP | select.POLLERR | select.POLLNVAL


class Unread:
    """How long one caller has taken nothing of what waits for it. Pure."""

    __slots__ = ("_since", "_waiting")

    def __init__(self) -> None:
        self._waiting = 0
        self._since = 0.0

    def seconds(self, waiting: int, now: float) -> float:
        """Seconds since the caller has last taken something, as far as was looked, if so many bytes wait for it now.

        What was taken is not seen where more was added than that between two looks, without `forget`.
        """
        if not self._waiting or waiting < self._waiting:
            self._since = now
        self._waiting = waiting
        return now - self._since

    def forget(self) -> None:
        """Begin anew: the caller has taken something, or nothing waits for it."""
        self._waiting = 0


def unread_seconds(transport: asyncio.Transport, unread: Unread, now: float, *, paused: bool) -> float:
    """Seconds for which a caller has taken nothing of what waits for it. `paused`: nothing is added to that."""
    waiting = transport.get_write_buffer_size()
    if not waiting:
        unread.forget()
        return 0.0
    if not paused and not transport.is_closing():
        # Nothing is added until half of it has been taken, or what is taken could not be seen.
        transport.set_write_buffer_limits(high=waiting - 1, low=waiting // 2 if waiting > 1 else 0)
    return unread.seconds(waiting + unsent(_socket_of(transport)), now)


def left_unseen(transport: asyncio.Transport) -> bool:
    """Whether a caller has left to whom nobody listens at the moment, so that the event loop cannot tell."""
    return not transport.is_closing() and not transport.is_reading() and has_left(_socket_of(transport))


def _socket_of(transport: asyncio.Transport) -> socket.socket:
    found: socket.socket = transport.get_extra_info("socket")
    return found


def unsent(connected: socket.socket) -> int:
    """Bytes that the system holds because the other side has not taken them; 0 where the system does not tell."""
    answer = bytearray(4)
    try:
        fcntl.ioctl(connected.fileno(), termios.TIOCOUTQ, answer)
    except OSError:
        return 0
    found: int = struct.unpack("i", answer)[0]
    return found


def has_left(connected: socket.socket) -> bool:
    """Whether the other side has closed, whatever it sent before that has not been read.

    What it sent may be more than the system takes for us: then its leaving comes behind that and is not seen.
    """
    looking = select.poll()
    try:
        looking.register(connected.fileno(), _RDHUP)
    except (OSError, ValueError):  # it is closed here
        return True
    return any(answer & _GONE for _, answer in looking.poll(0))
