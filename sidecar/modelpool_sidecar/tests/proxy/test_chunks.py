import pytest

from modelpool_sidecar.proxy import chunks
from modelpool_sidecar.proxy.lean_response import AnswerReader

HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def framed(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


@pytest.mark.parametrize("length", [1, 2, 9, 10, 15, 16, 17, 255, 256, 257, 4095, 4096, 16000])
def test_a_whole_chunk_is_unframed(length: int) -> None:
    body = b"x" * length
    assert chunks.unframed(framed(body)) == body
    assert chunks.unframed(framed(body)) == body  # known now


def test_each_length_of_a_read_has_one_beginning() -> None:
    """Every chunk that is common is found, and no length fits two."""
    sizes = [len(framed(b"x" * length)) for length in range(1, 16000)]
    assert len(set(sizes)) == len(sizes)
    assert all(chunks.unframed(framed(b"x" * length)) is not None for length in range(1, 2000))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\r\n",
        b"0\r\n\r\n",
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
    assert chunks.unframed(data) is None


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


@pytest.mark.parametrize("cut", range(len(b"".join(PIECES))))
def test_a_chunk_may_begin_only_where_one_is_over(cut: int) -> None:
    """Whatever the reads: what is taken past the parser is exactly what it would have found."""
    whole = b"".join(PIECES)
    for reads in ([whole[:cut], whole[cut:]], [*PIECES[: cut % 10], b"".join(PIECES[cut % 10 :])], PIECES):
        reader, body = AnswerReader(), b""
        reader.feed(HEAD)
        for data in filter(None, reads):
            taken = chunks.unframed(data) if reader.between else None
            if taken is None:
                reader.feed(data)
                taken = reader.taken() if reader.parts else b""
            body += taken
        assert (body, reader.ended, reader.between) == (b"hello5helloabcab", True, False)
        reader.forget()
