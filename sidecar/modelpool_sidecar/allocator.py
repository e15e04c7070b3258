"""Memory that large bodies and answers have had goes back to the system when they are gone. glibc; elsewhere nothing.

glibc learns from large blocks that are freed to keep such blocks in its heap, up to 32 MiB each, where a small one
behind them holds all of it; and each thread has a heap of its own. So what was needed once would stay for ever.
"""

import ctypes
from typing import Final

_TRIM_THRESHOLD: Final = -1
_MMAP_THRESHOLD: Final = -3
_ARENA_MAX: Final = -8
"""Of <malloc.h>: the parameters of mallopt(3)."""
_LARGE_BYTES: Final = 1024 * 1024
"""A block from this size on is one of the system's, and goes back to it."""
_KEPT_BYTES: Final = 4 * 1024 * 1024
"""What the heap keeps at its end for what comes next."""


def give_back() -> bool:
    """Have large blocks go back when they are freed, for the whole process; whether the allocator can be told."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return False
    options = ((_MMAP_THRESHOLD, _LARGE_BYTES), (_TRIM_THRESHOLD, _KEPT_BYTES), (_ARENA_MAX, 2))
    taken = [mallopt(parameter, value) == 1 for parameter, value in options]
    return all(taken)
