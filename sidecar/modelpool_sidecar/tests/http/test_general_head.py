"""Heads at the side door: the same head or the same refusal, in whatever pieces it comes."""

from hypothesis import given
from hypothesis import strategies as st

from modelpool_sidecar.http.server.general.head import GeneralHead, HeadReader, refused

STARTS = st.sampled_from(
    [
        b"GET / HTTP/1.1\r\n", b"POST /v1/messages HTTP/1.1\r\n", b"POST /a%20b?c=%20d HTTP/1.0\r\n",
        b"GET / HTTP/1.2\r\n",
        b"GET / HTTP/2.0\r\n", b"OPTIONS * HTTP/1.1\r\n", b"GET http://x/a?b HTTP/1.1\r\n",
        b"CONNECT x:80 HTTP/1.1\r\n",
        b"PRI * HTTP/2.0\r\n", b"get / HTTP/1.1\r\n", b"GET /\xc3\xa4 HTTP/1.1\r\n",
        b"GET / HTTP/1.1\n", b"GET  / HTTP/1.1\r\n",
    ]
)  # fmt: skip
LINES = st.lists(
    st.sampled_from(
        [
            b"Host: x\r\n", b"Host: x\r\n", b"Host: y z\r\n", b"Content-Length: 5\r\n",
            b"Transfer-Encoding: chunked\r\n",
            b"Connection: Upgrade\r\nUpgrade: h2c\r\n", b"Expect: 100-continue\r\n", b"Content-Encoding: gzip\r\n",
            b"Connection: close\r\n",
            b"X-A: \xff\r\n", b"X-B:\r\n", b" folded\r\n", b"X: \0\r\n", b"bare\r\n", b"X: y\n",
        ]
    ),
    max_size=5,
)  # fmt: skip


def read(text: bytes, sizes: list[int]) -> GeneralHead | None:
    """What is read, when so many bytes more are there each time."""
    reader, size = HeadReader(), 0
    try:
        for more in [*sizes, len(text)]:
            size = min(size + more, len(text))
            found = reader.read(text[:size]) if size else None
            if found is not None:
                assert found[0].fault is not None or text[: found[1]].endswith(b"\r\n\r\n")
                return found[0]
        return None
    finally:
        reader.forget()


@given(STARTS, LINES, st.lists(st.integers(1, 30), max_size=30))
def test_a_head_is_read_in_whatever_pieces(start: bytes, lines: list[bytes], sizes: list[int]) -> None:
    text = start + b"".join(lines) + b"\r\n"
    one, other = read(text + b"GET /behind HTTP/1.1\r\n\r\n", []), read(text, sizes)
    assert (one is None) is (other is None)
    if one is None or other is None:
        return
    assert (one.fault is None) is (other.fault is None)
    if one.fault is not None and other.fault is not None:
        assert one.fault.status == other.fault.status
        return
    assert (one.head.method, one.head.path, one.head.query) == (other.head.method, other.head.path, other.head.query)
    assert one.head.headers == other.head.headers
    assert (one.keep_alive, one.waits, one.length, one.chunked, one.coding, one.http10) == (
        other.keep_alive, other.waits, other.length, other.chunked, other.coding, other.http10,
    )  # fmt: skip


@given(st.binary(max_size=200), st.lists(st.integers(1, 30), max_size=10))
def test_any_bytes_are_a_head_or_refused_or_not_whole(data: bytes, sizes: list[int]) -> None:
    asked = read(data, sizes)
    assert asked is None or asked.fault is not None or asked.head.method
    assert refused(data).fault is None


def test_what_is_known_of_a_head_that_is_not_whole() -> None:
    assert refused(b"POST /v1/mess").head.path == "/v1/mess"
    assert refused(b"HEAD /api/chat HTTP/1.0\r\nHo").bodiless
    assert refused(b"HEAD /api/chat HTTP/1.0\r\nHo").http10
    assert (refused(b"\xff\xff").head.method, refused(b"").head.path) == ("", "")


def test_a_target_in_full_names_the_host() -> None:
    asked = read(b"GET http://user@other:80/a%20b?c HTTP/1.1\r\nHost: x\r\n\r\n", [])
    assert asked is not None
    assert (asked.head.path, asked.head.query, asked.head.headers["Host"]) == ("/a b", "c", "other:80")
