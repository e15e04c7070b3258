"""What the kernel keeps of a connection for itself: sent for all that one side can know, and not read by the other."""

from pathlib import Path
from typing import Final

_TCP: Final = Path("/proc/sys/net/ipv4")
MIB: Final = 1024 * 1024


def unread_mib() -> int:
    """MiB that may lie in the buffers between an engine and a caller that reads nothing, as this machine is set.

    An engine's sending buffer, and the gateway's for receiving and for sending. The caller's own is small.
    """
    most = [int((_TCP / name).read_text().split()[-1]) for name in ("tcp_wmem", "tcp_rmem", "tcp_wmem")]
    return sum(most) // MIB
