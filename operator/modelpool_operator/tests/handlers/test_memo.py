"""Which change of a pool is news."""

from modelpool_operator.handlers.memo import Changes


def body(**metadata: object) -> dict[str, object]:
    return {"metadata": {"uid": "u", "generation": 1, "resourceVersion": "1", **metadata}, "spec": {}, "status": {}}


def is_news(changes: Changes, seen: dict[str, object], *, deleted: bool = False) -> bool:
    return changes.is_news(seen, deleted=deleted)


def test_an_echo_of_our_own_status_is_no_news() -> None:
    changes = Changes()
    assert is_news(changes, body())
    assert not is_news(changes, {**body(resourceVersion="2"), "status": {"readyModels": "1/1"}})


def test_a_status_that_somebody_removed_is_news_once() -> None:
    changes = Changes()
    told = {**body(), "status": {"observedGeneration": 1, "conditions": [{"type": "Ready"}]}}
    assert is_news(changes, body())
    assert not is_news(changes, told)
    for wiped in (body(), {**body(), "status": {"observedGeneration": -1, "conditions": []}}):
        assert is_news(changes, wiped)
        assert not is_news(changes, wiped)
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
