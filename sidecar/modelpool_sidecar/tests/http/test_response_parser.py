"""Answers of engines, cut at every byte: what is read does not depend on how it came, and what is wrong is refused."""

import pytest

from modelpool_sidecar.http.client.response_framing import MalformedResponse
from modelpool_sidecar.http.client.response_parser import HEAD_BYTES, ResponseParser
from modelpool_sidecar.http.head_cache import KnownHeads

OK = b"HTTP/1.1 200 OK\r\n"
COUNTED = OK + b"Content-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\n\r\n"
WHOLE = {
    "counted": (COUNTED, True),
    "chunked": (CHUNKED, True),
    "trailers": (CHUNKED[:-2] + b"X-Trailer: 1\r\n\r\n", True),
    "informational": (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + COUNTED, True),
    "to be closed": (COUNTED.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"), False),
    "old": (COUNTED.replace(b"1.1", b"1.0"), False),
    "upper case": (CHUNKED.replace(b"chunked", b"Chunked").replace(b"Transfer", b"TRANSFER"), True),
}
MALFORMED = {
    "no HTTP": b"hello there\r\n\r\n",
    "another version": b"HTTP/3.0 200 OK\r\n\r\n",
    "length and chunked": OK + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunked and length": OK + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "two lengths": OK + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
    "length with a sign": OK + b"Content-Length: +5\r\n\r\nhello",
    "length beyond numbers": OK + b"Content-Length: 99999999999999999999999\r\n\r\nhello",
    "coding": OK + b"Transfer-Encoding: gzip\r\n\r\nhello",
    "two codings": OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "folded": OK + b"X-Folded: a\r\n b\r\nContent-Length: 5\r\n\r\nhello",
    "space before colon": OK + b"Content-Length : 5\r\n\r\nhello",
    "bare LF": OK + b"X: a\nContent-Length: 5\r\n\r\nhello",
    "NUL": OK + b"X: a\0\r\nContent-Length: 5\r\n\r\nhello",
    "chunk size": OK + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n",
    "chunk size with a sign": OK + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n",
    "chunk longer than said": OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhello\r\n0\r\n\r\n",
    "switching": b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    "no status": b"HTTP/1.1 000 X\r\n\r\n" + COUNTED,
    "a status below all": b"HTTP/1.1 099 X\r\n\r\n" + COUNTED,
    "a status above all": b"HTTP/1.1 600 X\r\nContent-Length: 0\r\n\r\n",
    "informational with a length": b"HTTP/1.1 103 X\r\nContent-Length: 5\r\n\r\nhello" + COUNTED,
    "informational in chunks": b"HTTP/1.1 103 X\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n" + COUNTED,
    "informational without end": b"HTTP/1.1 100 Continue\r\n\r\n" * (HEAD_BYTES // 25 + 1),
    "too many headers": OK + b"X: x\r\n" * 257 + b"Content-Length: 5\r\n\r\nhello",
    "head without end": OK + b"".join(b"X-%d: %b\r\n" % (number, b"x" * 1000) for number in range(HEAD_BYTES // 990)),
}
PIECES = pytest.mark.parametrize("size", [1, 2, 7, 1_000_000])


def read(reader: ResponseParser, data: bytes, size: int) -> bytes:
    body = b""
    for begin in range(0, len(data), size):
        reader.feed(data[begin : begin + size])
        body += reader.taken() if reader.parts else b""
    return body


@PIECES
@pytest.mark.parametrize("case", WHOLE.values(), ids=WHOLE.keys())
def test_an_answer_is_read_in_whatever_pieces(case: tuple[bytes, bool], size: int) -> None:
    data, keep_alive = case
    reader = ResponseParser()
    for _ in range(2 if keep_alive else 1):
        reader.expect(only_head=False)
        assert reader.untouched
        assert read(reader, data, size) == b"hello"
        assert reader.head is not None
        assert (reader.head.status, reader.ended, reader.keep_alive) == (200, True, keep_alive)
        assert "Link" not in dict(reader.head.headers)
        assert "X-Trailer" not in dict(reader.head.headers)


@PIECES
@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED.keys())
def test_what_is_no_answer_is_refused(data: bytes, size: int) -> None:
    reader = ResponseParser()
    with pytest.raises(MalformedResponse):
        read(reader, data, size)
    assert not reader.ended
    assert not reader.keep_alive


AROUND = {
    "trailers without end": CHUNKED[:-2] + b"X: %b\r\n" % (b"x" * 1000) * 140,
    "a trailer without end": CHUNKED[:-2] + b"X: " + b"x" * (2 * HEAD_BYTES),
    "an extension without end": OK + b"Transfer-Encoding: chunked\r\n\r\n5;x=" + b"x" * (2 * HEAD_BYTES),
}


@pytest.mark.parametrize("size", [1, 7, 4096])
@pytest.mark.parametrize("data", AROUND.values(), ids=AROUND.keys())
def test_what_is_around_a_body_is_bounded(data: bytes, size: int) -> None:
    reader = ResponseParser()
    with pytest.raises(MalformedResponse, match="longer than"):
        read(reader, data, size)
    assert not reader.keep_alive


@PIECES
def test_headers_keep_their_order_case_and_bytes(size: int) -> None:
    reader = ResponseParser()
    own = b"Date: Sun, 22 Nov 2026 14:02:22 GMT\r\nX-Request-Id: 1\r\nContent-Length: 0\r\n"
    read(reader, b"HTTP/1.1 404 \r\nX-b:  1 \r\nx-A: \xc3\xa4\xff\r\nX-b: 2\r\n" + own + b"\r\n", size)
    assert reader.head is not None
    assert reader.head.status == 404
    assert reader.head.headers == [("X-b", "1"), ("x-A", "ä\udcff"), ("X-b", "2")]


@pytest.mark.parametrize(("data", "whole"), [(OK + b"\r\nhello", True), (COUNTED[:-1], False), (CHUNKED[:-1], False)])
def test_only_a_body_without_a_length_ends_with_its_connection(data: bytes, whole: bool) -> None:
    reader = ResponseParser()
    assert b"hello".startswith(read(reader, data, 3))
    assert not reader.ended
    if whole:
        reader.end()
    else:
        with pytest.raises(EOFError):
            reader.end()
    assert reader.ended is whole


STREAMED = OK + b"Date: %b\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"


@pytest.mark.parametrize("cut", range(len(STREAMED % b"a")))
def test_the_head_of_a_stream_is_known_again_wherever_it_is_cut(cut: int) -> None:
    reader = ResponseParser()
    heads = []
    for date in (b"a", b"a", b"b", b"bc"):
        data = STREAMED % date
        reader.expect(only_head=False)
        reader.feed(data[:cut])
        assert reader.untouched is (cut == 0)
        with pytest.raises(EOFError):
            reader.end()
        reader.feed(data[cut:])
        assert (reader.taken(), reader.ended, reader.keep_alive, reader.between) == (b"hello", True, True, False)
        heads.append(reader.head)
    if cut == 0:
        assert heads[0] is heads[1] is heads[2] is heads[3]
    assert {(head.status, tuple(head.headers)) for head in heads if head is not None} == {
        (200, (("Transfer-Encoding", "chunked"),))
    }


def test_only_heads_of_streams_are_asked_for_as_such() -> None:
    """Heads with a length would be as many as lengths, and push those of streams out of what is remembered."""
    asked: list[bytes] = []
    heads = KnownHeads[object](lambda _: None, lambda text: asked.append(text))
    for text in (OK + b"Content-Length: 9\r\n\r\n", STREAMED % b"a" + b"x" * 2048, STREAMED % b"a", STREAMED % b"b"):
        assert heads.streamed(text) is None
    assert asked == [(STREAMED % b"a").replace(b"Date: a\r\n", b"")] * 2


@pytest.mark.parametrize("odd", [b"x", b"5;a\r\nhello\r\n", b"5\r\nhello\r\n0\r\nX-Trailer: 1\r\n\r\n", b"\r\n"])
def test_behind_a_known_head_all_is_read_as_behind_one_that_is_new(odd: bytes) -> None:
    told = []
    for warmed in (0, 2):
        reader = ResponseParser()
        for _ in range(warmed):
            reader.feed(STREAMED % b"a")
            reader.taken()
            reader.expect(only_head=False)
        # Longer than what is remembered, it is parsed each time.
        head = (b"x" * 3000 if not warmed else b"a").join((STREAMED % b"\0").split(b"\0")).partition(b"5\r\n")[0]
        reader.feed(head)
        fault = ""
        try:
            reader.feed(odd)
        except MalformedResponse as error:
            fault = str(error)
        told.append((fault, b"".join(reader.parts), reader.ended, reader.keep_alive, reader.between))
    assert told[0] == told[1]


@pytest.mark.parametrize("head", [b"", b"Connection: close\r\n", b"Content-Length: 5\r\n", b"X: a\0\r\n"])
def test_only_a_lasting_stream_is_known(head: bytes) -> None:
    """What is parsed anew says the same each time."""
    told = []
    for _ in range(2):
        reader = ResponseParser()
        fault = False
        try:
            reader.feed(OK + head + (b"Transfer-Encoding: chunked\r\n" if b"Length" not in head else b"") + b"\r\n")
            reader.feed(b"hello")
        except MalformedResponse:
            fault = True
        told.append((fault, reader.keep_alive, reader.between, b"".join(reader.parts)))
    assert told[0] == told[1]


@pytest.mark.parametrize("more", [b"rubbish", COUNTED])
@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("first", [COUNTED, STREAMED % b"a"], ids=["counted", "streamed"])
def test_what_follows_a_whole_answer_spoils_the_connection_alone(first: bytes, more: bytes, apart: bool) -> None:
    reader = ResponseParser()
    for piece in (first, more) if apart else (first + more,):
        reader.feed(piece)
    assert reader.taken() == b"hello"
    assert reader.head is not None
    assert (reader.head.status, reader.ended, reader.keep_alive) == (200, True, False)


def test_an_answer_to_head_has_no_body() -> None:
    reader = ResponseParser()
    reader.expect(only_head=True)
    reader.feed(OK + b"Content-Length: 5\r\n\r\n")
    assert (reader.ended, reader.keep_alive, reader.parts) == (True, False, [])


@pytest.mark.parametrize("status", [204, 304])
def test_some_answers_never_have_a_body(status: int) -> None:
    reader = ResponseParser()
    reader.feed(b"HTTP/1.1 %d X\r\n\r\n" % status)
    assert reader.head is not None
    assert (reader.head.status, reader.ended, reader.keep_alive) == (status, True, True)
