"""Who is planned first, who waits for whom, and who is looked at again when room becomes free."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec import structs

from modelpool_operator.api.names import ObjectRef
from modelpool_operator.api.pool import ModelPool
from modelpool_operator.handlers.card_holdings import CardHoldings
from modelpool_operator.planning.changes.plan import Plan, make_plan
from modelpool_operator.planning.observation.holdings import Hold
from modelpool_operator.planning.observation.observed import Observed, Said
from modelpool_operator.planning.sharing.inventory import NodeView
from modelpool_operator.tests.planning.pools import after, pool_of, vllm
from modelpool_operator.tests.planning.test_neighbours import GPU, node, sliced, standing, stranger


@dataclass
class Around:
    """Stands in for what the watches tell."""

    nodes: tuple[NodeView, ...] = field(default_factory=lambda: (node(),))
    strangers: tuple[Hold, ...] = ()
    unseen: str = ""


def pool(name: str, day: int, fraction: float = 0.8, *, node: str = "gpu-1", **gpus: Any) -> ModelPool:
    made = pool_of(
        vllm("a", fraction),
        name=name,
        gpus={"sharing": "visibleDevices", **gpus},
        nodeSelector={"kubernetes.io/hostname": node},
        ollama={"enabled": False},
    )
    return structs.replace(made, uid=f"uid-{name}", created=datetime(2026, 11, day, tzinfo=UTC))


@dataclass
class Operator:
    """Passes over pools, without a cluster."""

    around: Around = field(default_factory=Around)
    known: dict[ObjectRef, Observed] = field(default_factory=dict)
    card_holdings: CardHoldings = field(init=False)

    def __post_init__(self) -> None:
        self.card_holdings = CardHoldings(self.around)  # type: ignore[arg-type]

    def look(self, one: ModelPool, *, carry_out: bool = True) -> tuple[Plan, set[str]]:
        """Return the plan of a pass, and the names of those who are woken by it."""
        before = self.known.get(one.ref, Observed())
        observed = replace(before, neighbours=self.card_holdings.beside(one))
        plan = make_plan(one, observed)
        woken = self.card_holdings.put(one, observed, plan)
        if carry_out:
            self.known[one.ref] = after(before, plan)
        return plan, {ref.name for ref in woken}

    def leave(self, one: ModelPool, left: Observed | None = None) -> set[str]:
        self.known.pop(one.ref, None)
        return {ref.name for ref in self.card_holdings.leave(one.ref, left or Observed())}


OLD, YOUNG = pool("old", 1), pool("young", 2)


def test_two_pools_do_not_take_one_card() -> None:
    operator = Operator()
    assert operator.look(OLD)[0].refusal is None
    plan, _ = operator.look(YOUNG)
    assert plan.refusal is not None
    assert plan.refusal.reason == "CardHeld"
    assert "pool llm/old (a)" in plan.refusal.message


def test_who_was_planned_first_keeps_its_place_before_it_runs() -> None:
    operator = Operator()
    assert operator.look(YOUNG, carry_out=False)[0].refusal is None
    assert operator.look(OLD)[0].refusal is not None


def test_who_runs_keeps_its_place_though_it_is_younger() -> None:
    operator = Operator()
    operator.look(YOUNG)
    for _ in range(2):
        assert operator.look(OLD)[0].refusal is not None
        assert operator.look(YOUNG)[0].refusal is None


def test_of_two_that_wait_the_older_one_gets_the_room_whoever_is_asked_first() -> None:
    for order in ((OLD, YOUNG), (YOUNG, OLD)):
        operator, first = Operator(), pool("first", 3)
        operator.look(first)
        assert operator.look(OLD)[0].refusal is not None
        assert operator.look(YOUNG)[0].refusal is not None
        assert operator.leave(first) == {"old", "young"}
        plans = {one.ref.name: operator.look(one)[0] for one in order}
        assert plans["old"].refusal is None
        assert plans["young"].refusal is not None
        assert "pool llm/old" in plans["young"].refusal.message


def test_a_refusal_changes_nothing_for_anybody() -> None:
    operator = Operator()
    operator.look(OLD)
    operator.look(YOUNG)
    assert [operator.look(one)[1] for one in (OLD, YOUNG, OLD, YOUNG)] == [set()] * 4


def test_before_the_first_pass_what_runs_is_known_and_who_waits_has_an_age() -> None:
    operator = Operator()
    operator.card_holdings.expect(OLD, Observed())
    operator.card_holdings.expect(YOUNG, standing(YOUNG))
    assert operator.look(OLD)[0].refusal is not None

    operator = Operator()
    operator.card_holdings.expect(OLD, Observed())
    plan, _ = operator.look(YOUNG)
    assert plan.refusal is not None
    assert "pool llm/old, older and waiting (a)" in plan.refusal.message
    assert operator.look(OLD)[1] == {"young"}


def test_a_pool_that_is_deleted_holds_its_card_until_its_pods_are_gone() -> None:
    operator = Operator()
    operator.look(OLD)
    operator.look(YOUNG)
    pods = replace(standing(OLD), children={})
    assert operator.leave(OLD, pods) <= {"young"}
    assert operator.look(YOUNG)[0].refusal is not None
    assert operator.leave(OLD) == {"young"}
    assert operator.look(YOUNG)[0].refusal is None
    assert len(operator.card_holdings) == 1


def test_a_pool_that_shrinks_wakes_who_waits() -> None:
    operator = Operator()
    operator.look(OLD)
    operator.look(YOUNG)
    small = structs.replace(pool("old", 1, 0.1), uid=OLD.uid)
    operator.look(small)  # its old Deployment is still what was observed
    assert operator.look(small)[1] == {"young"}
    assert operator.look(YOUNG)[0].refusal is None


def test_who_no_longer_waits_lets_the_younger_one_pass() -> None:
    operator = Operator()
    operator.card_holdings.expect(OLD, Observed())
    assert operator.look(YOUNG)[0].refusal is not None
    too_large = structs.replace(pool("old", 1, 0.99), uid=OLD.uid)
    plan, woken = operator.look(too_large)
    assert plan.refusal is not None
    assert plan.refusal.reason == "CardOverfull"
    assert woken == {"young"}
    assert operator.look(YOUNG)[0].refusal is None


def test_strangers_count_and_those_who_wait_on_their_node_are_known() -> None:
    operator = Operator(around=Around(strangers=(stranger(),)))
    assert operator.look(OLD)[0].refusal is not None
    assert operator.card_holdings.around("gpu-1") == {OLD.ref}
    assert operator.card_holdings.around("gpu-2") == frozenset()
    operator.around.strangers = ()
    assert operator.look(OLD)[0].refusal is None


def test_pools_that_only_share_a_node_do_not_wake_each_other() -> None:
    around = Around(nodes=(sliced(8),))
    operator = Operator(around=around)
    pools = [pool(f"pool-{number}", number, sharing="timeSlicing", resourceName=GPU) for number in range(1, 6)]
    assert [operator.look(one)[1] for one in pools] == [set()] * 5


def test_engines_of_two_pools_on_one_card_start_one_after_the_other() -> None:
    operator = Operator()
    first, second = pool("first", 1, 0.3), pool("second", 2, 0.3)
    operator.look(first)
    plan, _ = operator.look(second)
    assert plan.refusal is None
    assert plan.starts == ("a: starts once a of pool llm/first on the same card answers",)
    assert not [child for child in plan.apply if child["kind"] == "Deployment"]

    operator.known[first.ref] = standing(first, ready=True)
    assert operator.look(first)[1] == {"second"}
    plan, _ = operator.look(second)
    assert plan.starts == ()
    assert [child["kind"] for child in plan.apply] == ["Deployment"]

    # The first one changes meanwhile: now it is its turn to wait.
    changed = structs.replace(pool("first", 1, 0.2), uid=first.uid)
    assert operator.look(changed)[0].starts == ("a: starts once a of pool llm/second on the same card answers",)


def test_an_engine_that_fails_or_has_no_node_holds_nobody_up() -> None:
    for trouble in ("CrashLoopBackOff", "Unschedulable"):
        operator = Operator()
        first, second = pool("first", 1, 0.3), pool("second", 2, 0.3)
        operator.look(first)
        operator.known[first.ref] = standing(first, trouble=trouble)
        operator.look(first)
        assert operator.look(second)[0].starts == ()


def test_pools_with_one_volume_are_kept_apart_by_the_cards_lock() -> None:
    operator = Operator()
    plans = []
    for made in (pool("first", 1, 0.3), pool("second", 2, 0.3)):
        cache = structs.replace(made.spec.cache, existing_claim="weights")
        plans.append(operator.look(structs.replace(made, spec=structs.replace(made.spec, cache=cache)))[0])
    assert [plan.starts for plan in plans] == [(), ()]
    locks = []
    for plan in plans:
        (engine,) = (child for child in plan.apply if child["kind"] == "Deployment")
        (container,) = engine["spec"]["template"]["spec"]["containers"]
        locks.append(container["command"][2:4])
    assert locks[0] == locks[1] == ["--lock", "/cache/locks/$(NODE_NAME)-card-0.lock"]


def test_an_engine_that_is_not_applied_holds_nobody_up() -> None:
    first, second = pool("first", 1, 0.3), pool("second", 2, 0.3)
    operator = Operator()
    operator.look(first, carry_out=False)
    assert operator.look(second)[0].starts
    plan = make_plan(first, Observed())
    assert second.ref in operator.card_holdings.put(first, Observed(), plan, Plan(placement=plan.placement))
    assert operator.look(second)[0].starts == ()


RUNS = {"name": "vllm", "state": {"running": {}}, "started": True, "ready": True}
UNREADY: dict[str, Any] = {"type": "Ready", "status": "False"}
ENDLESS: dict[str, dict[str, Any]] = {
    "a sidecar is never ready": {
        "phase": "Running",
        "conditions": [UNREADY],
        "containerStatuses": [RUNS, {"name": "istio-proxy", "state": {"running": {}}, "ready": False}],
    },
    "a readiness gate is never opened": {
        "phase": "Running",
        "conditions": [{**UNREADY, "reason": "ReadinessGatesNotReady"}],
        "containerStatuses": [RUNS],
    },
    "it has started and does not answer": {
        "phase": "Running",
        "conditions": [UNREADY],
        "containerStatuses": [{**RUNS, "ready": False}],
    },
    "a volume is not mounted": {
        "phase": "Pending",
        "containerStatuses": [{"name": "vllm", "state": {"waiting": {"reason": "ContainerCreating"}}}],
    },
}


@pytest.mark.parametrize("status", ENDLESS.values(), ids=ENDLESS.keys())
def test_an_engine_that_has_measured_its_card_or_hangs_holds_nobody_up(status: dict[str, Any]) -> None:
    first, second = pool("first", 1, 0.3), pool("second", 2, 0.3)
    seen, operator = standing(first, status=status), Operator()
    mounted = status["phase"] != "Pending"
    said = {} if mounted else {("Pod", seen.pods[0].name): Said(reason="FailedMount", message="no such volume")}
    operator.look(first)
    operator.known[first.ref] = replace(seen, said=said)
    operator.look(first)
    assert operator.look(second)[0].starts == ()


def test_a_paused_deployment_holds_nobody_up() -> None:
    first, second = pool("first", 1, 0.3), pool("second", 2, 0.3)
    operator = Operator()
    operator.look(first)
    for live in operator.known[first.ref].children.values():
        if live["kind"] == "Deployment":
            live["spec"]["paused"] = True
    operator.look(first)
    assert operator.look(second)[0].starts == ()


def test_an_engine_that_is_woken_from_zero_waits_and_one_that_is_made_without_replicas_does_not() -> None:
    def second(replicas: int) -> ModelPool:
        made = pool("second", 2, 0.3)
        (model,) = made.spec.models
        return structs.replace(
            made, spec=structs.replace(made.spec, models=(structs.replace(model, replicas=replicas),))
        )

    first, operator = pool("first", 1, 0.3), Operator()
    operator.look(first)
    plan, _ = operator.look(second(0))
    assert plan.starts == ()
    assert "Deployment" in [child["kind"] for child in plan.apply]
    plan, _ = operator.look(second(1))
    assert plan.starts == ("a: starts once a of pool llm/first on the same card answers",)
    assert not plan.apply
    operator.known[first.ref] = standing(first, ready=True)
    assert operator.look(first)[1] == {"second"}
    plan, _ = operator.look(second(1))
    assert [child["kind"] for child in plan.apply] == ["Deployment"]
    changed = structs.replace(pool("first", 1, 0.2), uid=first.uid)
    assert operator.look(changed)[0].starts == ("a: starts once a of pool llm/second on the same card answers",)


def test_a_pool_that_is_let_be_wishes_nothing_and_does_not_start_for_ever() -> None:
    first, second = pool("first", 1, 0.3), pool("second", 2, 0.3)
    operator = Operator()
    operator.look(first)
    assert operator.look(second)[0].starts
    assert operator.leave(first, standing(first, ready=True)) == {"second"}
    assert operator.look(second)[0].starts == ()


def test_a_pool_that_is_let_be_keeps_the_card_of_an_engine_without_a_pod() -> None:
    operator = Operator()
    operator.look(OLD)
    left = operator.known[OLD.ref]
    assert any(child["kind"] == "Deployment" for child in left.children.values())
    operator.leave(OLD, left)
    assert operator.look(YOUNG)[0].refusal is not None
