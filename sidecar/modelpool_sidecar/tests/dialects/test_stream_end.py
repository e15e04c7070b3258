import json

import pytest

from modelpool_sidecar.dialects import sse, stream_end
from modelpool_sidecar.dialects.dialect import Dialect

from . import recordings

WHOLE = [
    ("vllm/12-chat-stream-usage", Dialect.OPENAI),
    ("vllm/21-completions-stream-usage", Dialect.OPENAI),
    ("vllm/35-anthropic-messages-stream", Dialect.ANTHROPIC),
    ("ollama/31-v1-chat-stream", Dialect.OPENAI),
    ("ollama/34-v1-completions-stream-usage", Dialect.OPENAI),
    ("ollama/10-generate-stream", Dialect.OLLAMA),
    ("ollama/20-chat-stream", Dialect.OLLAMA),
    ("ollama/46b-tools-stream-parser", Dialect.OLLAMA),
    ("ollama/82-create-from-stream", Dialect.OLLAMA),
    ("ollama/84-err-create-from-unknown", Dialect.OLLAMA),
]


@pytest.mark.parametrize(("name", "dialect"), WHOLE)
def test_a_recorded_stream_is_whole_and_no_part_of_it_is(name: str, dialect: Dialect) -> None:
    stream = recordings.load(name).body
    assert stream_end.is_whole(dialect, stream[-stream_end.TAIL_BYTES :])
    last = stream.rstrip().rfind(b"\n")
    for cut in (1, last // 2, last):
        assert not stream_end.is_whole(dialect, stream[:cut][-stream_end.TAIL_BYTES :]), stream[:cut][-80:]


def test_the_quiet_end_of_a_killed_runner_is_not_whole() -> None:
    notes = (recordings.ROOT / "ollama/95-operational.txt").read_bytes()
    assert b'"model":""' in notes
    quiet = (
        b'data: {"id":"chatcmpl-1","model":"","choices":[{"index":0,"delta":{"content":""},"finish_reason":null}]}\n\n'
    )
    assert not stream_end.is_whole(Dialect.OPENAI, quiet)


def test_text_that_speaks_of_an_end_is_no_end() -> None:
    said = json.dumps({"choices": [{"delta": {"content": "data: [DONE]"}}]}).encode()
    assert not stream_end.is_whole(Dialect.OPENAI, sse.encode(said))
    line = json.dumps({"message": {"content": '"done":true'}, "done": False}, separators=(",", ":")).encode()
    assert not stream_end.is_whole(Dialect.OLLAMA, line + b"\n")


def test_broken_streams_end_in_an_error_of_their_dialect() -> None:
    assert stream_end.broken(Dialect.OLLAMA, "gone") == b'{"error":"gone"}\n'
    assert stream_end.broken(Dialect.OPENAI, "gone").startswith(b'data: {"error":{"message":"gone"')
    assert stream_end.broken(Dialect.ANTHROPIC, "gone").startswith(b'event: error\ndata: {"type":"error"')
    for dialect in Dialect:
        assert stream_end.broken(dialect, "gone").endswith(b"\n")


def test_ends_longer_than_the_tail_are_recognised() -> None:
    line = b'{"model":"m","done":true,"context":[' + b"4089," * 2000 + b'1],"total_duration":5,"eval_count":4}\n'
    assert stream_end.is_whole(Dialect.OLLAMA, line[-stream_end.TAIL_BYTES :])
    event = b'event: response.completed\ndata: {"response":"' + b"x" * 9000 + b'"}\n\n'
    assert stream_end.is_whole(Dialect.OPENAI, event[-stream_end.TAIL_BYTES :])
    assert not stream_end.is_whole(Dialect.OPENAI, event[:-10][-stream_end.TAIL_BYTES :])


@pytest.mark.parametrize(
    ("dialect", "tail", "want"),
    [
        (Dialect.OLLAMA, b'{"done":false}\n{"error":"x"}\n', True),
        (Dialect.OLLAMA, b'{"message":{"content":"error"},"done":true}\n', False),
        (Dialect.OPENAI, b'data: {"a":1}\n\ndata: {"error":{"message":"x"}}\n\ndata: [DONE]\n\n', True),
        (Dialect.OPENAI, b'data: {"error":{"message":"x"}}\r\n\r\ndata: [DONE]\r\n\r\n', True),
        (Dialect.OPENAI, b'data: {"choices":[]}\n\ndata: [DONE]\n\n', False),
        (Dialect.OPENAI, b'event: response.failed\ndata: {"x":1}\n\n', True),
        (Dialect.ANTHROPIC, b'event: error\ndata: {"type":"error"}\n\n', True),
        (Dialect.ANTHROPIC, b'event: message_stop\ndata: {"type":"message_stop"}\n\n', False),
        (Dialect.OPENAI, b"", False),
    ],
)
def test_an_error_at_the_end(dialect: Dialect, tail: bytes, want: bool) -> None:
    assert stream_end.is_error(dialect, tail) is want
