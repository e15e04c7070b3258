"""Which change of a pool is news."""

from typing import Any

import pytest

from modelpool_operator.api import parsing
from modelpool_operator.handlers.memo import Changes

READY = {
    "type": "Ready",
    "status": "False",
    "reason": "ModelsNotReady",
    "message": "",
    "observedGeneration": 1,
    "lastTransitionTime": "2026-11-22T10:00:00Z",
}


def body(**metadata: object) -> dict[str, object]:
    return {"metadata": {"uid": "u", "generation": 1, "resourceVersion": "1", **metadata}, "spec": {}, "status": {}}


def is_news(changes: Changes, seen: dict[str, object], *, deleted: bool = False) -> bool:
    return changes.is_news(seen, deleted=deleted)


def test_an_echo_of_our_own_status_is_no_news() -> None:
    changes = Changes()
    assert is_news(changes, body())
    assert not is_news(changes, {**body(resourceVersion="2"), "status": {"readyModels": "1/1"}})


FALSIFIED: dict[str, dict[str, Any]] = {
    "removed": {},
    "wiped": {"observedGeneration": -1, "conditions": []},
    "another word": {"readyModels": "2/2"},
    "another condition": {"conditions": [{**READY, "status": "True"}]},
    "nothing that can be read": {"conditions": "none"},
}


@pytest.mark.parametrize("change", FALSIFIED.values(), ids=FALSIFIED.keys())
def test_a_status_that_is_not_what_was_told_is_news(change: dict[str, Any]) -> None:
    changes, said = Changes(), {"observedGeneration": 1, "conditions": [READY], "readyModels": "0/1"}
    told, falsified = {**body(), "status": said}, {**body(), "status": {**said, **change} if change else None}
    assert is_news(changes, body())
    assert not is_news(changes, falsified), "nothing was told yet"
    status = parsing.status_of(told)
    assert status is not None
    changes.told("u", status)
    assert not is_news(changes, told)
    for _ in range(2):
        assert is_news(changes, falsified)
    assert not is_news(changes, told)


def test_a_new_generation_a_label_an_annotation_and_the_end_are_news() -> None:
    changes = Changes()
    for change in (
        {},
        {"generation": 2},
        {"labels": {"a": "b"}},
        {"annotations": {"a": "b"}},
        {"deletionTimestamp": "t"},
    ):
        assert is_news(changes, body(**change)), change
        assert not is_news(changes, body(**change)), change


def test_nothing_is_kept_of_a_deleted_pool() -> None:
    changes = Changes()
    is_news(changes, body())
    assert is_news(changes, body(), deleted=True)
    assert len(changes) == 0
    assert is_news(changes, body())
