"""At no moment is Ready True with an observedGeneration whose pods do not run: whatever happens, in whatever order.

What is said is what was written: a status has to wait for its turn, but for one that takes `Ready` back.
"""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from msgspec import structs

from modelpool_operator.api.parsing import render
from modelpool_operator.api.pool import ModelPool
from modelpool_operator.api.status import Condition, ConditionStatus, PoolStatus
from modelpool_operator.cluster.execute import Outcome
from modelpool_operator.handlers.write_histories import WriteHistory
from modelpool_operator.planning.changes import drift
from modelpool_operator.planning.changes.pacing import Paced
from modelpool_operator.planning.changes.plan import Plan, make_plan
from modelpool_operator.planning.objects.identity import ChildRef, Manifest, ref_of
from modelpool_operator.planning.observation.observed import Observed
from modelpool_operator.planning.reporting.status import assess, assess_failed, assess_invalid
from modelpool_operator.tests.planning.played_cluster import NO_SUCH_IMAGE, PlayedCluster, essence
from modelpool_operator.tests.planning.pools import pool_of, stored, two_cards, vllm

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
EDITS = st.fixed_dictionaries(
    {},
    optional={
        "image": st.sampled_from(["vllm:a", "vllm:b", NO_SUCH_IMAGE]),
        "share": st.sampled_from([0.3, 0.4, 1.0]),
        "replicas": st.sampled_from([0, 1]),
        "alias": st.sampled_from(["x", "y"]),
        "models": st.sampled_from(["ab", "abc", "ac"]),
    },
)
"""What a user may change: a share of 1.0 beside another model does not fit, an alias changes no pod."""
STEPS = st.lists(st.sampled_from(["roll", "start", "reach"]), max_size=3)
"""Of the cluster, while a plan is carried out or afterwards."""
LONGEST = 16
"""Passes until a pool has settled: each card takes a few."""
DENIED = st.frozensets(st.sampled_from(["Deployment", "Service", "ConfigMap"]), max_size=2)


def pool(generation: int, edit: dict[str, Any]) -> ModelPool:
    """Return a pool of up to three models on two cards, each on its own place, so that its templates are one pool's."""
    places, first = {"a": 0, "b": 0, "c": 1}, {"aliases": [edit["alias"]], "replicas": edit["replicas"]}
    models = [vllm(name, edit["share"] if name == "b" else 0.4, gpu=places[name]) for name in edit["models"]]
    models[0] |= first
    found = pool_of(*models, vllm={"image": edit["image"]}, ollama={"enabled": False}, **two_cards())
    return structs.replace(found, generation=generation)


def wanted_of(spec: ModelPool) -> dict[ChildRef, Manifest] | None:
    """Return the children of a new pool of this spec, as the API server would hold them; None where it cannot be."""
    plan = make_plan(spec, Observed())
    return None if plan.refusal is not None else {ref_of(one): stored(one) for one in plan.apply}


class ReadyTellsTheTruth(RuleBasedStateMachine):
    """One pool's life, from the moment when it is ready for the first time."""

    @initialize(models=st.sampled_from(["ab", "abc", "ac"]))
    def begin(self, models: str) -> None:
        self.edit = {"image": "vllm:a", "share": 0.4, "replicas": 1, "alias": "x", "models": models}
        self.spec, self.cluster = pool(1, self.edit), PlayedCluster()
        self.status: PoolStatus | None = None
        self.proven: set[int] = set()
        self.seconds = 0.0
        self.standing = WriteHistory(lambda: self.seconds)
        self.settle()

    def look(self) -> None:
        """Read the pool as a pass does."""
        found = {"metadata": {"generation": self.spec.generation}}
        self.standing.look(found if self.status is None else {**found, "status": render(self.status)}, NOW)

    def tell(self, status: PoolStatus) -> None:
        """Write a status, if it may be written now."""
        assert self.standing.may_tell(status) or self.says_ready(status) or not self.says_ready(self.status), (
            "what is not ready is told at once"
        )
        if self.standing.may_tell(status):
            self.status = status
            self.standing.told(status)
            if self.says_ready(status):
                assert status.observed_generation in self.proven

    @rule(edit=EDITS)
    def change(self, edit: dict[str, Any]) -> None:
        """A user edits the pool."""
        self.edit = {**self.edit, **edit}
        self.spec = pool(self.spec.generation + 1, self.edit)

    @rule(denied=DENIED, steps=STEPS)
    def reconcile(self, denied: frozenset[str] = frozenset(), steps: Sequence[str] = ()) -> None:
        """The operator makes a pass, of which the API server may refuse a part; meanwhile the cluster goes on."""
        self.seconds += 1.0
        self.look()
        standing, observed = self.standing, self.cluster.observed()
        observed = replace(observed, refused=standing.refused, fought_over=standing.fought_over)
        plan = make_plan(self.spec, observed)
        paced = standing.paced(plan, observed, time=NOW)
        self.cluster.carry_out(paced.plan, denied)
        refused = {ref_of(one): "denied" for one in paced.plan.apply if one["kind"] in denied}
        put_back = tuple(drift.found_in(plan.changed, observed.children))
        standing.note(paced, Outcome(refused=refused), put_back, observed, time=NOW)
        self.go_on(steps)
        self.report(paced, paced.plan.as_done(refused=refused, unchanged=()))

    @rule(seconds=st.sampled_from([5.0, 20.0, 60.0, 700.0]))
    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.seconds += seconds

    @rule(edit=EDITS, denied=DENIED, steps=STEPS)
    def deploy(self, edit: dict[str, Any], denied: frozenset[str], steps: Sequence[str]) -> None:
        """A user edits the pool, and the operator hears of it."""
        self.change(edit)
        self.reconcile(denied, steps)

    @rule(steps=STEPS)
    def go_on(self, steps: Sequence[str]) -> None:
        """The controllers and the kubelet take steps."""
        for step in steps:
            getattr(self.cluster, step)()

    def report(self, paced: Paced, plan: Plan) -> None:
        status = assess(
            self.spec,
            replace(self.cluster.observed(), refused=self.standing.refused),
            plan,
            previous=self.status,
            now=NOW,
            failures=tuple(self.standing.refused.values()),
            fights=self.standing.fights,
            held=self.standing.held_back(paced),
        )
        if self.says_ready(status):
            self.prove()
        self.tell(status)

    def prove(self) -> None:
        """Fail unless pods of this generation's templates answer for every model that is to run, and no others do."""
        wanted = wanted_of(self.spec)
        assert wanted is not None, "a pool that cannot be is said to be ready"
        for ref, child in wanted.items():
            if ref.kind == "Deployment":
                self.prove_engine(ref.name, child)
            elif ref.kind == "ConfigMap":
                assert self.cluster.children[ref]["data"] == child["data"], f"{ref} is of another generation"
        self.proven.add(self.spec.generation)

    def prove_engine(self, name: str, deployment: Manifest) -> None:
        template = essence(deployment["spec"]["template"])
        answering = [one for one in self.cluster.pods if one.deployment == name and one.ready and not one.deleting]
        assert answering or deployment["spec"]["replicas"] == 0, f"nobody answers for {name}"
        assert all(essence(one.template) == template for one in answering), f"an older {name} answers"
        reached = self.cluster.endpoints.get(name, frozenset())
        assert not answering or any(one.name in reached for one in answering), f"nobody reaches {name}"

    @rule(what=st.sampled_from(["a pass fails", "the API server is away", "it cannot be read", "the status is wiped"]))
    def suffer(self, what: str) -> None:
        """Something happens to the status."""
        self.look()
        told: dict[str, Any] = {"generation": self.spec.generation, "previous": self.status, "now": NOW}
        match what:
            case "it cannot be read":
                self.tell(assess_invalid(error="no", **told))
            case "the status is wiped":
                self.status = None
            case _:
                passing = what == "the API server is away"
                self.tell(assess_failed(reason="X", message="x", passing=passing, **told))

    @precondition(lambda self: self.cluster.pods)
    @rule(number=st.integers(0, 9))
    def crash(self, number: int) -> None:
        """An engine stops answering."""
        self.cluster.pods[number % len(self.cluster.pods)].ready = False

    @precondition(lambda self: self.cluster.deployments())
    @rule(number=st.integers(0, 9), what=st.sampled_from(["image", "pause", "resume", "scale", "delete"]))
    def meddle(self, number: int, what: str) -> None:
        """Somebody changes a Deployment by hand; the hash in its template stays."""
        chosen = self.cluster.deployments()[number % len(self.cluster.deployments())]
        ref = ref_of(chosen)
        live = self.cluster.children[ref] = deepcopy(chosen)
        match what:
            case "image":
                live["spec"]["template"]["spec"]["containers"][0]["image"] = f"vllm:hand-{number % 2}"
            case "pause" | "resume":
                live["spec"]["paused"] = what == "pause"
            case "scale":
                live["spec"]["replicas"] = number % 3
            case _:
                del self.cluster.children[ref]
                self.cluster.pods = [pod for pod in self.cluster.pods if pod.deployment != ref.name]
        live["metadata"]["generation"] += 1

    def settle(self) -> None:
        """Leave all in peace: the pool is ready where it can be, and only there."""
        for live in self.cluster.deployments():
            live["spec"].pop("paused", None)
        can_be = wanted_of(self.spec) is not None and self.edit["image"] != NO_SUCH_IMAGE
        for _ in range(LONGEST):
            self.seconds += 700.0
            self.reconcile()
            self.go_on(["roll", "start", "reach"])
            if can_be and self.says_ready(self.status):
                return
        assert not can_be and not self.says_ready(self.status), self.status

    def teardown(self) -> None:
        if hasattr(self, "status"):
            self.settle()

    @invariant()
    def ready_speaks_of_a_generation_that_ran(self) -> None:
        said = ready_of(self.status)
        if said is not None and said.status is ConditionStatus.TRUE:
            assert said.observed_generation in self.proven

    @staticmethod
    def says_ready(status: PoolStatus | None) -> bool:
        said = ready_of(status)
        return said is not None and said.status is ConditionStatus.TRUE


def ready_of(status: PoolStatus | None) -> Condition | None:
    """Return the condition Ready, or None where there is no status."""
    return next((one for one in status.conditions if one.type == "Ready"), None) if status is not None else None


ReadyTellsTheTruth.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestReadyTellsTheTruth = ReadyTellsTheTruth.TestCase
