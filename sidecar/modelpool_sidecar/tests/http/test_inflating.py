"""Compressed bodies: whole in whatever pieces, small in memory, and refused when they are none."""

import gzip
import zlib
from collections.abc import Callable

import brotli
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelpool_sidecar.http.errors import BadRequestError
from modelpool_sidecar.http.server import head_rules
from modelpool_sidecar.http.server.general import inflating
from modelpool_sidecar.http.server.general.inflating import PIECE_BYTES, zstd


def bare(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


CODINGS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "bare deflate": bare,
    "br": brotli.compress,
    "zstd": zstd.compress,
}


def test_all_codings_are_tried() -> None:
    assert {one.removeprefix("bare ") for one in CODINGS} == set(head_rules.CODINGS)


def inflated(coding: str, pieces: list[bytes]) -> bytes:
    inflater, out = inflating.of(coding.removeprefix("bare ")), b""
    for piece in pieces:
        part = inflater.feed(piece)
        while True:
            assert len(part) <= PIECE_BYTES
            out += part
            if not inflater.more:
                break
            part = inflater.feed(b"")
    inflater.end()
    return out


@pytest.mark.parametrize("coding", CODINGS)
@given(st.binary(max_size=300), st.integers(1, 600), st.integers(1, 50))
def test_a_body_is_inflated_in_whatever_pieces(coding: str, data: bytes, times: int, size: int) -> None:
    data *= times
    packed = CODINGS[coding](data)
    assert inflated(coding, [packed[at : at + size] for at in range(0, len(packed), size)]) == data
    assert inflated(coding, [packed]) == data


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_members_follow_each_other(coding: str) -> None:
    packed = b"".join(map(CODINGS[coding], (b"one", b"", b"two")))
    assert inflated(coding, [packed]) == b"onetwo"
    assert inflated(coding, [packed[at : at + 1] for at in range(len(packed))]) == b"onetwo"


@pytest.mark.parametrize("coding", CODINGS)
def test_what_grows_comes_in_pieces(coding: str) -> None:
    packed = CODINGS[coding](b"x" * 20_000_000)
    assert len(packed) < 100_000
    assert len(inflated(coding, [packed])) == 20_000_000


def test_a_window_that_nobody_may_ask_for_is_refused() -> None:
    options: dict[int, int] = {zstd.CompressionParameter.window_log: 24, zstd.CompressionParameter.content_size_flag: 0}
    packer = zstd.ZstdCompressor(options=options)
    packed = packer.compress(b"x" * 100) + packer.flush()
    with pytest.raises(BadRequestError):
        inflated("zstd", [packed])


@pytest.mark.parametrize("coding", CODINGS)
def test_nothing_is_empty_in_any_coding(coding: str) -> None:
    assert inflated(coding, []) == b""


@pytest.mark.parametrize("coding", CODINGS)
def test_what_is_cut_short_is_not_taken_for_whole(coding: str) -> None:
    packed = CODINGS[coding](b"word " * 100)
    for end in range(1, len(packed)):
        with pytest.raises(BadRequestError):
            inflated(coding, [packed[:end]])


@pytest.mark.parametrize("coding", ["gzip", "deflate", "bare deflate", "br", "zstd"])
def test_what_follows_or_is_damaged_is_refused(coding: str) -> None:
    packed = CODINGS[coding](b"word " * 100)
    with pytest.raises(BadRequestError):
        inflated(coding, [packed + b"more"])
    if coding in ("gzip", "deflate"):  # the others have no checksum
        with pytest.raises(BadRequestError):
            inflated(coding, [packed[:-1] + bytes([packed[-1] ^ 1])])
    with pytest.raises(BadRequestError):
        inflated("gzip", [b"{}" * 20])
