"""At no moment is Ready True with an observedGeneration whose pods do not run: whatever happens, in whatever order."""

from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from msgspec import structs

from modelpool_operator.api.pool import ModelPool
from modelpool_operator.api.status import ConditionStatus, PoolStatus
from modelpool_operator.planning.manifests import Manifest, ref_of
from modelpool_operator.planning.observed import Observed
from modelpool_operator.planning.plan import Plan, make_plan
from modelpool_operator.planning.status import assess, assess_failed, assess_invalid
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
DENIED = st.frozensets(st.sampled_from(["Deployment", "Service", "ConfigMap"]), max_size=2)


def pool(generation: int, edit: dict[str, Any]) -> ModelPool:
    """Return a pool of up to three models on two cards, each on its own place, so that its templates are one pool's."""
    places, first = {"a": 0, "b": 0, "c": 1}, {"aliases": [edit["alias"]], "replicas": edit["replicas"]}
    models = [vllm(name, edit["share"] if name == "b" else 0.4, gpu=places[name]) for name in edit["models"]]
    models[0] |= first
    found = pool_of(*models, vllm={"image": edit["image"]}, ollama={"enabled": False}, **two_cards())
    return structs.replace(found, generation=generation)


def wanted_of(spec: ModelPool) -> dict[str, Manifest] | None:
    """Return the Deployments of a new pool of this spec by name, or None where it cannot be."""
    plan = make_plan(spec, Observed())
    if plan.refusal is not None:
        return None
    return {one["metadata"]["name"]: stored(one) for one in plan.apply if one["kind"] == "Deployment"}


class ReadyTellsTheTruth(RuleBasedStateMachine):
    """One pool's life."""

    @initialize()
    def begin(self) -> None:
        self.edit = {"image": "vllm:a", "share": 0.4, "replicas": 1, "alias": "x", "models": "ab"}
        self.spec, self.cluster = pool(1, self.edit), PlayedCluster()
        self.status: PoolStatus | None = None
        self.proven: set[int] = set()

    @rule(edit=EDITS)
    def change(self, edit: dict[str, Any]) -> None:
        """A user edits the pool."""
        self.edit = {**self.edit, **edit}
        self.spec = pool(self.spec.generation + 1, self.edit)

    @rule(denied=DENIED)
    def reconcile(self, denied: frozenset[str]) -> None:
        """The operator makes a pass; the API server may refuse some of it."""
        before = self.cluster.observed()
        plan = make_plan(self.spec, before)
        failures = self.cluster.carry_out(plan, denied)
        self.report(plan, failures)

    @rule(steps=st.lists(st.sampled_from(["roll", "start", "reach"]), max_size=3))
    def reconcile_slowly(self, steps: list[str]) -> None:
        """The cluster goes on while the operator carries a plan out."""
        plan = make_plan(self.spec, self.cluster.observed())
        failures = self.cluster.carry_out(plan)
        for step in steps:
            getattr(self.cluster, step)()
        self.report(plan, failures)

    def report(self, plan: Plan, failures: tuple[str, ...]) -> None:
        self.status = assess(self.spec, self.cluster.observed(), plan, previous=self.status, now=NOW, failures=failures)
        if self.says_ready(self.status):
            self.prove()

    def prove(self) -> None:
        """Fail unless pods of this generation's templates answer for every model that is to run, and no others do."""
        wanted = wanted_of(self.spec)
        assert wanted is not None, "a pool that cannot be is said to be ready"
        for name, deployment in wanted.items():
            template = deployment["spec"]["template"]
            answering = [one for one in self.cluster.pods if one.deployment == name and one.ready and not one.deleting]
            assert answering or deployment["spec"]["replicas"] == 0, f"nobody answers for {name}"
            assert all(essence(one.template) == essence(template) for one in answering), f"an older {name} answers"
            reached = self.cluster.endpoints.get(name, frozenset())
            assert not answering or any(one.name in reached for one in answering), f"nobody reaches {name}"
        self.proven.add(self.spec.generation)

    @rule(passing=st.booleans())
    def fail(self, passing: bool) -> None:
        """A pass does not get through."""
        self.status = assess_failed(
            generation=self.spec.generation, reason="X", message="x", passing=passing, previous=self.status, now=NOW
        )

    @rule()
    def misread(self) -> None:
        """Another operator, or an older one, cannot read the pool."""
        self.status = assess_invalid(generation=self.spec.generation, error="no", previous=self.status, now=NOW)

    @rule()
    def wipe(self) -> None:
        """Somebody removes the status."""
        self.status = None

    @rule()
    def roll(self) -> None:
        self.cluster.roll()

    @rule()
    def start(self) -> None:
        self.cluster.start()

    @rule()
    def reach(self) -> None:
        self.cluster.reach()

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

    @rule()
    def settle(self) -> None:
        """Leave all in peace: the pool is ready where it can be, and says why where it cannot."""
        for live in self.cluster.deployments():
            live["spec"].pop("paused", None)
        for _ in range(12):
            self.reconcile(frozenset())
            self.cluster.roll()
            self.cluster.start()
            self.cluster.reach()
        self.reconcile(frozenset())
        wanted = wanted_of(self.spec)
        can_be = wanted is not None and self.edit["image"] != NO_SUCH_IMAGE
        assert self.status is not None
        assert self.says_ready(self.status) is can_be, self.status.conditions

    @invariant()
    def ready_speaks_of_a_generation_that_ran(self) -> None:
        status = getattr(self, "status", None)
        if status is not None and self.says_ready(status):
            (said,) = (one for one in status.conditions if one.type == "Ready")
            assert said.observed_generation in self.proven

    @staticmethod
    def says_ready(status: PoolStatus) -> bool:
        (said,) = (one for one in status.conditions if one.type == "Ready")
        return said.status is ConditionStatus.TRUE


ReadyTellsTheTruth.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestReadyTellsTheTruth = ReadyTellsTheTruth.TestCase
