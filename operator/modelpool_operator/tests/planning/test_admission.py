"""What admission makes of a child is taken back in the view of it, and nothing else is."""

import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from modelpool_operator.planning.changes.admission import altered_in, as_asked
from modelpool_operator.planning.changes.comparison import holds
from modelpool_operator.planning.changes.foreign_fields import foreign_fields_in
from modelpool_operator.planning.objects.identity import Manifest

SENT: Manifest = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "x", "namespace": "llm", "annotations": {"seal": "1"}},
    "spec": {"template": {"spec": {"containers": [{"name": "vllm", "image": "a", "args": ["--port=1"], "env": []}]}}},
}


def container(manifest: Manifest) -> dict[str, Any]:
    found: dict[str, Any] = manifest["spec"]["template"]["spec"]["containers"][0]
    return found


def stored() -> Manifest:
    """Return what an image-rewriting admission stores, with a sidecar before the engine."""
    answer = copy.deepcopy(SENT)
    container(answer).update(image="registry.example.com/a", resources={"limits": {"memory": "1Gi"}})
    answer["spec"]["template"]["spec"]["containers"].insert(0, {"name": "sidecar"})
    return answer


def test_it_is_as_it_was_asked_for_as_long_as_it_stays_so() -> None:
    altered = altered_in(SENT, stored(), trimmed=False)
    assert [one.path for one in altered] == ["/spec/template/spec/containers/vllm/image"]
    assert holds(SENT, as_asked(stored(), altered))
    assert as_asked(stored(), ()) == stored()


def test_another_edit_shows() -> None:
    altered, edited = altered_in(SENT, stored(), trimmed=False), stored()
    edited["spec"]["template"]["spec"]["containers"][1]["image"] = "evil"
    assert not holds(SENT, as_asked(edited, altered))


def test_what_is_taken_away_and_what_is_added_are_given_back() -> None:
    answer = copy.deepcopy(SENT)
    del answer["metadata"]["annotations"]
    container(answer)["args"] = ["--port=2"]
    answer["spec"]["paused"] = True
    answer["metadata"]["managedFields"] = [{"manager": "carol", "fieldsV1": {"f:spec": {"f:paused": {}}}}]
    altered = altered_in(SENT, answer, trimmed=True)
    view = as_asked(answer, altered)
    assert holds(SENT, view)
    assert altered_in(SENT, view, trimmed=True) == ()


def test_what_somebody_added_between_the_look_and_the_request_is_not_admissions() -> None:
    answer = stored()
    answer["spec"]["paused"] = True
    answer["metadata"]["managedFields"] = [{"manager": "carol", "fieldsV1": {"f:spec": {"f:paused": {}}}}]
    altered = altered_in(SENT, answer, trimmed=False)
    assert [one.path for one in foreign_fields_in(SENT, as_asked(answer, altered))] == ["/spec/paused"]


LEAVES = st.none() | st.booleans() | st.integers(0, 3) | st.sampled_from(["", "a", "1Gi", "1024Mi"])
TREES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["a", "b", "limits", "tolerations"]), inner, max_size=3)
        | st.lists(
            st.fixed_dictionaries({"name": st.sampled_from("xyz")}, optional={"v": inner}),
            max_size=3,
            unique_by=lambda one: one["name"],
        )
    ),
    max_leaves=8,
)


@given(sent=TREES, answer=TREES)
def test_whatever_is_stored_in_place_of_what_was_sent_the_view_has_what_was_sent(sent: Any, answer: Any) -> None:
    wanted = {"kind": "Secret", "metadata": {}, "spec": sent}
    live = {"kind": "Secret", "metadata": {}, "spec": answer}
    before = copy.deepcopy(live)
    assert holds(wanted, as_asked(live, altered_in(wanted, live, trimmed=True)))
    assert live == before
