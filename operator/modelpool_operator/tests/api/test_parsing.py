"""From a manifest to a ModelPool, and what is said of one that is none."""

from datetime import UTC, datetime
from typing import Any

import pytest

from modelpool_operator.api import parsing
from modelpool_operator.api.names import ObjectRef
from modelpool_operator.api.parsing import InvalidPoolError, from_body, status_of

BODY: dict[str, Any] = {
    "apiVersion": "modelpool.dev/v1alpha1",
    "kind": "ModelPool",
    "metadata": {
        "name": "a",
        "namespace": "llm",
        "uid": "u",
        "generation": 2,
        "creationTimestamp": "2026-11-22T10:00:00Z",
    },
    "spec": {"models": [{"name": "m", "engine": "ollama"}]},
}


def test_a_body_as_the_api_server_gives_it() -> None:
    pool = from_body(BODY)
    assert (pool.ref, pool.uid, pool.generation) == (ObjectRef("llm", "a"), "u", 2)
    assert pool.created == datetime(2026, 11, 22, 10, tzinfo=UTC)


def test_a_body_as_a_file_gives_it() -> None:
    pool = from_body({**BODY, "metadata": {"name": "a"}})
    assert (pool.ref, pool.uid, pool.generation, pool.created) == (ObjectRef("default", "a"), "", 1, None)


@pytest.mark.parametrize("spelled", ["2026-11-22T10:00:00Z", datetime(2026, 11, 22, 10, tzinfo=UTC)])
def test_yaml_reads_a_time_as_a_time(spelled: object) -> None:
    metadata = {**BODY["metadata"], "creationTimestamp": spelled}
    assert from_body({**BODY, "metadata": metadata}).created == datetime(2026, 11, 22, 10, tzinfo=UTC)


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "another kind": ({"kind": "Pod"}, "must be `apiVersion: modelpool.dev/v1alpha1`, `kind: ModelPool`"),
    "no name": ({"metadata": {}}, "`metadata.name` is required"),
    "no models": ({"spec": {}}, "missing required field `models`"),
    "a misspelled field": ({"spec": {"models": [], "gpu": {}}}, "unknown field `gpu`"),
    "a quantity that is none": (
        {"spec": {"models": [], "gpus": {"memory": "lots"}}},
        r"must be a quantity such as '24Gi' or '500M', got 'lots' - at `\$.gpus.memory`",
    ),
    "a quantity of another type": ({"spec": {"models": [], "gpus": {"memory": True}}}, "got 'True'"),
    "an engine that nobody knows": (
        {"spec": {"models": [{"name": "m", "engine": "tgi"}]}},
        r"Invalid enum value 'tgi' - at `\$.models\[0\].engine`",
    ),
}


@pytest.mark.parametrize(("change", "message"), WRONG.values(), ids=WRONG.keys())
def test_what_is_wrong_is_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidPoolError, match=message):
        from_body({**BODY, **change})


def test_what_is_rendered_can_be_parsed() -> None:
    spec = from_body(BODY).spec
    assert parsing.parse(type(spec), parsing.render(spec)) == spec


@pytest.mark.parametrize("status", [None, {}, {"conditions": "none"}, {"observedGeneration": "x", "conditions": []}])
def test_a_status_that_cannot_be_read_is_none(status: object) -> None:
    assert status_of({"status": status}) is None
