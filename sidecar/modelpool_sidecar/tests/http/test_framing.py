"""Where a body ends, in whatever pieces it comes, and what is no body."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelpool_sidecar.http.errors import BadRequestError
from modelpool_sidecar.http.server.general.framing import Chunked, Counted

BEHIND = b"GET /next HTTP/1.1\r\n"


def fed(framing: Chunked | Counted, pieces: list[bytes]) -> tuple[bytes, bytes]:
    """The body, and what is behind it."""
    body = rest = b""
    for piece in pieces:
        if framing.ended:
            rest += piece
        else:
            part, behind = framing.feed(piece)
            body += part
            rest += behind
    return body, rest


def cut(data: bytes, places: list[int]) -> list[bytes]:
    ends = sorted({place % (len(data) + 1) for place in places} | {len(data)})
    return [data[begin:end] for begin, end in zip([0, *ends], ends, strict=False)]


CHUNK = st.tuples(st.binary(min_size=1, max_size=50), st.sampled_from(["", ";a", ";a=b", ';a="b c"']), st.booleans())
TRAILERS = st.lists(st.sampled_from([b"X-A: b\r\n", b"Host: other\r\n", b"Content-Length: 3\r\n"]), max_size=3)


@given(st.lists(CHUNK, max_size=8), TRAILERS, st.lists(st.integers(0, 1000), max_size=12))
def test_chunks_are_read_in_whatever_pieces(
    chunks: list[tuple[bytes, str, bool]], trailers: list[bytes], places: list[int]
) -> None:
    text = b""
    for data, extension, upper in chunks:
        size = f"{len(data):X}" if upper else f"0{len(data):x}"
        text += f"{size}{extension}\r\n".encode() + data + b"\r\n"
    text += b"0\r\n" + b"".join(trailers) + b"\r\n" + BEHIND
    framing = Chunked()
    assert fed(framing, cut(text, places)) == (b"".join(data for data, _, _ in chunks), BEHIND)
    assert framing.ended


@given(st.binary(min_size=1, max_size=100), st.lists(st.integers(0, 1000), max_size=12))
def test_a_body_of_known_length_is_read_in_whatever_pieces(data: bytes, places: list[int]) -> None:
    framing = Counted(len(data))
    assert fed(framing, cut(data + BEHIND, places)) == (data, BEHIND)
    assert framing.ended


MALFORMED = (
    b"-1\r\nhi\r\n", b"+1\r\nh\r\n", b"0x2\r\nhi\r\n", b" 2\r\nhi\r\n", b"2 \r\nhi\r\n", b"\r\n", b"g\r\n",
    b"2\nhi\r\n", b"2;a\0\r\nhi\r\n",
    b"2\rhi\r\n", b"2\r\nhiX\r\n", b"2\r\nhi\n0\r\n", b"2\r\nhi0\r\n\r\n", b"1_0\r\n", b"2\r\nhi\rX", b";a\r\n",
    b"0\r\nX : y\r\n\r\n", b"0\r\n folded\r\n\r\n", b"0\r\nX: \0\r\n\r\n", b"0\r\n\n", b"0\r\nX\r\n\r\n",
    b"1" * 16 + b"\r\n", b"2;" + b"a" * 5000 + b"\r\nhi\r\n", b"2;" + b"a" * 5000, b"0\r\n" + b"X: y\r\n" * 2000,
    b"\xb2\r\nhi\r\n",
)  # fmt: skip


@pytest.mark.parametrize("byte_by_byte", [False, True])
@pytest.mark.parametrize("text", MALFORMED)
def test_what_are_no_chunks(text: bytes, byte_by_byte: bool) -> None:
    framing = Chunked()
    with pytest.raises(BadRequestError):
        fed(framing, [text[place : place + 1] for place in range(len(text))] if byte_by_byte else [text])
    assert not framing.ended


@given(st.binary(max_size=60), st.lists(st.integers(0, 1000), max_size=6))
def test_any_bytes_are_a_body_or_malformed_however_they_are_cut(data: bytes, places: list[int]) -> None:
    def outcome(pieces: list[bytes]) -> tuple[bytes, bytes] | None:
        try:
            return fed(Chunked(), pieces)
        except BadRequestError:
            return None

    assert outcome([data]) == outcome(cut(data, places))
