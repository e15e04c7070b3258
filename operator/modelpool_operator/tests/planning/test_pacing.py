"""How often children are written, on a clock of the test's: whatever others do, few writes a minute after the first."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from modelpool_operator.planning.changes import edits, fights, pacing, write_rate_limit
from modelpool_operator.planning.changes.drift import Drift
from modelpool_operator.planning.changes.edits import Edits
from modelpool_operator.planning.changes.pacing import Book
from modelpool_operator.planning.changes.plan import Plan
from modelpool_operator.planning.changes.write_rate_limit import PutBacks
from modelpool_operator.planning.objects.identity import ChildRef
from modelpool_operator.planning.sharing.shares import Placement

START = datetime(2026, 11, 30, tzinfo=UTC)
MINUTES = 40
TURNS = 40
MOST = 2
"""Writes to children in any minute after the first. The status has four beside them."""


def ref(number: int) -> ChildRef:
    return ChildRef("apps/v1", "Deployment", f"d-{number}")


def plan(*numbers: int, content: str = "", delete: bool = False) -> Plan:
    refs = tuple(ref(number) for number in numbers)
    body = {"apiVersion": "apps/v1", "kind": "Deployment", "spec": content}
    wanted = tuple({**body, "metadata": {"name": one.name}} for one in refs)
    return Plan(
        placement=Placement(cards=(), shares=()),
        apply=() if delete else wanted,
        delete=refs if delete else (),
        why=dict.fromkeys(refs, "because"),
    )


class Operator:
    """Passes over a pool, and the seconds of its writes."""

    def __init__(self) -> None:
        self.book: Book = {}
        self.edits: Edits | None = None
        self.put_backs: PutBacks | None = None
        self.carried: int | None = None
        self.writes: list[tuple[float, ChildRef]] = []
        self.again: float | None = None

    def look(self, now: float, plan: Plan, *, how: str = "", refused: str | None = None, generation: int = 1) -> None:
        """Make a pass; `how` others changed the children before."""
        time = START + timedelta(seconds=now)
        self.edits = edits.seen(self.edits, generation, "argocd", now=now, time=time)
        self.book = pacing.current(self.book, self.edits, now)
        changed = plan.changed.keys() if how == "edited" else ()
        undoing = fights.undoing_in(plan, self.book, self.edits, changed, carried=self.carried)
        if undoing:
            self.put_backs = write_rate_limit.seen(self.put_backs, now=now, time=time)
        paced = pacing.paced(plan, self.book, self.edits, now, put_backs=self.put_backs, undoing=undoing)
        written = {*paced.plan.changed, *paced.plan.delete}
        self.writes += [(now, one) for one in sorted(written)]
        interfered = Drift(child=ref(0), field="/spec/replicas", manager="hpa")
        causes = dict.fromkeys(plan.changed, interfered) if how == "edited" else {}
        self.carried = generation
        self.put_backs = write_rate_limit.written(
            self.put_backs,
            undoing - paced.held,
            urgent=paced.urgent,
            twice=paced.plan.twice,
            held=paced.crowded,
            causes=causes,
            count=not self.edits.are_without_end,
            now=now,
        )
        self.book = pacing.noted(
            self.book,
            paced,
            refused=dict.fromkeys(written, refused) if refused else {},
            causes=causes,
            absent=plan.changed.keys() if how == "deleted" else (),
            generation=generation,
            now=now,
            time=time,
        )
        self.again = pacing.next_look(self.book, paced, self.edits, now)

    @property
    def gives_way(self) -> bool:
        """Whether somebody has acted too often for everything to be written at once."""
        assert self.edits is not None
        return self.edits.are_without_end or any(known.is_fought_over for known in self.book.values())

    def busiest(self, since: float) -> int:
        """Return the most writes in a minute that begins with one."""
        times = [when for when, _ in self.writes if when >= since]
        return max((sum(first <= when < first + 60 for when in times) for first in times), default=0)


ACTORS = {
    "edited": "edited",
    "edited, and its seal with it": "sealed",
    "deleted": "deleted",
    "another spec each time": "",
    "made again each time": "remade",
}


@settings(deadline=None, max_examples=30)
@given(
    how=st.sampled_from(list(ACTORS.values())),
    children=st.integers(1, 6),
    pauses=st.lists(st.floats(0.1, 8) | st.floats(8, 590), min_size=1, max_size=5),
    two=st.booleans(),
)
@example(how="edited", children=6, pauses=[61.0], two=False)
@example(how="", children=6, pauses=[61.0], two=False)
@example(how="", children=3, pauses=[301.0], two=True)
@example(how="edited", children=6, pauses=[0.1, 0.1, 0.1, 0.1, 600.0], two=False)
def test_no_actor_makes_the_operator_write_without_end(how: str, children: int, pauses: list[float], two: bool) -> None:
    """Two set the pool in turn: what is there is what the pool wants at each other look.

    Who takes his time is known by what he did, and not within a minute.
    """
    operator, now, turn, there, since, last = Operator(), 0.0, 0, dict[ChildRef, str](), 60.0, 0.0
    while now < MINUTES * 60 or turn < TURNS:
        numbers = range(children)
        content = "" if how else str(turn % 2) if two else str(turn)
        asked = [number for number in numbers if how or there.get(ref(number)) != content]
        done, generation = len(operator.writes), 1 if how else turn
        operator.look(now, plan(*asked, content=content, delete=how == "remade"), how=how, generation=generation)
        there.update((one, content) for _, one in operator.writes[done:])
        if not operator.gives_way:
            since = max(60.0, now + pauses[turn % len(pauses)])
        last, now = now, now + pauses[turn % len(pauses)]
        turn += 1
    assert operator.gives_way
    assert since <= max(60.0, (edits.FREE + 2) * max(pauses))
    assert operator.busiest(since=since + 0.01) <= MOST
    if how:
        assert {one for _, one in operator.writes} == {ref(number) for number in range(children)}
        assert len(fights.fights(operator.book, last)) == children
    else:
        assert operator.edits is not None
        assert "by 'argocd' last" in (operator.edits.words(last) or "")


def test_a_fight_is_told_while_it_lasts_and_is_remembered_for_ten_minutes() -> None:
    operator = Operator()
    for second in range(10):
        operator.look(float(second), plan(0), how="edited")
    want = "Deployment d-0: 'hpa' changes /spec/replicas; put back 4 times since 2026-11-30T00:00:00Z"
    assert fights.fights(operator.book, 10) == (want,)
    assert operator.again == pytest.approx(4.0), "ten seconds after the last write"
    operator.look(13, plan(0), how="edited")
    operator.look(14, plan())
    assert operator.again == pytest.approx(59.0), "a minute after the last write"
    assert fights.fights(operator.book, 72)
    operator.look(73, plan())
    assert fights.fights(operator.book, 73) == ()
    operator.look(80, plan(0), how="edited")
    assert operator.book[ref(0)].put_back == 6
    operator.look(1000, plan(0), how="edited")
    assert operator.book[ref(0)].put_back == 1, "another fight"


@pytest.mark.parametrize("every", [61.0, 300.0, 600.0])
def test_who_takes_his_time_is_named_for_as_long_as_he_does(every: float) -> None:
    operator = Operator()
    for turn in range(8):
        operator.look(turn * every, plan(0), how="edited")
    (said,) = fights.fights(operator.book, 8 * every - 1)
    assert "'hpa' changes /spec/replicas; put back" in said


def test_a_fight_in_which_the_seal_changes_is_told_and_paced() -> None:
    """As by an operator of another version, or by Argo CD with a manifest that was exported."""
    operator = Operator()
    for second in range(600):
        operator.look(float(second), plan(0), how="sealed")
    assert [when for when, _ in operator.writes] == [0, 1, 2, 3, 4, 14, 34, 74, 154, 314]
    want = "Deployment d-0: somebody changes it back each time; put back 9 times since 2026-11-30T00:00:00Z"
    assert fights.fights(operator.book, 600) == (want,)


def test_a_spec_that_changes_all_the_time_is_carried_out_with_pauses() -> None:
    operator = Operator()
    for second in range(150):
        operator.look(float(second), plan(0, content=str(second)), generation=second)
    assert [when for when, _ in operator.writes] == [*range(21), 80, 140]


def test_edits_of_a_person_are_carried_out_whole_and_at_once() -> None:
    """Of six children each, 50 seconds apart, or one at once after the other."""
    for every in (0.5, 50.0):
        operator = Operator()
        for turn in range(edits.FREE):
            operator.look(turn * every, plan(*range(6), content=str(turn)), generation=turn)
            assert operator.writes[-6:] == [(turn * every, ref(number)) for number in range(6)]
        assert operator.edits is not None
        assert operator.edits.words(edits.FREE * every) is None


def test_what_the_operator_wants_changed_by_itself_is_no_change_of_the_pool() -> None:
    """As replicas by demand, to zero and back."""
    operator = Operator()
    for turn in range(40):
        operator.look(turn * 20.0, plan(0, content=f"{turn % 2} replicas"))
    assert [when for when, _ in operator.writes] == [turn * 20.0 for turn in range(40)]
    assert fights.fights(operator.book, 780) == ()
    assert operator.edits is not None
    assert operator.edits.words(780) is None


def test_what_comes_and_goes_with_demand_is_made_and_deleted_at_once() -> None:
    operator = Operator()
    for turn in range(40):
        operator.look(turn * 20.0, plan(0, delete=turn % 2 == 1))
    assert len(operator.writes) == 40


def test_what_the_api_server_refuses_is_tried_less_often_and_a_change_of_the_pool_at_once() -> None:
    operator = Operator()
    for second in range(300):
        operator.look(float(second), plan(0), refused="denied")
        assert pacing.refused_in(operator.book) == {ref(0): "denied"}
    assert [when for when, _ in operator.writes] == [0, 2, 6, 14, 30, 62, 122, 182, 242]
    operator.look(300.5, plan(0, content="else"), generation=2)
    assert operator.writes[-1][0] == 300.5
    assert pacing.refused_in(operator.book) == {}


def test_what_is_not_wanted_any_more_is_no_refusal() -> None:
    operator = Operator()
    operator.look(0, plan(0), refused="denied")
    operator.look(1, plan())
    assert pacing.refused_in(operator.book) == {}


def test_a_child_that_is_fought_over_costs_no_other_child() -> None:
    operator = Operator()
    for second in range(20):
        operator.look(float(second), plan(0), how="edited")
    operator.look(20.0, plan(0, 1), how="")
    assert (20.0, ref(1)) in operator.writes


def test_an_edit_of_the_pool_is_carried_out_in_the_midst_of_a_fight() -> None:
    operator = Operator()
    for second in range(400):
        operator.look(float(second), plan(0), how="edited")
    operator.look(400.0, plan(0, content="edited"), generation=2)
    assert (400.0, ref(0)) in operator.writes


def test_what_is_held_back_is_told_with_its_reason_and_what_is_refused_is_not() -> None:
    operator = Operator()
    for second in range(9):
        operator.look(float(second), plan(0), how="edited")
    operator.look(8.5, plan(1), refused="denied")
    assert operator.edits is not None
    paced = pacing.paced(plan(0, 1), operator.book, operator.edits, 9.0)
    assert paced.held == {ref(0), ref(1)}
    operator.look(9.0, plan(0, 1))
    assert fights.held_back(operator.book, paced) == ("Deployment d-0: because",)
