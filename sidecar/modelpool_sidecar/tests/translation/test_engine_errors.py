import json

import pytest

from modelpool_sidecar.dialects.answer import Answer
from modelpool_sidecar.dialects.dialect import Operation
from modelpool_sidecar.dialects.errors import EngineError
from modelpool_sidecar.http.errors import BadRequestError
from modelpool_sidecar.translation import engine_errors
from modelpool_sidecar.translation.engine_chunks import ErrorBody

from ..dialects import recordings


def translated(status: int, body: bytes, operation: Operation = Operation.CHAT) -> Answer:
    return engine_errors.translated(status, body, model="nope", operation=operation)


@pytest.mark.parametrize(
    ("ours", "theirs", "operation", "model"),
    [
        ("50-err-unknown-model", "50-err-chat-unknown-model", Operation.CHAT, "nope"),
        ("52-err-unknown-model-completions", "51-err-generate-unknown-model", Operation.GENERATE, "nope"),
        ("50-err-unknown-model", "53-err-embed-unknown-model", Operation.EMBED, "nope"),
        ("89-chat-on-pooling", "39e-chat-on-embed-model", Operation.CHAT, "embed:tiny"),
        ("63-err-embeddings-on-generate-model", "39d-embed-on-generate-model-501", Operation.EMBED, "qwen3:8b"),
    ],
)
def test_the_same_mistake_gets_the_same_answer(ours: str, theirs: str, operation: Operation, model: str) -> None:
    given, want = recordings.load(f"vllm/{ours}"), recordings.load(f"ollama/{theirs}")
    got = engine_errors.translated(given.status, given.body, model=model, operation=operation)
    assert (got.status, got.body, got.content_type) == (want.status, want.body, want.content_type)


@pytest.mark.parametrize(
    "name",
    ["53-err-prompt-too-long", "55-err-max-tokens-too-big", "58-err-temperature-negative", "69-err-image-input"],
)
def test_a_bad_request_keeps_the_engines_message(name: str) -> None:
    given = recordings.load(f"vllm/{name}")
    got = translated(given.status, given.body)
    assert (got.status, json.loads(got.body)) == (400, {"error": given.document["error"]["message"]})


def test_overload_has_the_words_clients_of_ollama_know() -> None:
    given = recordings.load("vllm/71-overload-503")
    got = translated(given.status, given.body)
    known = (recordings.ROOT / "ollama/95-operational.txt").read_text()
    assert got.status == 503
    assert got.body.decode() in known


@pytest.mark.parametrize(
    ("status", "body", "want_status", "want"),
    [
        (401, b'{"error":"Unauthorized"}', 502, "the engine refused the gateway's credentials"),
        (500, b'{"error":{"message":"cannot schedule"}}', 500, f"{engine_errors.running('cannot schedule')}"),
        (502, b"<html>", 500, engine_errors.running("<html>")),
        (500, b"", 500, engine_errors.running("status 500")),
        (422, b'{"object":"error","message":"older","code":422}', 422, "older"),
        (400, b"\xff\xfe", 400, "\ufffd\ufffd"),
        (400, b'{"error":"plain"}', 400, "plain"),
        (400, b"[]", 400, "[]"),
        (400, b"{}", 400, "status 400"),
        (404, b'{"detail":"Not Found"}', 400, '"nope" does not support chat'),
    ],
)
def test_other_errors(status: int, body: bytes, want_status: int, want: str) -> None:
    got = translated(status, body)
    assert (got.status, json.loads(got.body)) == (want_status, {"error": want})


def test_a_text_too_long_to_embed_is_refused_in_ollamas_words() -> None:
    said = "This model's maximum context length is 2048 tokens. However, your prompt contains more."
    body = json.dumps({"error": {"message": said, "type": "BadRequestError", "code": 400}}).encode()
    got = translated(400, body, Operation.EMBED)
    assert (got.status, json.loads(got.body)) == (400, {"error": "the input length exceeds the context length"})


LIST = "List should have at most 4 items after validation, not 20"
DUMPS = [
    (
        f"1 validation error:\n  {{'type': 'too_long', 'loc': 'body.stop.list[str]', 'msg': '{LIST}', 'input': ['a']}}",
        f'the engine does not take "stop": {LIST}',
    ),
    (
        f"[{{'type': 'too_long', 'loc': ('body', 'stop', 'list[str]'), 'msg': '{LIST}', 'input': ['a']}}]",
        f'the engine does not take "stop": {LIST}',
    ),
    (
        (
            "2 validation errors for Chat\n  {'type': 'int_type', 'loc': 'body.max_tokens', 'msg': \"It's no "
            "int\", 'input': 'x'}"
        ),
        'the engine does not take "num_predict": It\'s no int',
    ),
    (
        "3 validation errors:\n  {'type': 'x', 'loc': 'body.response_format.json_schema'}",
        'the engine does not take "format"',
    ),
    ("1 validation error", "the engine does not take the request"),
    (
        'Failed to convert the grammar from JSON schema: Unsupported type "nonsense"',
        ('invalid JSON schema in format: Failed to convert the grammar from JSON schema: Unsupported type "nonsense"'),
    ),
]


@pytest.mark.parametrize(("message", "want"), DUMPS)
def test_no_dump_of_a_validator_reaches_a_caller(message: str, want: str) -> None:
    body = json.dumps({"error": {"message": message, "type": "Bad Request", "code": 400}}).encode()
    got = translated(400, body)
    assert (got.status, json.loads(got.body)) == (400, {"error": want})
    told = engine_errors.in_stream(ErrorBody(message=message, code=400))
    assert isinstance(told, BadRequestError)
    assert (told.status, told.message) == (400, want)


@pytest.mark.parametrize(
    ("error", "kind", "status"),
    [
        ("boom", EngineError, 500),
        (ErrorBody(message="boom", code=500), EngineError, 500),
        (ErrorBody(message="boom"), EngineError, 500),
        (ErrorBody(message="boom", code="internal_error"), EngineError, 500),
        (ErrorBody(message="EngineCore encountered an issue", code=400), EngineError, 500),
        (ErrorBody(message="slow", code=429), EngineError, 500),
        (ErrorBody(message="odd", code=422), BadRequestError, 422),
        (ErrorBody(message="odd", code="400"), BadRequestError, 400),
        (ErrorBody(code=400), BadRequestError, 400),
    ],
)
def test_an_event_says_whose_fault_it_is(error: ErrorBody | str, kind: type[Exception], status: int) -> None:
    told = engine_errors.in_stream(error)
    assert (type(told), told.status) == (kind, status)
