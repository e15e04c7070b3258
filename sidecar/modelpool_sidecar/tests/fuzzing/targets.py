"""One function per codec and translator: any bytes in, and an answer, a typed fault, or an AssertionError.

The first bytes of the input choose how the rest is cut or used, so that the fuzzer can vary both.
"""

import contextlib
import json
from collections.abc import Callable, Iterator
from typing import Final
from unittest import mock

from modelpool_sidecar.dialects import calls, errors, go_decoding, go_json, sse, stream_end
from modelpool_sidecar.dialects.answer import Answer
from modelpool_sidecar.dialects.bodies import read_body
from modelpool_sidecar.dialects.body_facts import facts_of
from modelpool_sidecar.dialects.bounds import Bounds
from modelpool_sidecar.dialects.cors import HostPolicy, is_local
from modelpool_sidecar.dialects.dialect import Dialect, Operation
from modelpool_sidecar.dialects.errors import EngineError, Refusal
from modelpool_sidecar.dialects.go_json import parse_keep_alive
from modelpool_sidecar.dialects.model_field import replace_model
from modelpool_sidecar.http.errors import BadRequestError
from modelpool_sidecar.serving.model_renaming import whole
from modelpool_sidecar.serving.transforms import Passthrough
from modelpool_sidecar.translation import Backend, Exchange, Timings, Translation, repeated_chunks, translate

from .framing import caller_requests, engine_answer

_BOUNDS: Final = Bounds(line_bytes=1 << 16)
_BACKEND: Final = Backend(model="served", context_length=4096)
_TIMINGS: Final = Timings(epoch_ns=1795357231_123456789, started_ns=1000, dispatched_ns=2000)
_NOW: Final = 9000
_NAMES: Final = "served", "asked"
_CALLS: Final = tuple(Translation)
_BODIES: Final = {
    Translation.CHAT: b'{"model":"m","messages":[{"role":"user","content":"x"}],"stream":%b}',
    Translation.GENERATE: b'{"model":"m","prompt":"x","stream":%b}',
    Translation.EMBED: b'{"model":"m","input":"x"}',
    Translation.EMBEDDING: b'{"model":"m","prompt":"x"}',
}


def _cut(data: bytes) -> Iterator[bytes]:
    """Pieces whose sizes the first byte decides."""
    size = (data[0] % 16 or 1_000_000) if data else 1
    return (data[begin : begin + size] for begin in range(1, len(data), size))


def sse_decoder(data: bytes) -> None:
    """However a stream is cut, the same events come out."""
    cut, one = sse.Decoder(_BOUNDS), sse.Decoder(_BOUNDS)
    events = [event for piece in _cut(data) for event in cut.feed(piece)] + cut.close()
    assert events == one.feed(data[1:]) + one.close()


def sse_round_trip(data: bytes) -> None:
    """What is encoded is decoded; line ends inside become LF."""
    want = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    decoder = sse.Decoder()
    assert [event.data for event in decoder.feed(sse.encode(data, event="x"))] == [want]
    assert decoder.close() == []


def request_head(data: bytes) -> None:
    """A body is read or refused, in every dialect."""
    for dialect in Dialect:
        for operation in (Operation.CHAT, Operation.GENERATE, Operation.EMBED, Operation.SHOW_MODEL):
            try:
                assert facts_of(data, dialect, operation).model
            except BadRequestError as error:
                json.loads(errors.render(Refusal.of(error), dialect).body)


def form_data(data: bytes) -> None:
    """A form is read or refused, and with another model it differs in that alone."""
    for content in (data, b'--b\r\nContent-Disposition: form-data; name="model"\r\n\r\nm\r\n--b' + data):
        try:
            read = read_body(content, "multipart/form-data; boundary=b", Dialect.OPENAI, Operation.TRANSCRIBE)
        except BadRequestError as error:
            json.loads(errors.render(Refusal.of(error), Dialect.OPENAI).body)
            continue
        renamed = read.renamed("other")
        again = read_body(renamed, "multipart/form-data; boundary=b", Dialect.OPENAI, Operation.TRANSCRIBE)
        assert again.facts.model == "other"
        assert again.facts.stream == read.facts.stream


def model_name(data: bytes) -> None:
    """The model is replaced for every reader, and nothing else is."""
    try:
        before = json.loads(data)
    except (ValueError, RecursionError):
        before = None
    try:
        head = facts_of(data, Dialect.OPENAI, Operation.CHAT)
        after = replace_model(data, "new")
    except BadRequestError:
        return
    assert head.model
    if isinstance(before, dict):
        pairs: list[tuple[str, object]] = json.loads(after, object_pairs_hook=list)
        assert all(value == "new" for name, value in pairs if name.lower() == "model" and name.isascii())
        rest = {name: value for name, value in before.items() if name.lower() != "model"}
        assert repr({name: value for name, value in json.loads(after).items() if name.lower() != "model"}) == repr(rest)


def translated_request(data: bytes) -> None:
    """An Ollama body becomes a body for vLLM, a finished answer, or a refusal; both bodies are JSON, and text."""
    if not data:
        return
    try:
        made = translate(_CALLS[data[0] % 4], data[1:], _BACKEND, epoch_ns=1)
    except BadRequestError as error:
        json.loads(errors.render(Refusal.of(error), Dialect.OLLAMA).body)
        return
    document = json.loads(made.body)
    json.dumps(document, ensure_ascii=False).encode()  # no half of a surrogate pair
    assert isinstance(made, Answer) or document["model"] == "served"


def read_by_go(data: bytes) -> None:
    """Whatever comes is text, and the same when it comes again; what was JSON says the same."""
    read = go_decoding.well_formed(data)
    read.decode()
    assert go_decoding.well_formed(read) == read
    try:
        before = json.loads(data.decode())
    except (ValueError, RecursionError):
        return
    with contextlib.suppress(UnicodeEncodeError):
        json.dumps(before, ensure_ascii=False).encode()
        assert repr(json.loads(read)) == repr(before)


def translated_reply(data: bytes) -> None:
    """Whatever an engine sends becomes lines that end as a stream must, one document, or a fault."""
    if not data:
        return
    call, stream = _CALLS[data[0] % 4], bool(data[0] & 4)
    body = _BODIES[call]
    asked = body % (b"true" if stream else b"false") if b"%b" in body else body
    made = translate(call, asked, _BACKEND, epoch_ns=1)
    assert isinstance(made, Exchange)
    reply = made.open(_TIMINGS)
    try:
        given = b"".join([reply.feed(piece, _NOW) for piece in _cut(data[1:])])
        given += reply.close(_NOW) if made.stream else reply.answer(_NOW).body
    except EngineError as fault:
        json.loads(errors.render(Refusal.of(fault), Dialect.OLLAMA).body)
        return
    lines = [json.loads(line) for line in given.split(b"\n") if line]
    assert lines
    if made.stream:
        assert "error" in lines[-1] or lines[-1]["done"] is True
        assert all(line.get("done") is False for line in lines[:-1])


def translated_repeats(data: bytes) -> None:
    """An event that is read by its likeness to those before says what decoding it whole would have said."""
    if not data:
        return
    short = _told(data)
    with mock.patch.object(repeated_chunks, "learn", return_value=None):
        assert short == _told(data)


def _told(data: bytes) -> list[object]:
    call = Translation.GENERATE if data[0] & 1 else Translation.CHAT
    made = translate(call, _BODIES[call] % (b"false" if data[0] & 2 else b"true"), _BACKEND, epoch_ns=1)
    assert isinstance(made, Exchange)
    reply = made.open(_TIMINGS)
    told: list[object] = []
    try:
        for place, piece in enumerate(_cut(data[1:])):
            told.append(reply.feed(piece, _NOW + place))
        told.append(reply.close(_NOW) if made.stream else reply.answer(_NOW))
    except EngineError as fault:
        told.append((fault.status, fault.message))
    return [*told, reply.usage, reply.first_ns, reply.failed]


def translated_error(data: bytes) -> None:
    """An engine's error of any status becomes one in Ollama's words."""
    if not data:
        return
    made = translate(Translation.CHAT, _BODIES[Translation.CHAT] % b"true", _BACKEND, epoch_ns=1)
    assert isinstance(made, Exchange)
    answer = made.open(_TIMINGS).refused(400 + data[0] % 200, data[1:])
    assert json.loads(answer.body)["error"]
    assert answer.status >= 400


def untouched_stream(data: bytes) -> None:
    """With another name nothing is lost, and the end is judged without a crash."""
    for dialect in Dialect:
        same, other = (Passthrough(dialect, "served", name) for name in ("served", "asked"))
        try:
            plain = b"".join([same.feed(piece) for piece in _cut(data)])
            named = b"".join([other.feed(piece) for piece in _cut(data)])
            plain, named = plain + same.close(), named + other.close()
        except EngineError:
            continue
        assert len(plain) - len(named) == plain.count(b'"model":"served"') - named.count(b'"model":"served"')
        assert same.failed == other.failed
        assert same.failed != stream_end.is_whole(dialect, data[1:][-stream_end.TAIL_BYTES :])


def whole_answer(data: bytes) -> None:
    """A document with another name is as long as before, but for the names."""
    try:
        named = whole(data, *_NAMES)
    except EngineError:
        return
    assert len(data) - len(named) == data.count(b'"model":"served"') - named.count(b'"model":"served"')


def paths_and_headers(data: bytes) -> None:
    """Any path, host and origin is judged."""
    text = data.decode("latin-1")
    for method in ("GET", "POST", "DELETE", text[:4]):
        found = calls.resolve(method, "/" + text)
        assert isinstance(found, calls.Call | Refusal)
    calls.dialect_of(text)
    is_local(text, "box")
    HostPolicy(origins=("https://*.example.org",), loopback=True).check("OPTIONS", {"Origin": text, "Host": text})


def durations_and_escapes(data: bytes) -> None:
    """A duration is read or refused; Go's escapes change no value."""
    text = data.decode("utf-8", "replace")
    with contextlib.suppress(BadRequestError):
        assert parse_keep_alive(text) >= 0
    assert json.loads(go_json.encode(text)) == text


TARGETS: Final[dict[str, Callable[[bytes], None]]] = {
    target.__name__: target
    for target in (
        sse_decoder,
        sse_round_trip,
        request_head,
        form_data,
        model_name,
        translated_request,
        read_by_go,
        translated_reply,
        translated_repeats,
        translated_error,
        untouched_stream,
        whole_answer,
        paths_and_headers,
        durations_and_escapes,
        engine_answer,
        caller_requests,
    )
}
