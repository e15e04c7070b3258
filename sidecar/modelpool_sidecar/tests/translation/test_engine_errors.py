import json

import pytest

from modelpool_sidecar.dialects.answer import Answer
from modelpool_sidecar.dialects.dialect import Operation
from modelpool_sidecar.translation import engine_errors

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
