"""What is known of a collection after lists, events and own writes, in every order that they can come in."""

from typing import Any

import pytest

from modelpool_operator.api import names
from modelpool_operator.api.names import ObjectRef
from modelpool_operator.cluster import errors, kinds
from modelpool_operator.cluster.mirror import Collection, Entry, Mirror, entry_of, ref_of

A, B = ObjectRef("llm", "a"), ObjectRef("llm", "b")
SERVICES = kinds.child("v1", "Service")


def service(name: str, version: int, pool: str = "a", namespace: str = "llm", **fields: Any) -> dict[str, Any]:
    labels = {"modelpool.dev/pool": pool}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"namespace": namespace, "name": name, "labels": labels, "resourceVersion": str(version)},
        **fields,
    }


def listed(*objects: dict[str, Any]) -> dict[ObjectRef, Entry]:
    return {ref_of(one): entry_of(one) for one in objects}


@pytest.fixture
def collection() -> Collection:
    """Listed at version 10, with one object of each of two pools."""
    found = Collection(SERVICES)
    found.replace(listed(service("x", 5), service("y", 6, pool="b")), "10")
    return found


def versions(collection: Collection, pool: ObjectRef = A) -> dict[str, int]:
    return {one["metadata"]["name"]: int(one["metadata"]["resourceVersion"]) for one in collection.of(pool)}


def test_before_the_first_list_nothing_is_known() -> None:
    with pytest.raises(errors.UnreachableError, match="Could not list services"):
        Collection(SERVICES).of(A)


def test_objects_come_back_whole_by_pool_and_name(collection: Collection) -> None:
    collection.take("ADDED", service("w", 11, spec={"ports": [{"port": 1}]}))
    assert collection.of(A) == [service("w", 11, spec={"ports": [{"port": 1}]}), service("x", 5)]
    assert versions(collection, ObjectRef("other", "a")) == {}


def test_who_wrote_what_is_kept_of_children_and_not_of_pods() -> None:
    book = [{"manager": "kubelet"}]
    for kind, want in ((SERVICES, book), (kinds.PODS, None)):
        collection, seen = Collection(kind), service("x", 1)
        seen["kind"], seen["metadata"]["managedFields"] = kind.kind, book
        collection.replace(listed(seen), "1")
        assert collection.of(A)[0]["metadata"].get("managedFields") == want
        assert seen["metadata"]["managedFields"] == book


def test_of_what_we_wrote_it_is_kept_that_we_did_and_not_which_fields() -> None:
    ours = {"manager": names.FIELD_MANAGER, "operation": "Apply", "fieldsV1": {"f:spec": {"f:ports": {}}}}
    theirs = {"manager": "carol", "operation": "Update", "fieldsV1": {"f:spec": {"f:selector": {}}}}
    seen = service("x", 5)
    seen["metadata"]["managedFields"] = [ours, theirs]
    collection = Collection(SERVICES)
    collection.replace(listed(seen), "10")
    kept = {key: value for key, value in ours.items() if key != "fieldsV1"}
    assert collection.of(A)[0]["metadata"]["managedFields"] == [kept, theirs]


def test_an_event_tells_its_pool(collection: Collection) -> None:
    assert collection.take("MODIFIED", service("x", 11)) == {A}
    assert collection.take("DELETED", service("y", 12, pool="b")) == {B}
    assert collection.take("BOOKMARK", {"metadata": {"resourceVersion": "13"}}) == set()
    assert (versions(collection), versions(collection, B)) == ({"x": 11}, {})


def test_an_object_that_changes_its_pool_is_one_pools_only(collection: Collection) -> None:
    collection.take("MODIFIED", service("x", 11, pool="b"))
    assert (versions(collection), versions(collection, B)) == ({}, {"x": 11, "y": 6})


def test_the_answer_to_a_write_is_seen_before_the_watch_tells_of_it(collection: Collection) -> None:
    collection.note(service("new", 11))
    collection.note(service("x", 12))
    assert versions(collection) == {"new": 11, "x": 12}
    collection.take("ADDED", service("new", 11))
    assert versions(collection) == {"new": 11, "x": 12}


def test_an_event_from_before_a_write_does_not_undo_it(collection: Collection) -> None:
    collection.note(service("x", 12))
    assert collection.take("MODIFIED", service("x", 11)) == {A}
    assert versions(collection) == {"x": 12}
    collection.take("DELETED", service("x", 11))
    assert versions(collection) == {"x": 12}, "it was made anew"


def test_an_answer_that_comes_after_the_news_of_what_followed_changes_nothing(collection: Collection) -> None:
    collection.take("ADDED", service("new", 11))
    collection.take("DELETED", service("new", 12))
    collection.note(service("new", 11))
    assert versions(collection) == {"x": 5}


def test_a_bookmark_tells_that_all_before_it_was_told(collection: Collection) -> None:
    collection.take("BOOKMARK", {"metadata": {"resourceVersion": "20"}})
    collection.note(service("x", 19))
    assert versions(collection) == {"x": 5}


def test_what_was_deleted_is_gone_at_once_and_back_if_it_takes_its_time(collection: Collection) -> None:
    collection.drop(ObjectRef("llm", "x"))
    assert versions(collection) == {}
    collection.take("MODIFIED", service("x", 11))
    assert versions(collection) == {"x": 11}


def test_a_new_list_forgets_what_vanished_meanwhile_and_tells_whom_it_concerns(collection: Collection) -> None:
    concerned = collection.replace(listed(service("y", 6, pool="b"), service("z", 15)), "20")
    assert concerned == {A}
    assert versions(collection) == {"z": 15}
    assert collection.replace(listed(service("y", 6, pool="b"), service("z", 15)), "21") == frozenset()


def test_a_new_list_keeps_what_was_written_since_it_was_made(collection: Collection) -> None:
    collection.note(service("new", 25))
    collection.replace(listed(service("x", 5)), "20")
    assert versions(collection) == {"new": 25, "x": 5}


def test_versions_that_are_no_numbers_are_left_to_the_watch(collection: Collection) -> None:
    odd = service("x", 5)
    odd["metadata"]["resourceVersion"] = "abc"
    collection.note(odd)
    assert versions(collection) == {"x": 5}


def test_the_mirror_has_one_collection_of_a_kind_for_all_namespaces_or_one_for_each() -> None:
    for mirror in (Mirror(), Mirror(["llm", "other"])):
        for collection in mirror.collections.values():
            collection.replace({}, "1")
        mirror.note(SERVICES, service("x", 2))
        mirror.note(SERVICES, service("x", 3, namespace="other"))
        assert [one["metadata"]["resourceVersion"] for one in mirror.of(SERVICES, A)] == ["2"]
        mirror.drop(SERVICES, ObjectRef("llm", "x"))
        assert mirror.of(SERVICES, A) == []
        assert len(mirror.of(SERVICES, ObjectRef("other", "a"))) == 1
