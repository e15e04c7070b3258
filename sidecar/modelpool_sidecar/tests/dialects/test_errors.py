import json

import pytest

from modelpool_sidecar.dialects.dialect import Dialect, Operation
from modelpool_sidecar.dialects.errors import EngineError, Reason, Refusal, render
from modelpool_sidecar.http.errors import BadRequestError

from . import recordings


@pytest.mark.parametrize(
    ("name", "operation"),
    [
        ("50-err-chat-unknown-model", Operation.CHAT),
        ("51-err-generate-unknown-model", Operation.GENERATE),
        ("53-err-embed-unknown-model", Operation.EMBED),
        ("54-err-show-unknown-model", Operation.SHOW_MODEL),
    ],
)
def test_unknown_model_is_worded_as_by_ollama(name: str, operation: Operation) -> None:
    recorded = recordings.load(f"ollama/{name}")
    model = json.loads(recorded.request)["model"]
    answer = render(Refusal(reason=Reason.UNKNOWN_MODEL, detail=model, operation=operation), Dialect.OLLAMA)
    assert (answer.status, answer.content_type, answer.body) == (recorded.status, recorded.content_type, recorded.body)


@pytest.mark.parametrize(
    ("name", "reason"), [("68-err-404", Reason.UNKNOWN_PATH), ("69-err-405", Reason.METHOD_NOT_ALLOWED)]
)
def test_paths_and_methods_are_refused_as_by_ollama(name: str, reason: Reason) -> None:
    recorded = recordings.load(f"ollama/{name}")
    answer = render(Refusal(reason=reason), Dialect.OLLAMA)
    assert (answer.status, answer.content_type, answer.body) == (recorded.status, recorded.content_type, recorded.body)


def test_unknown_model_has_the_shape_of_vllm() -> None:
    recorded = recordings.load("vllm/50-err-unknown-model")
    answer = render(Refusal(reason=Reason.UNKNOWN_MODEL, detail="nope"), Dialect.OPENAI)
    got, want = json.loads(answer.body), recorded.document
    assert answer.status == recorded.status
    assert recordings.shape(got) == recordings.shape(want)
    assert {key: got["error"][key] for key in ("type", "param", "code")} == {
        key: want["error"][key] for key in ("type", "param", "code")
    }
    assert want["error"]["message"].startswith(got["error"]["message"])


@pytest.mark.parametrize("dialect", Dialect)
@pytest.mark.parametrize("reason", Reason)
def test_every_refusal_says_why_in_every_dialect(reason: Reason, dialect: Dialect) -> None:
    answer = render(Refusal(reason=reason, detail="because <x>"), dialect)
    assert answer.status == reason.status
    if answer.content_type == "text/plain":
        assert answer.body.startswith(str(reason.status).encode())
        return
    error = json.loads(answer.body)["error"]
    message = error if dialect is Dialect.OLLAMA else error["message"]
    assert "because <x>" in message
    if dialect is Dialect.OPENAI:
        assert error["code"] == reason.status
        assert error["type"].endswith("Error")
    if dialect is Dialect.ANTHROPIC:
        assert json.loads(answer.body)["type"] == "error"


@pytest.mark.parametrize(
    ("reason", "openai", "anthropic"),
    [
        (Reason.BAD_REQUEST, "BadRequestError", "invalid_request_error"),
        (Reason.CLOSED, "PermissionDeniedError", "permission_error"),
        (Reason.UNKNOWN_MODEL, "NotFoundError", "not_found_error"),
        (Reason.TOO_LARGE, "BadRequestError", "request_too_large"),
        (Reason.TOO_MANY_REQUESTS, "RateLimitError", "rate_limit_error"),
        (Reason.BUSY, "ServiceUnavailableError", "overloaded_error"),
        (Reason.ENGINE_FAILED, "InternalServerError", "api_error"),
    ],
)
def test_kind_of_error(reason: Reason, openai: str, anthropic: str) -> None:
    refusal = Refusal(reason=reason, detail="x")
    assert json.loads(render(refusal, Dialect.OPENAI).body)["error"]["type"] == openai
    assert json.loads(render(refusal, Dialect.ANTHROPIC).body)["error"]["type"] == anthropic


def test_headers_tell_when_to_come_back_and_what_is_allowed() -> None:
    busy = render(Refusal(reason=Reason.BUSY, detail="full", retry_after_s=7), Dialect.OPENAI)
    assert busy.headers == (("Retry-After", "7"),)
    soon = render(Refusal(reason=Reason.BUSY, detail="full", retry_after_s=0), Dialect.OLLAMA)
    assert soon.headers == (("Retry-After", "1"),)
    wrong = render(Refusal(reason=Reason.METHOD_NOT_ALLOWED, allow="POST"), Dialect.OLLAMA)
    assert wrong.headers == (("Allow", "POST"),)


def test_caught_errors_become_refusals_with_their_own_status() -> None:
    assert render(Refusal.of(BadRequestError("no", status=500)), Dialect.OLLAMA).status == 500
    assert render(Refusal.of(BadRequestError("no")), Dialect.OLLAMA).status == 400
    fault = Refusal.of(EngineError("died", status=503))
    assert (fault.reason, render(fault, Dialect.OLLAMA).status) == (Reason.ENGINE_FAILED, 503)
