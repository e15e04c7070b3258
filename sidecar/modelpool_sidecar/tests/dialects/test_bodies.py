"""Bodies as values: whose model they name, how they name another, and what their prompts begin with."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelpool_sidecar.dialects.bodies import read_body
from modelpool_sidecar.dialects.dialect import Dialect, Operation
from modelpool_sidecar.http.errors import BadRequestError

TYPE = "multipart/form-data; boundary=----b"
FILE = (
    b'------b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n'
    b"Content-Type: audio/wav\r\n\r\n\x00\xffRIFF\r\n"
)
MODEL = b'------b\r\nContent-Disposition: form-data; name="model"\r\n\r\nwhisper\r\n'
STREAM = b"------b\r\ncontent-disposition:form-data;name=stream\r\n\r\ntrue\r\n"
END = b"------b--\r\n"


@pytest.mark.parametrize(
    ("content", "stream"),
    [(MODEL + FILE + END, False), (FILE + STREAM + MODEL + END, True), (b"preamble\r\n" + FILE + MODEL + END, False)],
)
def test_a_form_names_its_model_and_can_name_another(content: bytes, stream: bool) -> None:
    read = read_body(content, TYPE, Dialect.OPENAI, Operation.TRANSCRIBE)
    assert (read.facts.model, read.facts.stream, read.prefix(99)) == ("whisper", stream, b"")
    assert read.renamed("openai/whisper-small") == content.replace(b"whisper\r", b"openai/whisper-small\r")


@pytest.mark.parametrize(
    ("content", "kind", "want"),
    [
        (MODEL + END, "application/json", "must be multipart/form-data"),
        (MODEL + END, "multipart/form-data", "must be multipart/form-data"),
        (FILE + END, TYPE, "model is required"),
        (MODEL + MODEL + END, TYPE, "several models"),
        (MODEL.replace(b"whisper", b" ") + END, TYPE, "model is required"),
        (MODEL.replace(b"whisper", b"\xff") + END, TYPE, "not valid UTF-8"),
        (MODEL.replace(b"whisper", b"m" * 1025) + END, TYPE, "invalid model name"),
        (MODEL.replace(b"whisper", b"m" * 9000) + END, TYPE, "too long"),
        (MODEL, TYPE, "cut short"),
        (b"", TYPE, "no part"),
        (b"{}", TYPE, "no part"),
        (FILE * 64 + MODEL + END, TYPE, "more than 64 parts"),
    ],
)
def test_what_is_no_form_is_said(content: bytes, kind: str, want: str) -> None:
    with pytest.raises(BadRequestError, match=want):
        read_body(content, kind, Dialect.OPENAI, Operation.TRANSCRIBE)


@given(st.binary(max_size=200), st.text(min_size=1, max_size=20))
def test_files_pass_untouched_whatever_is_in_them(file: bytes, name: str) -> None:
    content = FILE.replace(b"\x00\xffRIFF", file.replace(b"------b", b"")) + MODEL + END
    read = read_body(content, TYPE, Dialect.OPENAI, Operation.TRANSCRIBE)
    assert read.renamed(name) == content[: -len(MODEL + END)] + MODEL.replace(b"whisper", name.encode()) + END


@pytest.mark.parametrize("key", ["messages", "prompt", "input"])
def test_prompts_that_begin_alike_have_one_prefix(key: str) -> None:
    def read(*texts: str, **more: object) -> bytes:
        body = json.dumps({"model": "m", **more, key: [{"role": "user", "content": text} for text in texts]})
        return read_body(body.encode(), "", Dialect.OPENAI, Operation.CHAT).prefix(40)

    assert read("a" * 40, "b") == read("a" * 40, "c", temperature=1) != read("b" * 40)
    assert read_body(b'{"model":"m"}', "", Dialect.OPENAI, Operation.CHAT).prefix(40) == b""


LOOSE = [b'{"model":"m","x":"%b"}' % text for text in (rb"\ud83d", b"\xff", b"x")]
LOOSE = [*LOOSE[:2], *(body + behind for body in LOOSE for behind in (b"}", b" {}", b"\xff", b" words"))]
CALLS = [Operation.CHAT, Operation.GENERATE, Operation.EMBED, Operation.SHOW_MODEL]


@pytest.mark.parametrize("body", [*LOOSE, b'{"model":"m\xff"}', rb'{"model":"m\udc00"}'])
@pytest.mark.parametrize("operation", CALLS)
def test_in_ollamas_dialect_what_go_reads_is_read(body: bytes, operation: Operation) -> None:
    read = read_body(body, "", Dialect.OLLAMA, operation)
    assert read.facts.model in ("m", "m\ufffd")
    found = json.loads(read.renamed("other").decode(errors="replace"))
    assert found["model"] == "other"


@pytest.mark.parametrize("body", [body for body in LOOSE if not body.endswith(b'"}')])
@pytest.mark.parametrize("dialect", [Dialect.OPENAI, Dialect.ANTHROPIC])
def test_other_dialects_are_strict(body: bytes, dialect: Dialect) -> None:
    with pytest.raises(BadRequestError):
        read_body(body, "", dialect, Operation.CHAT)
