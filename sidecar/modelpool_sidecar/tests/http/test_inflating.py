"""Compressed bodies: whole in whatever pieces, small in memory, and refused when they are none."""

import gzip
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelpool_sidecar.http.errors import BadRequestError
from modelpool_sidecar.http.server.general.inflating import PIECE_BYTES, Inflater


def bare(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


CODINGS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "bare deflate": bare,
}


def inflated(coding: str, pieces: list[bytes]) -> bytes:
    inflater, out = Inflater(coding.removeprefix("bare ")), b""
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


def test_members_follow_each_other() -> None:
    packed = gzip.compress(b"one") + gzip.compress(b"") + gzip.compress(b"two")
    assert inflated("gzip", [packed]) == b"onetwo"
    assert inflated("gzip", [packed[at : at + 1] for at in range(len(packed))]) == b"onetwo"


@pytest.mark.parametrize("coding", CODINGS)
def test_nothing_is_empty_in_any_coding(coding: str) -> None:
    assert inflated(coding, []) == b""


@pytest.mark.parametrize("coding", CODINGS)
def test_what_is_cut_short_is_not_taken_for_whole(coding: str) -> None:
    packed = CODINGS[coding](b"word " * 100)
    for end in range(1, len(packed)):
        with pytest.raises(BadRequestError):
            inflated(coding, [packed[:end]])


@pytest.mark.parametrize("coding", ["gzip", "deflate", "bare deflate"])
def test_what_follows_or_is_damaged_is_refused(coding: str) -> None:
    packed = CODINGS[coding](b"word " * 100)
    with pytest.raises(BadRequestError):
        inflated(coding, [packed + b"more"])
    if coding != "bare deflate":  # which has no checksum
        with pytest.raises(BadRequestError):
            inflated(coding, [packed[:-1] + bytes([packed[-1] ^ 1])])
    with pytest.raises(BadRequestError):
        inflated("gzip", [b"{}" * 20])
