"""Who is asked about, and which of the Events about it tells most."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from modelpool_operator.api import names
from modelpool_operator.planning.objects.identity import Manifest
from modelpool_operator.planning.observation.observed import Observed, Said
from modelpool_operator.planning.observation.pod_views import PodView
from modelpool_operator.planning.reporting.hanging import (
    HANGS_AFTER,
    MOST,
    Hanging,
    candidates,
    said_in,
    whom_to_ask,
)
from modelpool_operator.tests.planning.pools import ollama, pool_of, settled, vllm

MADE = "2026-11-22T10:00:00Z"
NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
POOL = pool_of(vllm("a", 0.3, source="pvc://weights/a", fallback={"enabled": False}), ollama("b"))
SETTLED = settled(POOL)


def pod(name: str = "p", component: str = names.VLLM_COMPONENT, **fields: Any) -> PodView:
    return PodView(**{"name": name, "component": component, "created": MADE, **fields})


def children(observed: Observed = SETTLED, *, bound: bool = True, jobs: dict[str, Any] | None = None) -> list[Manifest]:
    found = []
    for live in observed.children.values():
        spec = dict(live["spec"]) if "spec" in live else {}
        if live["kind"] == "PersistentVolumeClaim" and not bound:
            del spec["volumeName"]
        status = jobs if live["kind"] == "Job" and jobs is not None else {"active": 1}
        found.append({**live, "spec": spec, "status": status})
    return found


def asked(pods: list[PodView], **fields: Any) -> set[tuple[str, str]]:
    return {(one.kind, one.name) for one in candidates(POOL, children(**fields), pods)}


CASES: dict[str, tuple[list[PodView], dict[str, Any], set[tuple[str, str]]]] = {
    "nothing is there": ([], {}, set()),
    "an engine runs": ([pod(node="n", phase="Running", ready=True)], {}, set()),
    "a pod waits on its node": ([pod(node="n")], {}, {("Pod", "p")}),
    "a pod waits on its node and goes": ([pod(node="n", deleting=True)], {}, set()),
    "a pod without a node waits for the volume of a user": ([pod()], {}, {("PersistentVolumeClaim", "weights")}),
    "claims without a volume": (
        [pod()],
        {"bound": False},
        {("PersistentVolumeClaim", name) for name in ("weights", "agentic-cache", "agentic-ollama")},
    ),
    "claims that nobody waits for": ([], {"bound": False}, set()),
    "a Job without a pod": ([], {"jobs": {}}, {("Job", "*")}),
    "a Job with a pod": (
        [pod(component=names.PULL_COMPONENT, model="b", node="n", phase="Running")],
        {"jobs": {}},
        set(),
    ),
    "a Job that is over": ([], {"jobs": {"conditions": [{"type": "Complete", "status": "True"}]}}, set()),
}


@pytest.mark.parametrize("case", CASES)
def test_what_may_hang_is_what_says_nothing_itself(case: str) -> None:
    pods, fields, wanted = CASES[case]
    assert {(kind, "*" if kind == "Job" else name) for kind, name in asked(pods, **fields)} == wanted


def test_nobody_is_asked_about_at_once_and_only_so_many_are() -> None:
    found = [Hanging("Pod", str(number), MADE) for number in range(2 * MOST)]
    assert whom_to_ask(found, NOW + HANGS_AFTER - timedelta(seconds=1)) == ()
    assert len(whom_to_ask(found, NOW + HANGS_AFTER)) == MOST
    assert whom_to_ask([Hanging("Pod", "p", "no time")], NOW + timedelta(days=1)) == ()


def test_many_of_one_kind_leave_room_for_another() -> None:
    found = [*(Hanging("Job", str(number), MADE) for number in range(2 * MOST)), Hanging("Pod", "engine", MADE)]
    asked_about = whom_to_ask(found, NOW + HANGS_AFTER)
    assert len(asked_about) == MOST
    assert Hanging("Pod", "engine", MADE) in asked_about


def event(reason: str, kind: str = "Warning", second: int = 0, **fields: Any) -> dict[str, Any]:
    return {"reason": reason, "type": kind, "message": f"{reason} at {second}", "lastTimestamp": at(second), **fields}


def at(second: int) -> str:
    return f"2026-11-22T10:00:{second:02}Z"


def test_of_a_claim_the_provisioners_refusal_tells_more_than_that_it_is_waited_for() -> None:
    turns = [
        event("WaitForFirstConsumer", "Normal", 1),
        event("ProvisioningFailed", second=2),
        event("ExternalProvisioning", "Normal", 3),
    ]
    assert said_in("PersistentVolumeClaim", turns) == Said(
        reason="ProvisioningFailed", message="ProvisioningFailed at 2"
    )
    assert said_in("PersistentVolumeClaim", turns[:1]) is None
    assert said_in("PersistentVolumeClaim", []) is None


def test_of_a_pod_what_came_before_it_went_on_is_settled() -> None:
    attached = [event("FailedAttachVolume", second=2), event("SuccessfulAttachVolume", "Normal", 5)]
    assert said_in("Pod", attached) is None
    assert said_in("Pod", [event("FailedMount", second=5), event("Pulling", "Normal", 5)]) is None
    again = said_in("Pod", [*attached, event("FailedMount", second=9)])
    assert again is not None
    assert again.reason == "FailedMount"


def test_a_pod_whose_volume_is_attached_elsewhere_is_not_told_now_of_this_and_now_of_that() -> None:
    scheduled = {**event("Scheduled", "Normal"), "lastTimestamp": None, "eventTime": "2026-11-22T10:00:00.250000Z"}
    both = [scheduled, event("FailedAttachVolume", second=0), event("FailedMount", second=7)]
    for order in (both, both[::-1]):
        found = said_in("Pod", order)
        assert found is not None
        assert found.reason == "FailedAttachVolume"


def test_a_message_of_several_lines_is_one_line() -> None:
    found = said_in("Job", [event("FailedCreate", message="Error creating:\n  denied")])
    assert found == Said(reason="FailedCreate", message="Error creating: denied")
