"""Compressed bodies, piece by piece: what a small one grows to is seen before it is there. Sans I/O."""

import sys
import zlib
from typing import Final, NoReturn

import brotli

from ...errors import BadRequestError

if sys.version_info >= (3, 14):
    from compression import zstd as zstd
else:
    from backports import zstd as zstd

PIECE_BYTES: Final = 64 * 1024
"""The most that comes out at once."""
_GZIP: Final = 31
_ZLIB: Final = 15
_BARE: Final = -15
"""Sent by many in the name of deflate, which means zlib's format."""
_WINDOW_LOG: Final = 23
"""Of zstd: the 8 MiB that RFC 9659 lets a body ask for. What brotli asks for is at most twice as much."""
_BROTLI_BYTES: Final = 16 * 1024
"""It ends with the block of its output in which this is reached, and the first block has 32 KiB."""


class Inflater:
    """Inflates one body. A body without a byte is empty in any coding."""

    __slots__ = ("_begun", "more")

    def __init__(self) -> None:
        self._begun = False
        self.more = False
        """Whether more comes out without more being put in."""

    def feed(self, data: bytes) -> bytes:
        """Put in what has come, or nothing while there is `more`. Raises BadRequestError."""
        self._begun = self._begun or data != b""
        return self._inflated(data) if self._begun else b""

    def end(self) -> None:
        """All has been put in. Raises BadRequestError when something is missing."""
        if self._begun and not self._is_whole:
            raise BadRequestError("the compressed request body is cut short")

    def _inflated(self, data: bytes) -> bytes:
        raise NotImplementedError

    @property
    def _is_whole(self) -> bool:
        raise NotImplementedError


def of(coding: str) -> Inflater:
    """For one body. `coding` is one of `head_rules.CODINGS`."""
    match coding:
        case "br":
            return _Brotli()
        case "zstd":
            return _Zstandard()
        case "deflate":
            return _Deflate()
        case _:
            return _Gzip()


def _damaged(wrong: Exception) -> NoReturn:
    raise BadRequestError("the request body is not compressed as it says") from wrong


def _followed() -> NoReturn:
    raise BadRequestError("something follows the compressed request body")


class _Gzip(Inflater):
    """One or several members."""

    __slots__ = ("_inflate", "_rest")

    def __init__(self, window: int = _GZIP) -> None:
        super().__init__()
        self._inflate = zlib.decompressobj(window)
        self._rest = b""

    def _inflated(self, data: bytes) -> bytes:
        data = self._rest + data if self._rest else data
        if self._inflate.eof and data:
            self._go_on()
        try:
            out = self._inflate.decompress(data, PIECE_BYTES)
        except zlib.error as wrong:
            _damaged(wrong)
        self._rest = self._inflate.unused_data or self._inflate.unconsumed_tail
        self.more = bool(self._rest) or len(out) == PIECE_BYTES
        return out

    def _go_on(self) -> None:
        """Begin with another member."""
        self._inflate = zlib.decompressobj(_GZIP)

    @property
    def _is_whole(self) -> bool:
        return self._inflate.eof


class _Deflate(_Gzip):
    """zlib's format, or what is in it."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        super().__init__(_ZLIB)
        self._known = False

    def _inflated(self, data: bytes) -> bytes:
        if not self._known:
            self._known = True
            if data[0] & 0x0F != zlib.DEFLATED:
                self._inflate = zlib.decompressobj(_BARE)
        return super()._inflated(data)

    def _go_on(self) -> None:
        _followed()


class _Zstandard(Inflater):
    """One or several frames."""

    __slots__ = ("_inflate", "_rest")

    def __init__(self) -> None:
        super().__init__()
        self._inflate = self._frame()
        self._rest = b""

    @staticmethod
    def _frame() -> zstd.ZstdDecompressor:
        return zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: _WINDOW_LOG})

    def _inflated(self, data: bytes) -> bytes:
        data = self._rest + data if self._rest else data
        if self._inflate.eof and data:
            self._inflate = self._frame()
        try:
            out = self._inflate.decompress(data, PIECE_BYTES)
        except zstd.ZstdError as wrong:
            _damaged(wrong)
        self._rest = self._inflate.unused_data
        self.more = bool(self._rest) or not (self._inflate.eof or self._inflate.needs_input)
        return out

    @property
    def _is_whole(self) -> bool:
        return self._inflate.eof


class _Brotli(Inflater):
    """One stream."""

    __slots__ = ("_inflate",)

    def __init__(self) -> None:
        super().__init__()
        self._inflate = brotli.Decompressor()

    def _inflated(self, data: bytes) -> bytes:
        if self._inflate.is_finished():
            if data:
                _followed()
            return b""
        try:
            out: bytes = self._inflate.process(data, output_buffer_limit=_BROTLI_BYTES)
        except brotli.error as wrong:
            _damaged(wrong)
        held = len(out) >= _BROTLI_BYTES or not self._inflate.can_accept_more_data()
        self.more = held and not self._inflate.is_finished()
        return out

    @property
    def _is_whole(self) -> bool:
        return bool(self._inflate.is_finished())
