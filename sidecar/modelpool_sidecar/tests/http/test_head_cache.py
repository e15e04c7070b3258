"""Heads that are known again: only where nothing but the length is another."""

import pytest

from modelpool_sidecar.http import head_cache
from modelpool_sidecar.http.client.response_parser import ResponseParser
from modelpool_sidecar.http.server.request_parser import HeadCache
from modelpool_sidecar.http.server.request_reader import RequestReader

HEAD = b"POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: %b\r\nX-A: b\r\n\r\n"


@pytest.mark.parametrize("digits", [b"0", b"7", b"0012", b"9" * 15])
def test_a_length_is_left_out_and_found_again(digits: bytes) -> None:
    text = HEAD % digits
    before, length, behind = head_cache.parted(text + b"body", len(text))
    assert (before + digits + behind, length) == (text, int(digits))
    for other in (b"0", b"31", b"9" * 15):
        assert head_cache.again(HEAD % other + b"more", before, behind) == (int(other), len(HEAD % other))


@pytest.mark.parametrize("digits", [b"", b"+1", b"-1", b"1_0", b"0x1", b" 1", b"1 ", b"1,1", b"9" * 16, b"\xc2\xb2"])
def test_what_is_no_plain_number_is_not_left_out(digits: bytes) -> None:
    text = HEAD % digits
    assert head_cache.parted(text, len(text)) == (text, 0, b"")
    before, _, behind = head_cache.parted(HEAD % b"1", len(HEAD % b"1"))
    assert head_cache.again(text, before, behind) is None


@pytest.mark.parametrize(
    "other",
    [b"", HEAD[:20], HEAD % b"1" + b"", HEAD.replace(b"X-A", b"X-B") % b"1", HEAD.replace(b"Host", b"host") % b"1"],
)
def test_another_head_is_not_known_again(other: bytes) -> None:
    before, _, behind = head_cache.parted(HEAD % b"1", len(HEAD % b"1"))
    assert (head_cache.again(other, before, behind) is None) == (other != HEAD % b"1")


def taken(requests: RequestReader, data: bytes) -> list[tuple[str, str | None, bytes]]:
    requests.feed(data)
    found = []
    while (request := requests.take()) is not None:
        head, body = request
        found.append((head.path, head.headers.get("X-A"), body))
    return found


def test_requests_on_one_connection_are_told_apart() -> None:
    heads = HeadCache(1000, lambda _: False)
    requests = RequestReader(heads)
    assert taken(requests, HEAD % b"2" + b"hi" + HEAD % b"3" + b"you") == [
        ("/v1/completions", "b", b"hi"),
        ("/v1/completions", "b", b"you"),
    ]
    other = HEAD.replace(b"X-A: b", b"X-A: c")
    assert taken(requests, other % b"0" + HEAD % b"1" + b"!") == [
        ("/v1/completions", "c", b""),
        ("/v1/completions", "b", b"!"),
    ]
    (first, _), (second, _) = (heads.read(HEAD % digits, len(HEAD % digits))[:2] for digits in (b"5", b"6"))  # type: ignore[index]
    assert first is second


def test_a_head_that_is_known_may_come_with_too_large_a_body() -> None:
    requests = RequestReader(HeadCache(10, lambda _: False))
    assert taken(requests, HEAD % b"10" + b"x" * 10) == [("/v1/completions", "b", b"x" * 10)]
    assert taken(requests, HEAD % b"11") == []
    assert requests.uncommon
    assert requests.held == HEAD % b"11"


@pytest.mark.parametrize(
    "line",
    [b"Content-Length:2", b"CONTENT-LENGTH: 2", b"Content-Length:\t2", b"Content-Length: 2 ", b"content-length: 2"],
)
def test_a_length_may_be_written_in_any_way(line: bytes) -> None:
    head = HEAD.replace(b"Content-Length: %b", line)
    for requests in (RequestReader(HeadCache(1000, lambda _: False)),) * 2:
        assert taken(requests, head + b"hi") == [("/v1/completions", "b", b"hi")]


def test_what_asks_for_a_page_has_no_body() -> None:
    requests = RequestReader(HeadCache(1000, lambda _: False))
    get = HEAD.replace(b"POST", b"GET")
    assert taken(requests, get % b"0") == [("/v1/completions", "b", b"")]
    assert taken(requests, get % b"1") == []
    assert requests.uncommon


ANSWER = b"HTTP/1.1 200 OK\r\nDate: %b\r\nContent-Length: %d\r\nX-Request-Id: %b\r\nX-A: b\r\n\r\n%b"


def answered(reader: ResponseParser, data: bytes) -> tuple[object, ...]:
    reader.expect(only_head=False)
    reader.feed(data)
    assert reader.head is not None
    return reader.head.status, list(reader.head.headers), reader.taken(), reader.ended, reader.keep_alive


def test_answers_that_differ_in_what_is_their_own_share_a_head() -> None:
    reader, heads = ResponseParser(), []
    for date, number in ((b"now", b"1"), (b"now", b"2"), (b"later", b"3"), (b"later", b"4444")):
        body = b"x" * int(number[:1])
        want = (200, [("X-A", "b")], body, True, True)
        assert answered(reader, ANSWER % (date, len(body), number, body)) == want
        heads.append(reader.head)
    assert all(head is heads[0] for head in heads)


@pytest.mark.parametrize(
    ("status", "more"), [(b"404 Not Found", b""), (b"200 OK", b"X-B: 1\r\n"), (b"200 OK", b"Connection: close\r\n")]
)
def test_an_answer_with_another_head_is_read_anew(status: bytes, more: bytes) -> None:
    reader = ResponseParser()
    usual = ANSWER % (b"now", 2, b"1", b"hi")
    assert answered(reader, usual)[0] == 200
    other = usual.replace(b"200 OK", status).replace(b"X-A", more + b"X-A")
    got = answered(reader, other)
    assert got[0] == int(status[:3])
    assert len(got[1]) == 1 + bool(more)  # type: ignore[arg-type]
    assert got[4] == (b"close" not in more)


@pytest.mark.parametrize("cut", range(1, len(ANSWER % (b"now", 2, b"1", b"hi"))))
def test_an_answer_in_two_pieces_after_a_whole_one(cut: int) -> None:
    reader = ResponseParser()
    usual = ANSWER % (b"now", 2, b"1", b"hi")
    want = answered(reader, usual)
    reader.expect(only_head=False)
    reader.feed(usual[:cut])
    assert not reader.ended
    reader.feed(usual[cut:])
    assert reader.head is not None
    assert (reader.head.status, list(reader.head.headers), reader.taken(), reader.ended, reader.keep_alive) == want
    assert answered(reader, usual) == want


def test_more_than_a_whole_answer_spoils_a_connection_whose_answers_are_known() -> None:
    reader = ResponseParser()
    usual = ANSWER % (b"now", 2, b"1", b"hi")
    answered(reader, usual)
    assert answered(reader, usual + usual)[2:] == (b"hi", True, False)
