"""Whatever others do to a pool, its children and its status: few writes a minute behind the first, and they are told.

The clock is the test's. Children and status are written as the operator does; what others did is there at each look.
"""

import functools
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from hypothesis import example, given, settings
from hypothesis import strategies as st

from modelpool_operator.api.parsing import render
from modelpool_operator.api.status import Condition, ConditionStatus, PoolStatus
from modelpool_operator.cluster.execute import Outcome
from modelpool_operator.handlers.write_histories import WriteHistory
from modelpool_operator.planning.changes import drift
from modelpool_operator.planning.changes.edits import CALM, FREE
from modelpool_operator.planning.changes.foreign_fields import Trim
from modelpool_operator.planning.changes.plan import Plan
from modelpool_operator.planning.objects.identity import ChildRef, Manifest, ref_of, sealed
from modelpool_operator.planning.observation.observed import Observed
from modelpool_operator.planning.sharing.shares import Placement

START = datetime(2026, 11, 30, tzinfo=UTC)
MOST = 6
"""Writes in any minute behind the first."""
LONG = 1000.0


@functools.cache
def child(number: int, content: str = "") -> Manifest:
    return sealed(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": f"d-{number}", "namespace": "llm", "annotations": {"modelpool.dev/model-name": "m"}},
            "spec": {
                "replicas": 1,
                "template": {"spec": {"containers": [{"name": "vllm", "image": f"vllm{content}"}]}},
            },
        }
    )


class World:
    """A pool of some children, and the operator that looks at it."""

    def __init__(self, children: int) -> None:
        self.now = 0.0
        self.children = children
        self.generation = 1
        self.content = ""
        self.live: dict[ChildRef, Manifest] = {}
        self.status: PoolStatus | None = None
        self.writes: list[float] = []
        self.standing = WriteHistory(lambda: self.now)
        self.looks = 0
        self.again: float | None = None
        self.without_end_since: float | None = None
        self.look()
        self.writes.clear()

    @property
    def refs(self) -> list[ChildRef]:
        return [ref_of(child(number)) for number in range(self.children)]

    def look(self) -> None:
        """Make a pass; each has something else to say, as while pods come and go."""
        self.looks += 1
        time = START + timedelta(seconds=self.now)
        status = render(self.status) if self.status else None
        metadata = {"generation": self.generation, "managedFields": []}
        self.standing.look({"metadata": metadata, "spec": {"content": self.content}, "status": status}, time)
        wanted = [child(number, self.content) for number in range(self.children)]
        changed = tuple(one for one in wanted if not self._is_there(one))
        unwanted = tuple(ref for ref in self.live if ref not in map(ref_of, wanted))
        why = dict.fromkeys((*map(ref_of, changed), *unwanted), "because")
        placement = Placement(cards=(), shares=())
        added = [one for one in changed if "added" in self.live.get(ref_of(one), {}).get("spec", {})]
        trims = tuple(Trim(wanted=one, patch=()) for one in added)
        plan = Plan(placement=placement, apply=changed, trims=trims, delete=unwanted, why=why)
        observed = Observed(children=dict(self.live))
        paced = self.standing.paced(plan, observed, time=time)
        put_back = tuple(drift.found_in(plan.changed, self.live))
        for one in paced.plan.apply:
            self.live[ref_of(one)] = one
        for ref in paced.plan.delete:
            del self.live[ref]
        self.writes += [self.now for _ in (*paced.plan.apply, *paced.plan.trims, *paced.plan.delete)]
        self.standing.note(paced, Outcome(), put_back, observed, time=time)
        ready = ConditionStatus.TRUE if self.looks % 3 and not paced.plan else ConditionStatus.FALSE
        said = Condition(
            type="Ready",
            status=ready,
            reason=f"Step{self.looks}",
            message="",
            observed_generation=self.generation,
            last_transition_time=time,
        )
        told = PoolStatus(observed_generation=self.generation, conditions=(said,), ready_models="", gpu_count=1)
        if self.standing.may_tell(told):
            self.status = told
            self.standing.told(told)
            self.writes.append(self.now)
        self.again = self.standing.next_look(paced)
        if self.standing.edits.are_without_end and self.without_end_since is None:
            self.without_end_since = self.now

    def _is_there(self, wanted: Manifest) -> bool:
        live = self.live.get(ref_of(wanted))
        return live is wanted or (live is not None and live["spec"] == wanted["spec"])

    def wait_until(self, when: float) -> None:
        """Look whenever something may be written."""
        for _ in range(200):
            if self.again is None or self.now + max(self.again, 0.05) >= when:
                break
            self.now += max(self.again, 0.05)
            self.look()
        self.now = max(self.now, when)

    def busiest(self, since: float) -> int:
        times = [when for when in self.writes if when >= since]
        return max((sum(first <= when < first + 60 for when in times) for first in times), default=0)


@dataclass(frozen=True)
class Actor:
    """Somebody who does the same again and again."""

    what: str
    targets: tuple[int, ...]
    at_once: bool
    pauses: tuple[float, ...]

    def act(self, world: World, turn: int) -> None:
        targets = self.targets if self.at_once else (self.targets[turn % len(self.targets)],)
        refs = [world.refs[number % world.children] for number in targets]
        for ref in refs:
            live = deepcopy(world.live.get(ref))
            if live is None:
                continue
            if self.what in ("image", "image and a field"):
                live["spec"]["template"]["spec"]["containers"][0]["image"] = "other"
            if self.what == "image and a field":
                live["spec"]["added"] = True
            if self.what == "replicas":
                live["spec"]["replicas"] = 2
            if self.what == "seal":
                live["metadata"]["annotations"]["modelpool.dev/applied"] = str(turn)
                live["spec"]["replicas"] = 0
            world.live[ref] = live
            if self.what == "delete":
                del world.live[ref]
        if self.what == "stray":
            stray = child(100 + turn)
            world.live[ref_of(stray)] = stray
        if self.what == "wipe":
            world.status = None
        if self.what in ("toggle", "count"):
            world.generation += 1
            world.content = str(turn % 2 if self.what == "toggle" else turn)


EDITS = frozenset({"toggle", "count"})
PAUSES = st.floats(0.2, 8) | st.floats(8, 35) | st.floats(35, 120) | st.floats(120, CALM - 5)
ACTORS = st.builds(
    Actor,
    what=st.sampled_from(["image", "image and a field", "replicas", "seal", "delete", "stray", "wipe"]),
    targets=st.lists(st.integers(0, 29), min_size=1, max_size=30).map(tuple),
    at_once=st.booleans(),
    pauses=st.lists(PAUSES, min_size=1, max_size=4).map(tuple),
)
ALL = tuple(range(30))


def play(world: World, actors: list[Actor], end: float = LONG) -> float:
    """Let everybody act until then; return when the first of them did."""
    if not actors:
        return 0.0
    due = [(actor.pauses[0], place, 0) for place, actor in enumerate(actors)]
    began = min(due)[0]
    most = 250
    while min(due)[0] < end and (most := most - 1):
        when, place, turn = min(due)
        world.wait_until(when)
        actors[place].act(world, turn)
        world.look()
        pauses = actors[place].pauses
        due[due.index((when, place, turn))] = when + pauses[(turn + 1) % len(pauses)], place, turn + 1
    return began


@settings(deadline=None, max_examples=12)
@given(children=st.integers(1, 30), actors=st.lists(ACTORS, min_size=1, max_size=4))
@example(children=6, actors=[Actor("image", ALL, at_once=True, pauses=(60.0,))])
@example(children=30, actors=[Actor("image", ALL, at_once=False, pauses=(10.0,))])
@example(children=30, actors=[Actor("delete", ALL, at_once=False, pauses=(25.0,))])
@example(children=1, actors=[Actor("stray", ALL, at_once=False, pauses=(5.0,))])
@example(children=6, actors=[Actor("replicas", ALL, at_once=True, pauses=(15.0,)), Actor("wipe", ALL, True, (20.0,))])
@example(children=6, actors=[Actor("image and a field", ALL, True, (20.0,)), Actor("wipe", ALL, True, (20.0,))])
@example(children=6, actors=[Actor("image", (0,), at_once=True, pauses=(150.0, 0.5, 0.5, 0.5))])
def test_whatever_others_do_to_children_and_status_few_writes_follow(children: int, actors: list[Actor]) -> None:
    world = World(children)
    began = play(world, actors)
    assert world.busiest(since=began + 60.01) <= MOST


@settings(deadline=None, max_examples=6)
@given(
    children=st.integers(1, 12),
    what=st.sampled_from(sorted(EDITS)),
    pauses=st.lists(st.floats(0.2, 60), min_size=1, max_size=3).map(tuple),
)
@example(children=6, what="toggle", pauses=(30.0,))
@example(children=6, what="toggle", pauses=(10.0,))
@example(children=12, what="count", pauses=(15.0,))
@example(children=1, what="count", pauses=(3.0,))
def test_whoever_changes_the_pool_without_end_is_followed_by_few_writes(
    children: int, what: str, pauses: tuple[float, ...]
) -> None:
    """Who sets it to and fro is known after four times, and who wants another one each time after twenty."""
    world = World(children)
    turns = 6 if what == "toggle" else FREE + 2
    end = max(LONG, (turns + 4) * max(pauses))
    began = play(world, [Actor(what, ALL, at_once=True, pauses=pauses)], end=end)
    assert world.without_end_since is not None
    assert world.without_end_since <= began + turns * max(pauses)
    assert world.busiest(since=max(began + 60, world.without_end_since) + 0.01) <= MOST
    assert any("the ModelPool was changed" in one for one in world.standing.fights)


@settings(deadline=None, max_examples=10)
@given(
    children=st.integers(1, 30),
    what=st.sampled_from(["image", "replicas", "seal", "delete"]),
    at_once=st.booleans(),
    pause=st.floats(0.2, 8) | st.floats(8, 60),
)
@example(children=30, what="image", at_once=False, pause=30.0)
def test_whoever_changes_children_is_told(children: int, what: str, at_once: bool, pause: float) -> None:
    world = World(children)
    play(world, [Actor(what, ALL, at_once=at_once, pauses=(pause,))], end=40 * pause + 120)
    assert world.standing.fights


@settings(deadline=None, max_examples=10)
@given(children=st.integers(1, 12), actors=st.lists(ACTORS, min_size=1, max_size=3), end=st.floats(100, 900))
def test_a_change_of_the_pool_is_carried_out_whole_and_at_once_whatever_others_do(
    children: int, actors: list[Actor], end: float
) -> None:
    """Of a child whose seal somebody takes nobody knows whether it was carried out; a status that is wiped waits."""
    world = World(children)
    play(world, [one for one in actors if one.what not in ("seal", "wipe")], end=end)
    world.generation, world.content = 2, "new"
    there = [ref for ref in world.refs if ref in world.live]
    world.look()
    assert all(world.live[ref] == child(world.refs.index(ref), "new") for ref in there)
    assert world.status is not None
    assert world.status.observed_generation == 2


def test_a_second_engine_on_a_card_is_not_left_there_for_the_pauses_of_others() -> None:
    world, second = World(2), list[float]()
    autoscaler = Actor("replicas", (0,), at_once=True, pauses=(15.0,))
    image = Actor("image", (1,), at_once=True, pauses=(15.0,))
    since: float | None = None
    for turn in range(200):
        world.wait_until(turn * 15.0)
        if world.live[world.refs[0]]["spec"]["replicas"] == 1 and since is not None:
            second.append(max(when for when in world.writes) - since)
            since = None
        autoscaler.act(world, turn)
        image.act(world, turn)
        since = world.now if since is None else since
        world.look()
    assert world.busiest(since=60.01) <= MOST
    assert max(second) <= 45
