import itertools
from collections import Counter
from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from modelpool_sidecar.routing.fair_queue import FairQueue, Ticket


def filled(*tickets: tuple[str, str] | tuple[str, str, int], patience: int | None = None) -> FairQueue:
    queue = FairQueue(patience=patience)
    for ticket in tickets:
        queue.push(Ticket(caller=ticket[0], model=ticket[1], priority=ticket[2] if len(ticket) == 3 else 0))
    return queue


def served(queue: FairQueue, loaded: str | None = None) -> Iterator[str]:
    while ticket := queue.pop(loaded):
        loaded = ticket.model
        yield ticket.caller + ticket.model


def test_callers_take_turns_whatever_their_number_of_requests() -> None:
    queue = filled(("a", "1"), ("a", "2"), ("a", "3"), ("b", "1"), ("c", "1"), ("b", "2"))
    assert list(served(queue)) == ["a1", "b1", "c1", "a2", "b2", "a3"]


def test_priority_decides_within_a_caller_only() -> None:
    queue = filled(("a", "late", 5), ("a", "soon", -5), ("b", "other", 9))
    assert list(served(queue)) == ["asoon", "bother", "alate"]


def test_a_leaver_loses_its_place_and_leaving_twice_is_fine() -> None:
    queue = FairQueue()
    stays, leaves = Ticket(caller="a", model="m"), Ticket(caller="a", model="m")
    queue.push(leaves)
    queue.push(stays)
    queue.remove(leaves)
    queue.remove(leaves)
    assert (queue.pop(), queue.pop()) == (stays, None)


def test_the_loaded_model_is_served_before_a_swap() -> None:
    queue = filled(("a", "x"), ("b", "y"), ("c", "x"), ("d", "y"), patience=9)
    assert list(served(queue, loaded="y")) == ["by", "dy", "ax", "cx"]


def test_nobody_is_passed_over_more_often_than_patience() -> None:
    queue = filled(("a", "x"), *[("b", "y")] * 6, patience=2)
    assert list(served(queue, loaded="y")) == ["by", "by", "ax", "by", "by", "by", "by"]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("xyz")), max_size=30), st.integers(0, 4))
def test_every_ticket_is_served_exactly_once(tickets: list[tuple[str, str]], patience: int) -> None:
    queue = filled(*tickets, patience=patience)
    assert len(queue) == len(tickets)
    assert sorted(served(queue)) == sorted(caller + model for caller, model in tickets)
    assert len(queue) == 0


@given(st.lists(st.sampled_from("abcd"), max_size=40))
def test_no_caller_gets_two_turns_while_another_waits_for_one(callers: list[str]) -> None:
    order = list(served(filled(*[(caller, "m") for caller in callers])))
    for caller in set(callers):
        turns = [place for place, name in enumerate(order) if name == caller + "m"]
        for first, second in itertools.pairwise(turns):
            between = order[first + 1 : second]
            assert len(set(between)) == len(between)


CALLERS = st.lists(st.sampled_from("abcdef"), max_size=60)


def through_the_door(callers: list[str], bound: int) -> tuple[FairQueue, list[str]]:
    """A queue to which these came one after the other, as admission lets them in; and who was sent away."""
    queue, away = FairQueue(), []
    for caller in callers:
        if not queue.admits(caller, bound):
            away.append(caller)
            continue
        queue.push(Ticket(caller=caller, model="m"))
        if len(queue) > bound:
            yields = queue.displaced()
            assert yields is not None
            away.append(yields.caller)
    return queue, away


@given(CALLERS, st.integers(0, 8))
def test_the_bound_is_hard_and_what_is_in_it_is_shared_out(callers: list[str], bound: int) -> None:
    queue, away = through_the_door(callers, bound)
    inside = Counter(ticket.caller for ticket in queue)
    assert len(queue) == sum(inside.values()) == min(bound, len(callers))
    assert inside + Counter(away) == Counter(callers)
    for caller in set(away):  # nobody was sent away who had less than another keeps, but for one
        assert inside[caller] >= max(inside.values(), default=0) - 1


def test_a_greedy_caller_does_not_keep_a_polite_one_out() -> None:
    queue, away = through_the_door(["greedy"] * 100 + ["polite"] * 2, 9)
    assert [ticket.caller for ticket in queue].count("polite") == 2
    assert away == ["greedy"] * 93


def test_who_yields_is_the_newest_of_the_greediest() -> None:
    queue = FairQueue()
    tickets = [Ticket(caller=caller, model="m") for caller in "abbbaa"[:5]]
    for ticket in tickets:
        queue.push(ticket)
    assert queue.displaced() is tickets[3]
    assert FairQueue().displaced() is None


def test_who_was_sent_away_does_not_push_another_out_in_turn() -> None:
    queue, _ = through_the_door([*"aaaa", "b"], 4)
    assert not queue.admits("a", 4)
