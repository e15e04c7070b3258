import pytest

from modelpool_sidecar.http import chunked
from modelpool_sidecar.http.client.response_parser import ResponseParser

HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def framed(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


@pytest.mark.parametrize("length", [*range(1, 300), 4095, 4096, 16000])
def test_the_data_of_a_whole_chunk_is_found(length: int) -> None:
    chunk = framed(b"x" * length)
    assert chunk[chunked.begin(chunk) : -2] == b"x" * length
    assert chunked.begin(chunk) == len(b"%x" % length) + 2


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\r\n",
        b"0\r\n\r\n",
        b"00\r\n\r\n",
        b"1\r\n\r\n",
        b"11111111\r\n",
        b"\r\n\r\n\r\n",
        b"\n1\r\nx\r\n",
        b"5\rx\nhello\r\n",
        b"5\r\nhello",
        b"5\r\nhello\r",
        b"5\r\nhello\n\n",
        b"5\nhello\r\n",
        b"6\r\nhello\r\n",
        b"05\r\nhello\r\n",
        b"+5\r\nhello\r\n",
        b"5 \r\nhello\r\n",
        b"5;a=b\r\nhello\r\n",
        b"5\r\nhello\r\n0\r\n\r\n",
        b"5\r\nhello\r\n5\r\nhello\r\n",
        b"A\r\nhellohello\r\n",  # as good as a small letter, but no engine writes it
        framed(b"x" * 20_000),
    ],
)
def test_anything_else_is_for_the_parser(data: bytes) -> None:
    assert chunked.begin(data) == 0


PIECES = [
    b"5",
    b"\r\n",
    b"hello",
    b"\r\n",
    b"1\r\n5\r\n5\r\n",
    b"hello\r\n",
    b"3;a\r\nabc\r\n",
    b"2\r\nab\r\n",
    b"0\r\n",
    b"\r\n",
]


def read(reader: ResponseParser, data: bytes, *, poured: bool = True) -> bytes:
    """As a connection reads: while it is poured, what is whole chunks is passed on as it came."""
    found = b""
    if reader.between and poured:
        found, framed, data = reader.whole_chunks(data)
        assert carried(framed) == found
        if data:
            reader.parse(data)
    else:
        reader.feed(data)
    return found + (reader.taken() if reader.parts else b"")


def carried(framed: bytes) -> bytes:
    reader = ResponseParser()
    try:
        reader.parse(HEAD + framed)
        return reader.taken()
    finally:
        reader.forget()


@pytest.mark.parametrize("cut", range(len(b"".join(PIECES))))
def test_what_passes_the_parser_by_is_what_it_would_have_found(cut: int) -> None:
    whole = b"".join(PIECES)
    twice = [[whole[:cut], whole[cut:again], whole[again:]] for again in range(cut, len(whole))]
    byte_by_byte = [whole[:cut], *(whole[place : place + 1] for place in range(cut, len(whole)))]
    for reads in ([*PIECES[: cut % 10], b"".join(PIECES[cut % 10 :])], PIECES, byte_by_byte, *twice):
        reader, body = ResponseParser(), b""
        reader.feed(HEAD)
        assert reader.between
        for place, data in enumerate(filter(None, reads)):
            body += read(reader, data, poured=place % 3 != 1)
        assert (body, reader.ended, reader.between) == (b"hello5helloabcab", True, False)
        reader.forget()


@pytest.mark.parametrize("poured", [True, False])
@pytest.mark.parametrize("cut", range(len(HEAD), len(HEAD) + 40))
def test_chunks_that_come_with_the_head_pass_the_parser_by(cut: int, poured: bool) -> None:
    whole = HEAD + framed(b"hello") * 3 + framed(b"x" * 20) + b"0\r\n\r\n"
    reader = ResponseParser()
    reader.feed(whole[:cut])
    body = reader.taken() if reader.parts else b""
    assert body + read(reader, whole[cut:], poured=poured) == b"hello" * 3 + b"x" * 20
    assert reader.ended
    reader.forget()


@pytest.mark.parametrize("cut", range(1, len(framed(b"hello"))))
def test_what_is_here_of_a_chunk_is_not_lost_when_its_engine_dies(cut: int) -> None:
    reader = ResponseParser()
    reader.feed(HEAD)
    assert read(reader, framed(b"hello")[:cut]) == b""
    assert reader.head is not None
    reader.spill()
    assert b"".join(reader.parts) == b"hello"[: max(0, cut - 3)]
    with pytest.raises(EOFError):
        reader.end()
    reader.forget()


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (framed(b"a") + framed(b"bc" * 9), (b"a" + b"bc" * 9, 6 + 24, 0)),
        (framed(b"a") + b"0\r\n\r\n", (b"a", 6, 0)),
        (framed(b"a") + b"3\r\nab", (b"a", 6, 3)),
        (framed(b"a") + b"3\r\nabc\r", (b"a", 6, 1)),
        (framed(b"a") + b"3\r\nabc\n", (b"a", 6, 0)),
        (framed(b"a") + b"1f", (b"a", 6, 1)),
        (framed(b"a") + b"1f\r", (b"a", 6, 1)),
        (framed(b"a") + b"1g", (b"a", 6, 0)),
        (framed(b"a") + b"A\r\n" + b"x" * 10 + b"\r\n", (b"a" + b"x" * 10, 21, 0)),
        (framed(b"a") + b"3;a\r\nabc\r\n", (b"a", 6, 0)),
        (framed(b"a") + b"-1\r\nabc\r\n", (b"a", 6, 0)),
        (framed(b"x" * 20_000), (b"", 0, 0)),
        (framed(b"x" * 20_000)[:900], (b"", 0, 0)),
        (framed(b"a") + b"\n", (b"a", 6, 0)),
        (framed(b"a") + b"\r\n", (b"a", 6, 0)),
        (b"", (b"", 0, 0)),
    ],
)
def test_several_chunks_are_walked(data: bytes, found: tuple[bytes, int, int]) -> None:
    assert chunked.several(data) == found


@pytest.mark.parametrize("length", [1, 15, 16, 4096, 16384, 16385, 70_000])
def test_a_chunk_is_framed(length: int) -> None:
    body = b"x" * length
    assert chunked.framed(body) == chunked.framed(body) == framed(body)
