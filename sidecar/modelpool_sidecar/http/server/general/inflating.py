"""Compressed bodies, piece by piece: what a small one grows to is seen before it is there. Sans I/O."""

import zlib
from typing import Final

from ...errors import BadRequestError

PIECE_BYTES: Final = 64 * 1024
"""The most that comes out at once."""
_GZIP: Final = 31
_ZLIB: Final = 15
_BARE: Final = -15
"""Sent by many in the name of deflate, which means zlib's format."""


class Inflater:
    """Inflates one body. A body without a byte is empty in any coding."""

    __slots__ = ("_begun", "_gzip", "_inflate", "_rest", "more")

    def __init__(self, coding: str) -> None:
        """`coding` is one of `head_rules.CODINGS`."""
        self._gzip = coding != "deflate"
        self._inflate = zlib.decompressobj(_GZIP if self._gzip else _ZLIB)
        self._begun = False
        self._rest = b""
        self.more = False
        """Whether more comes out without more being put in."""

    def feed(self, data: bytes) -> bytes:
        """Put in what has come, or nothing while there is `more`. Raises BadRequestError."""
        data = self._rest + data if self._rest else data
        self._rest = b""
        if not self._begun and data:
            self._begun = True
            if not self._gzip and data[0] & 0x0F != zlib.DEFLATED:
                self._inflate = zlib.decompressobj(_BARE)
        if self._inflate.eof and data:
            if not self._gzip:
                raise BadRequestError("something follows the compressed request body")
            self._inflate = zlib.decompressobj(_GZIP)  # gzip may have several members
        try:
            out = self._inflate.decompress(data, PIECE_BYTES)
        except zlib.error as wrong:
            raise BadRequestError("the request body is not compressed as it says") from wrong
        self._rest = self._inflate.unused_data or self._inflate.unconsumed_tail
        self.more = bool(self._rest) or len(out) == PIECE_BYTES
        return out

    def end(self) -> None:
        """All has been put in. Raises BadRequestError when something is missing."""
        if self._begun and not self._inflate.eof:
            raise BadRequestError("the compressed request body is cut short")
