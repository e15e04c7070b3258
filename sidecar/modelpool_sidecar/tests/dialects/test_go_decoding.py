"""What Go's decoder reads: held to its rules, written down once more and slowly."""

import json
import re
import time

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelpool_sidecar.dialects import go_decoding

from .cutting import QUICK

_SIMPLE = {b"\\": "\\", b"n": "\n", b'"': '"'}


def read_by_go(inside: bytes) -> str:
    """The inside of a JSON string as `encoding/json` of Go unquotes it: `unquoteBytes` in decode.go."""
    out, at = "", 0
    while at < len(inside):
        if inside[at : at + 2] == b"\\u":
            value, at = int(inside[at + 2 : at + 6], 16), at + 6
            second = re.match(rb"\\u(d[c-f][0-9a-f]{2})", inside[at:].lower())
            if 0xD800 <= value < 0xDC00 and second:
                value, at = 0x10000 + ((value - 0xD800) << 10) + int(second[1], 16) - 0xDC00, at + 6
            out += "\ufffd" if 0xD800 <= value < 0xE000 else chr(value)
        elif inside[at : at + 1] == b"\\":
            out, at = out + _SIMPLE[inside[at + 1 : at + 2]], at + 2
        else:
            size = next((size for size in (1, 2, 3, 4) if is_one(inside[at : at + size])), 0)
            out, at = out + (inside[at : at + size].decode() if size else "\ufffd"), at + (size or 1)
    return out


def is_one(data: bytes) -> bool:
    try:
        return len(data.decode()) == 1
    except UnicodeDecodeError:
        return False


PIECES = st.sampled_from(
    [rb"\ud83d", rb"\uDE00", rb"\\", rb"\n", rb"\"", rb"\u00e9", b"ud83d", b"ude00", b"x", b"?", b"\xff", b"\xe2\x82",
     b"\xac", b"\xf0\x9f\x98\x80", b"\xf0\x9f", b"\xed\xa0\x80", b"\xc0\xaf", "é".encode(), b"\x7f"]
)  # fmt: skip


@given(
    inside=st.lists(PIECES, max_size=9).map(b"".join), behind=st.sampled_from([b"", b" ", b" x", b"}", b"{}", b"\xff"])
)
def test_a_text_is_read_as_go_reads_it(inside: bytes, behind: bytes) -> None:
    text = b' {"a":"%b"}' % inside
    assert msgspec.json.decode(go_decoding.well_formed(text + behind)) == {"a": read_by_go(inside)}


@given(
    st.recursive(st.text() | st.integers(), lambda inner: st.dictionaries(st.text(), inner, max_size=2)), st.booleans()
)
def test_what_is_well_formed_stays_as_it_is(value: object, ascii_alone: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii_alone).encode(errors="surrogatepass")
    assert go_decoding.well_formed(text) == text


@given(st.lists(PIECES | st.binary(max_size=5), max_size=9).map(b"".join))
@QUICK
def test_whatever_comes_is_utf8(data: bytes) -> None:
    go_decoding.well_formed(data).decode()
    assert go_decoding.in_utf8(go_decoding.in_utf8(data)) == go_decoding.in_utf8(data)


@pytest.mark.parametrize("text", [b"", b" ", b"{", b'{"a":', b'"\x01\xff"', b"\xff{}", b"nul"])
def test_what_go_refuses_is_refused(text: bytes) -> None:
    with pytest.raises((msgspec.DecodeError, UnicodeDecodeError)):
        msgspec.json.decode(go_decoding.well_formed(text))


HOSTILE = (b"\xff", rb"\ud83d", rb"\ud83d\ude00", b"\\\\", rb"\\ud83d", rb"\u00e9", b"\xe2\x82", b"?\xff")


@pytest.mark.parametrize("piece", HOSTILE)
def test_what_is_sent_on_purpose_costs_no_more_than_its_bytes(piece: bytes) -> None:
    text = piece * (1024 * 1024 // len(piece))
    began = time.process_time()
    go_decoding.well_formed(text)
    assert time.process_time() - began < 2


def test_a_run_of_backslashes_is_counted_once() -> None:
    text = b"\\" * 1_000_001 + b"ud83d"
    began = time.process_time()
    assert go_decoding.paired(text) == b"\\" * 1_000_001 + b"ufffd"
    assert time.process_time() - began < 2
