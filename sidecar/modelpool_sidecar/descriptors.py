"""How many files and sockets the process may have open, and how many of them callers may take."""

import resource
from typing import Final

_OURS: Final = 256
"""For listening sockets, logs, probes, the API server's watches, and connections to engines that are kept idle."""
_FEWEST: Final = 16


def raised() -> int:
    """Raise the limit as far as the process may, and return it: many systems begin with 1024 for select's sake."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        except (ValueError, OSError):  # macOS tells a limit that it does not allow
            return soft
    return hard


def for_callers(wanted: int, descriptors: int) -> int:
    """How many callers may be connected, of so many that are `wanted`: each may need a connection to an engine too."""
    if descriptors == resource.RLIM_INFINITY:
        return wanted
    return min(wanted, max(_FEWEST, (descriptors - _OURS) // 2))
