"""The bytes of all bodies that are being read or held for their answer, within `Limits.max_bodies_bytes`.

A body counts with what has come of it, so that an announcement takes nothing from others. Small ones do not count:
there are as many at most as there are connections. One alone is always let in, or none as large could ever come.
"""

from typing import Final

from ..errors import NoRoomError
from ..limits import Limit, Limits

FREE_BYTES: Final = 64 * 1024
"""Up to this size a body does not count."""


class Bodies:
    """All bodies of one gateway."""

    __slots__ = ("held", "limits")

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.held = 0
        """Bytes now."""


class Share:
    """One body's part."""

    __slots__ = ("_bodies", "size")

    def __init__(self, bodies: Bodies) -> None:
        self._bodies = bodies
        self.size = 0
        """Bytes that count now."""

    def fits(self, announced: int) -> bool:
        """Whether a body of this size could be held beside the others that are here."""
        bodies = self._bodies
        others = bodies.held - self.size
        return announced <= FREE_BYTES or not others or others + announced <= bodies.limits.max_bodies_bytes

    def grow(self, size: int) -> bool:
        """Count a body that has this size now; False, and nothing is counted, when there is no room for it."""
        if size <= FREE_BYTES:
            return True
        if not self.fits(size):
            return False
        self._bodies.held += size - self.size
        self.size = size
        return True

    def refused(self) -> NoRoomError:
        """Count the limit; what its caller is told."""
        self._bodies.limits.reached(Limit.BODIES_BYTES)
        return NoRoomError()

    def let_go(self) -> None:
        """The body is not held any longer."""
        self._bodies.held -= self.size
        self.size = 0
