import json
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelpool_sidecar.dialects import sse
from modelpool_sidecar.dialects.bounds import Bounds
from modelpool_sidecar.dialects.errors import EngineError

from . import recordings
from .cutting import CUTS, QUICK, bytewise, pieces

STREAMS = {
    "one event": (b"data: a\n\n", [b"a"]),
    "no space after the colon": (b"data:a\n\n", [b"a"]),
    "only one space is cut": (b"data:  a\n\n", [b" a"]),
    "several lines of data": (b"data: a\ndata:\ndata: b\n\n", [b"a\n\nb"]),
    "CR LF": (b"data: a\r\n\r\ndata: b\r\n\r\n", [b"a", b"b"]),
    "CR LF between lines of data": (b"data: a\r\ndata: b\r\n\r\n", [b"a\nb"]),
    "CR alone": (b"data: a\r\rdata: b\r\r", [b"a", b"b"]),
    "mixed ends": (b"data: a\n\r\ndata: b\r\n\rdata: c\n\n", [b"a", b"b", b"c"]),
    "comments": (b": keep-alive\n\n:\ndata: a\n: inside\n\n", [b"a"]),
    "empty lines": (b"\n\n\ndata: a\n\n\n\n", [b"a"]),
    "a byte order mark": (b"\xef\xbb\xbfdata: a\n\n", [b"a"]),
    "a byte order mark later is text": (b"data: a\n\n\xef\xbb\xbfdata: b\n\n", [b"a"]),
    "unknown fields": (b"retry: 5\nfoo: b\nfoo\ndata: a\n\n", [b"a"]),
    "no data, no event": (b"event: x\n\n", []),
    "U+2028 is text": ("data: a\u2028b\u2029c\u0085d\n\n".encode(), ["a\u2028b\u2029c\u0085d".encode()]),
    "vertical tab, form feed and NUL are text": (b"data: a\x0bb\x0cc\x00d\n\n", [b"a\x0bb\x0cc\x00d"]),
    "multi-byte characters": ("data: é😀\n\n".encode(), ["é😀".encode()]),
    "invalid UTF-8 is left to the reader": (b"data: \xff\n\n", [b"\xff"]),
    "an end without an empty line": (b"data: a\n\ndata: b\n", [b"a", b"b"]),
    "an end inside a line": (b"data: a\n\ndata: b", [b"a", b"b"]),
    "empty data": (b"data\n\n", [b""]),
}


def decoded(chunks: Iterable[bytes]) -> list[sse.Event]:
    decoder = sse.Decoder()
    events = [event for chunk in chunks for event in decoder.feed(chunk)]
    return events + decoder.close()


@pytest.mark.parametrize(("stream", "want"), STREAMS.values(), ids=STREAMS.keys())
def test_decoder_gives_the_same_whole_and_byte_by_byte(stream: bytes, want: list[bytes]) -> None:
    assert [event.data for event in decoded([stream])] == want
    assert [event.data for event in decoded(bytewise(stream))] == want
    assert [event.data for event in decoded([b"", stream, b""])] == want


@given(cuts=CUTS)
@QUICK
@pytest.mark.parametrize(
    "name", ["12-chat-stream-usage", "25-chat-reasoning-parser-stream", "35-anthropic-messages-stream"]
)
def test_decoder_gives_the_same_however_a_recording_is_cut(name: str, cuts: list[int]) -> None:
    stream = recordings.load(f"vllm/{name}").body
    whole = decoded([stream])
    assert len(whole) > 3
    assert decoded(pieces(stream, cuts)) == whole
    assert all(event.data == b"[DONE]" or json.loads(event.data) for event in whole)


@given(data=st.lists(st.binary(min_size=1).filter(lambda text: b"\r" not in text)), cuts=CUTS)
@QUICK
def test_encoded_events_come_back(data: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(sse.encode(one) for one in data)
    assert [event.data for event in decoded(pieces(stream, cuts))] == data


def test_event_carries_its_name_and_the_last_id() -> None:
    events = decoded([b"id: 7\nevent:  ping\ndata: a\n\ndata: b\n\nid: 8\x009\ndata: c\n\n"])
    assert [(event.event, event.id) for event in events] == [(" ping", "7"), ("", "7"), ("", "7")]


def test_encode_writes_the_event_name() -> None:
    assert sse.encode(b"{}", event="error") == b"event: error\ndata: {}\n\n"


@pytest.mark.parametrize("stream", [b"data: " + b"x" * 100, b"data: xxxxxxxxxx\n" * 10], ids=["one line", "many lines"])
def test_giant_event_is_the_engines_fault(stream: bytes) -> None:
    decoder = sse.Decoder(Bounds(line_bytes=64))
    with pytest.raises(EngineError, match="more than 64 bytes"):
        for chunk in bytewise(stream):
            decoder.feed(chunk)


def test_limit_counts_one_event_not_the_stream() -> None:
    decoder = sse.Decoder(Bounds(line_bytes=64))
    assert sum(len(decoder.feed(b"data: " + b"x" * 40 + b"\n\n")) for _ in range(10)) == 10
