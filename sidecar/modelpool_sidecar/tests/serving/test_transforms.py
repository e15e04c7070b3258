"""Bytes on their way back, cut at every place: what comes out does not depend on how it came in."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelpool_sidecar.dialects import stream_end
from modelpool_sidecar.dialects.dialect import Dialect
from modelpool_sidecar.dialects.errors import EngineError
from modelpool_sidecar.serving import model_renaming
from modelpool_sidecar.serving.model_renaming import Renamer
from modelpool_sidecar.serving.transforms import Passthrough

SAME = "a", "a"
ALIAS = "qwen3:8b", 'odd "name"'
STREAM = (
    b'data: {"id":"1","model":"qwen3:8b","choices":[{"delta":{"content":"\\"model\\":\\"qwen3:8b\\""}}]}\n\n'
    b'data: {"id":"1","model":"qwen3:8b","choices":[{"delta":{"tool":{"model":"qwen3:8b"}}}]}\n\ndata: [DONE]\n\n'
)
RENAMED = STREAM.replace(b'"id":"1","model":"qwen3:8b"', b'"id":"1","model":"odd \\"name\\""')


def cut(data: bytes, places: list[int]) -> list[bytes]:
    ends = sorted({place % len(data) for place in places} | {len(data)})
    return [data[begin:end] for begin, end in zip([0, *ends], ends, strict=False) if end > begin]


@given(st.lists(st.integers(0, 10_000), max_size=8))
def test_a_stream_is_renamed_once_per_event_however_it_is_cut(places: list[int]) -> None:
    transform = Passthrough(Dialect.OPENAI, *ALIAS)
    assert b"".join(map(transform.feed, cut(STREAM, places))) + transform.close() == RENAMED
    assert not transform.failed


@pytest.mark.parametrize("size", [1, 2, 3])
def test_a_stream_is_renamed_when_its_events_come_whole(size: int) -> None:
    events = [event + b"\n\n" for event in STREAM.split(b"\n\n") if event]
    assert b"".join(events) == STREAM
    transform = Passthrough(Dialect.OPENAI, *ALIAS)
    groups = [b"".join(events[begin : begin + size]) for begin in range(0, len(events), size)]
    assert b"".join(map(transform.feed, groups)) + transform.close() == RENAMED


@given(st.lists(st.integers(0, 10_000), max_size=8))
def test_without_an_alias_every_chunk_passes_as_it_came(places: list[int]) -> None:
    transform = Passthrough(Dialect.OPENAI, *SAME)
    pieces = cut(STREAM, places)
    assert [transform.feed(piece) for piece in pieces] == pieces
    assert transform.close() == b""


ENDS = [
    (Dialect.OPENAI, b'data: {"a":1}\n\n', b"data: [DONE]\n\n"),
    (Dialect.OPENAI, b'data: {"a":1}\r\n\r\n', b"data: [DONE]\r\n\r\n"),
    (Dialect.OPENAI, b'data: {"a":1}\n\n', b"data: [DONE]\n\n\n  \n"),
    (Dialect.OPENAI, b'data: {"a":1}\n\n', b'data: "data: [DONE]\n\n'),
    (Dialect.OPENAI, b"data: [DONE]\n\n", b": ping\n\n"),
    (Dialect.OPENAI, b'data: {"a":1}\n\n', b'event: response.completed\ndata: {"x":"' + b"y" * 9000 + b'"}\n\n'),
    (Dialect.OLLAMA, b'{"done":false}\n', b'{"done":true}\n'),
    (Dialect.OLLAMA, b'{"done":false}\n', b'{"done":true}'),
    (Dialect.OLLAMA, b'{"done":true}\n', b'{"done":false}\n'),
    (Dialect.ANTHROPIC, b"event: x\ndata: {}\n\n", b'event: message_stop\ndata: {"type":"message_stop"}\n\n'),
]


@pytest.mark.parametrize(("dialect", "often", "last"), ENDS)
@given(st.integers(0, 40), st.lists(st.integers(0, 10_000), max_size=8), st.sampled_from([b"", b"3\r\n", b"0f0\r\n"]))
def test_the_end_of_a_stream_is_known_however_it_was_cut(
    dialect: Dialect, often: bytes, last: bytes, times: int, places: list[int], framing: bytes
) -> None:
    """What is kept of a stream says of its end what the whole stream says, framed as it came or not."""
    whole = often * times + last
    transform = Passthrough(dialect, *SAME)
    for piece in cut(whole, places) if places else [*[often] * times, last]:
        if not framing or not transform.passes(framing + piece + b"\r\n", len(framing)):
            assert transform.feed(piece) == piece
    assert (transform.close() == b"") is stream_end.is_whole(dialect, whole[-stream_end.TAIL_BYTES :])


@pytest.mark.parametrize(
    ("dialect", "begun", "want"),
    [
        (Dialect.OPENAI, b"data: {}\n\n", b"data: {"),
        (Dialect.OPENAI, b"data: {", b"\n\ndata: {"),
        (Dialect.OLLAMA, b'{"done":false}\n', b'{"error"'),
        (Dialect.OLLAMA, b'{"do', b'\n{"error"'),
        (Dialect.ANTHROPIC, b"event: x\ndata: {}\n\n", b"event: error\ndata: {"),
    ],
)
@pytest.mark.parametrize("ends", [Passthrough.close, Passthrough.cut])
def test_a_stream_without_its_end_gets_an_error(dialect: Dialect, begun: bytes, want: bytes, ends: object) -> None:
    transform = Passthrough(dialect, *SAME)
    transform.feed(begun)
    told = transform.close() if ends is Passthrough.close else transform.cut()
    assert told.startswith(want)
    assert transform.failed


def test_whole_events_behind_a_whole_event_pass() -> None:
    event, begun = b"3\r\ndata: {}\n\n\r\n", b"3\r\ndata: {}\n\r\n"
    transform = Passthrough(Dialect.OPENAI, *SAME)
    assert not transform.passes(event, 3)  # the first one may tell of an error
    transform.feed(b"data: {}\n\n")
    assert transform.passes(event, 3)
    assert transform.passes(begun, 3)
    assert not transform.passes(event, 3)  # it may belong to the one before
    assert transform.feed(b"\ndata: {}\n\n") == b"\ndata: {}\n\n"
    assert not transform.passes(b"3\r\n\ndata\r\n", 3)
    assert not Passthrough(Dialect.OPENAI, *ALIAS).passes(event, 3)


def test_before_anything_was_given_a_fault_is_raised() -> None:
    for fault in (Passthrough.close, Passthrough.cut):
        with pytest.raises(EngineError):
            fault(Passthrough(Dialect.OPENAI, *SAME))
    with pytest.raises(EngineError):
        Passthrough(Dialect.OPENAI, *SAME).feed(b'data: {"error": {"message": "EngineCore"}}\n\n')


REFUSALS = [
    (
        Dialect.OPENAI,
        b'data: {"error": {"message": "bad \\"code\\": 500", "type": "x", "param": null, "code": 400}}\n\n',
    ),
    (Dialect.OPENAI, b'data: {"error":{"message":"bad","code":422}}\r\n\r\n'),
    (
        Dialect.ANTHROPIC,
        b'event: error\ndata: {"type":"error","error":{"type":"invalid_request_error","message":"bad"}}\n\n',
    ),
]


@pytest.mark.parametrize(("dialect", "event"), REFUSALS)
@pytest.mark.parametrize("names", [SAME, ALIAS])
def test_a_refusal_that_comes_as_an_event_passes_and_is_no_fault(
    dialect: Dialect, event: bytes, names: tuple[str, str]
) -> None:
    """Another engine would carry it out without what was wrong, and the caller would not know."""
    transform = Passthrough(dialect, *names)
    end = b"data: [DONE]\n\n" if dialect is Dialect.OPENAI else b""
    assert transform.feed(event + end) + transform.close() == event + end
    assert (transform.failed, transform.faulty) == (False, False)


@pytest.mark.parametrize("code", [b"500", b"4000", b"404", b"null"])
def test_any_other_error_at_first_is_the_engines(code: bytes) -> None:
    with pytest.raises(EngineError):
        Passthrough(Dialect.OPENAI, *SAME).feed(
            b'data: {"error": {"message": "\\"code\\": 400", "code": %b}}\n\n' % code
        )


def test_a_document_is_renamed_and_an_aborted_one_is_a_fault() -> None:
    assert model_renaming.whole(b'{"model":"qwen3:8b","x":1.0}', *ALIAS) == b'{"model":"odd \\"name\\"","x":1.0}'
    with pytest.raises(EngineError):
        model_renaming.whole(b'{"choices":[{"finish_reason":"abort"}]}', *SAME)
    assert model_renaming.whole(b'{"content":"\\"finish_reason\\":\\"abort\\""}', *SAME)


@given(
    st.lists(st.sampled_from([b'"model":"far"', b'"model":"other"', b"x", b"\n", b"\r\n", b"data: "]), max_size=20),
    st.data(),
)
def test_names_are_replaced_once_in_each_line_however_it_comes(parts: list[bytes], data: st.DataObject) -> None:
    text = b"".join(parts)
    places = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    pieces = [text[begin:end] for begin, end in zip([0, *places], [*places, len(text)], strict=True)]
    renamer = Renamer("far", "near")
    told = b"".join(renamer.feed(piece) for piece in pieces) + renamer.close()
    want = [line.replace(b'"model":"far"', b'"model":"near"', 1) for line in text.split(b"\n")]
    assert told == b"\n".join(want)


def test_empty_lines_cost_bytes_and_not_lines() -> None:
    """An engine may send a line with every byte; to look at each stopped all callers for seconds."""
    renamer = Renamer("far", "near")
    flood = b"\n" * 250_000
    began = time.process_time()
    for _ in range(100):
        assert renamer.feed(flood) == flood
    assert time.process_time() - began < 1
