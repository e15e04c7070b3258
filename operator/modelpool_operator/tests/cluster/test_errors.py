"""Each answer of the API server becomes the error that says whose matter it is, and no body but a Status is quoted."""

import json

import aiohttp
import pytest
from kubernetes.aio.client.exceptions import ApiException

from modelpool_operator.cluster import errors


def _status(**said: object) -> str:
    return json.dumps({"kind": "Status", **said})


@pytest.mark.parametrize(
    ("status", "want"),
    [
        (400, errors.RejectedError),
        (401, errors.DeniedError),
        (403, errors.DeniedError),
        (404, errors.AbsentError),
        (409, errors.ConflictError),
        (410, errors.ExpiredError),
        (422, errors.RejectedError),
        (429, errors.UnreachableError),
        (500, errors.StuckError),
        (504, errors.StuckError),
        (503, errors.UnreachableError),
    ],
)
def test_status_decides_the_kind_of_error(status: int, want: type[errors.ClusterError]) -> None:
    error = errors.from_answer("apply Service x", status, _status(message="because"))
    assert type(error) is want
    assert str(error) == f"Could not apply Service x: because (HTTP {status})"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 410, 418, 429, 500, 502, 503, 504])
def test_a_webhook_that_denies_means_this_object_whatever_it_answers_with(status: int) -> None:
    said = _status(message='admission webhook "policy.example.com" denied the request: not here')
    assert type(errors.from_answer("apply Service x", status, said)) is errors.RejectedError


def test_a_namespace_on_its_way_out_counts_as_absent() -> None:
    body = _status(message="forbidden", details={"causes": [{"reason": "NamespaceTerminating"}]})
    assert type(errors.from_answer("apply", 403, body)) is errors.AbsentError


def test_a_body_that_is_no_status_is_never_quoted() -> None:
    body = json.dumps({"kind": "Secret", "message": "hunter2", "data": {"token": "hunter2"}})
    for quoted in (body, "hunter2", b"hunter2"):
        assert "hunter2" not in str(errors.from_answer("get", 500, quoted))


def test_a_long_sentence_is_cut() -> None:
    assert len(str(errors.from_answer("get", 422, _status(message="x" * 5000)))) < 350


def test_the_clients_exception_is_not_chained_since_its_text_is_the_body() -> None:
    with pytest.raises(errors.RejectedError) as caught, errors.translated("apply"):
        raise ApiException(status=422, body="hunter2")
    assert caught.value.__suppress_context__
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("cause", [aiohttp.ClientConnectionError("refused"), TimeoutError(), OSError("no route")])
def test_no_answer_is_unreachable(cause: Exception) -> None:
    with pytest.raises(errors.UnreachableError), errors.translated("get"):
        raise cause


def test_a_request_that_takes_too_long_is_stuck_and_one_that_finds_nobody_is_not() -> None:
    with pytest.raises(errors.StuckError, match="no answer in time"), errors.translated("apply"):
        raise TimeoutError
    with pytest.raises(errors.UnreachableError, match="no connection in time") as caught, errors.translated("apply"):
        raise aiohttp.ConnectionTimeoutError
    assert not isinstance(caught.value, errors.StuckError)
