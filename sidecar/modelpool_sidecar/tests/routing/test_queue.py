import itertools
from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from modelpool_sidecar.routing.queue import FairQueue, Ticket


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
