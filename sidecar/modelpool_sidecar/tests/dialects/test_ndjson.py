import json
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelpool_sidecar.dialects import ndjson
from modelpool_sidecar.dialects.bounds import Bounds
from modelpool_sidecar.dialects.errors import EngineError

from . import recordings
from .cutting import CUTS, QUICK, bytewise, pieces

STREAMS = {
    "lines": (b'{"a":1}\n{"b":2}\n', [b'{"a":1}', b'{"b":2}']),
    "CR LF": (b'{"a":1}\r\n{"b":2}\r\n', [b'{"a":1}', b'{"b":2}']),
    "blank lines": (b'\n \n{"a":1}\n\r\n\t\n', [b'{"a":1}']),
    "a last line without its end": (b'{"a":1}\n{"b":2}', [b'{"a":1}', b'{"b":2}']),
    "CR alone ends nothing": (b'{"a":\r1}\n', [b'{"a":\r1}']),
    "U+2028 is text": ('{"a":"\u2028"}\n'.encode(), ['{"a":"\u2028"}'.encode()]),
    "NUL is text": (b"a\x00b\n", [b"a\x00b"]),
    "nothing": (b"", []),
}


def decoded(chunks: Iterable[bytes]) -> list[bytes]:
    decoder = ndjson.Decoder()
    lines = [line for chunk in chunks for line in decoder.feed(chunk)]
    return lines + decoder.close()


@pytest.mark.parametrize(("stream", "want"), STREAMS.values(), ids=STREAMS.keys())
def test_decoder_gives_the_same_whole_and_byte_by_byte(stream: bytes, want: list[bytes]) -> None:
    assert decoded([stream]) == want
    assert decoded(bytewise(stream)) == want


@given(cuts=CUTS)
@QUICK
def test_decoder_gives_the_same_however_a_recording_is_cut(cuts: list[int]) -> None:
    stream = recordings.load("ollama/40-think-stream").body
    lines = decoded(pieces(stream, cuts))
    assert [json.loads(line) for line in lines] == recordings.load("ollama/40-think-stream").lines


@given(values=st.lists(st.text() | st.integers()), cuts=CUTS)
@QUICK
def test_encoded_lines_come_back(values: list[object], cuts: list[int]) -> None:
    stream = b"".join(
        ndjson.encode(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")) for value in values
    )
    assert len(decoded(pieces(stream, cuts))) == len(values)


def test_giant_line_is_the_engines_fault() -> None:
    decoder = ndjson.Decoder(Bounds(line_bytes=64))
    with pytest.raises(EngineError, match="more than 64 bytes"):
        for _ in range(100):
            decoder.feed(b"x")
