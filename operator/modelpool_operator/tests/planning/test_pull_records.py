"""Pulls whose Jobs a policy of the cluster lets go: nothing is pulled twice."""

import json
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest

from modelpool_operator.api import names
from modelpool_operator.api.status import ModelState
from modelpool_operator.planning.changes import pulls
from modelpool_operator.planning.changes.ollama_volume import volume_of
from modelpool_operator.planning.changes.plan import make_plan
from modelpool_operator.planning.manifests import pull_records
from modelpool_operator.planning.objects.identity import ChildRef
from modelpool_operator.planning.observation.observed import Observed
from modelpool_operator.tests.planning.pools import after, ollama, pool_of, settled

POOL = pool_of(ollama("cogito:8b"), ollama("qwen3:8b"))
UID = "uid-agentic-ollama"
JOB = ChildRef("batch/v1", "Job", names.pull_name("agentic", "cogito:8b", UID))
SERVER = ChildRef("apps/v1", "Deployment", "agentic-ollama")


def mortal(observed: Observed, ref: ChildRef = JOB) -> Observed:
    """Return the pool with a Job done, to which somebody gave a time to live."""
    job = deepcopy(observed.children[ref])
    job["spec"]["ttlSecondsAfterFinished"] = 0
    job["status"] = {"conditions": [{"type": "Complete", "status": "True"}]}
    return replace(observed, children={**observed.children, ref: job})


def gone(observed: Observed, ref: ChildRef = JOB, ended: dict[str, int] | None = None) -> Observed:
    left = {one: live for one, live in observed.children.items() if one != ref}
    return replace(observed, children=left, ended=ended or {})


def record(observed: Observed) -> Any:
    return json.loads(observed.children[SERVER]["metadata"]["annotations"].get(names.PULLED_ANNOTATION, "null"))


def test_a_job_that_stays_needs_no_record() -> None:
    assert record(settled(POOL)) is None


def test_a_job_that_will_go_leaves_a_record_and_its_model_is_not_pulled_again() -> None:
    observed = mortal(settled(POOL))
    observed = after(observed, make_plan(POOL, observed))
    assert record(observed) == {"volume": UID, "models": ["cogito:8b"]}
    observed = gone(observed)
    assert not make_plan(POOL, observed)
    assert pulls.state_of(POOL, "cogito:8b", observed, volume_of(POOL, observed)).state is ModelState.READY
    assert pulls.state_of(POOL, "qwen3:8b", observed, volume_of(POOL, observed)).state is not ModelState.READY


def test_a_job_that_went_before_anybody_looked_leaves_a_record() -> None:
    observed = gone(settled(POOL), ended={JOB.name: 7})
    plan = make_plan(POOL, observed)
    assert [ref for ref in plan.changed if ref.kind == "Job"] == []
    observed = replace(after(observed, plan), ended={})
    assert record(observed) == {"volume": UID, "models": ["cogito:8b"]}
    assert not make_plan(POOL, observed)


def test_a_job_that_is_deleted_by_hand_is_made_again() -> None:
    assert make_plan(POOL, gone(settled(POOL))).changed.keys() == {JOB}


def test_another_volume_knows_nothing_of_it() -> None:
    observed = mortal(settled(POOL))
    observed = gone(after(observed, make_plan(POOL, observed)))
    volume = ChildRef("v1", "PersistentVolumeClaim", "agentic-ollama")
    other = deepcopy(observed.children[volume])
    other["metadata"]["uid"] = "another"
    observed = replace(observed, children={**observed.children, volume: other})
    assert {ref.kind for ref in make_plan(POOL, observed).changed} == {"Job", "Deployment"}


def test_a_model_that_was_removed_is_no_longer_held() -> None:
    observed = gone(settled(POOL), ended={JOB.name: 7, names.remove_name("agentic", "cogito:8b", UID): 8})
    assert JOB in make_plan(POOL, observed).changed
    again = replace(observed, ended={**observed.ended, JOB.name: 9})
    assert JOB not in make_plan(POOL, again).changed


def test_prune_removes_what_only_the_record_tells_of() -> None:
    observed = mortal(settled(POOL))
    observed = gone(after(observed, make_plan(POOL, observed)))
    fewer = pool_of(ollama("qwen3:8b"), ollama={"prune": True})
    assert volume_of(fewer, observed).retired == ("cogito:8b",)
    remove = names.remove_name("agentic", "cogito:8b", UID)
    assert ChildRef("batch/v1", "Job", remove) in make_plan(fewer, observed).changed
    assert volume_of(fewer, replace(observed, ended={remove: 8})).retired == ()


@pytest.mark.parametrize("text", ["[" * 100_000, "{", "[]", json.dumps({"volume": UID, "models": 7}), "9" * 5000])
def test_a_record_that_somebody_has_spoiled_tells_nothing(text: str) -> None:
    observed = settled(POOL)
    server = deepcopy(observed.children[SERVER])
    server["metadata"].setdefault("annotations", {})[names.PULLED_ANNOTATION] = text
    observed = replace(observed, children={**observed.children, SERVER: server})
    assert pull_records.recorded(POOL, UID, observed) == ()
