"""Replicas by demand, as a story of seconds: what was asked, what was decided, and that it does not flap."""

from dataclasses import dataclass

import pytest

from modelpool_operator.api.models import Autoscaling
from modelpool_operator.planning.observation.autoscaling import (
    Asked,
    History,
    Scale,
    Unknown,
    decide,
    scaled,
    summed,
)
from modelpool_operator.tests.planning.pools import pool_of, vllm

SCALING = Autoscaling(min_replicas=0, max_replicas=4, target_in_flight=10, idle_seconds=60)


@dataclass
class Model:
    """One model that is decided about again and again, by the clock of the story."""

    scaling: Autoscaling = SCALING
    current: int | None = None

    def __post_init__(self) -> None:
        self.history = History()

    def at(self, now: float, load: int = 0, *, idle: float = 0.0) -> int:
        asked = Asked(load=load, idle_seconds=idle)
        self.history.note(self.scaling, asked, now)
        self.current = decide(self.scaling, asked, self.history, current=self.current, now=now).replicas
        return self.current


def test_it_grows_at_once() -> None:
    model = Model()
    assert [model.at(0, 1), model.at(1, 10), model.at(2, 11), model.at(3, 35), model.at(4, 99)] == [1, 1, 2, 4, 4]


def test_it_shrinks_when_less_was_needed_for_long_enough() -> None:
    model = Model()
    assert model.at(0, 35) == 4
    assert [model.at(now, 5) for now in (10, 30, 59)] == [4, 4, 4]
    assert model.at(61, 5) == 1


def test_a_burst_that_comes_again_keeps_what_it_needs() -> None:
    model = Model()
    seen = [model.at(now, 30 if now % 50 == 0 else 2) for now in range(0, 600, 5)]
    assert set(seen) == {3}


def test_a_load_around_a_threshold_does_not_flap() -> None:
    model = Model()
    seen = [model.at(now, 9 + now % 4) for now in range(0, 600, 2)]
    assert seen[0] == 1
    assert set(seen[1:]) == {2}


def test_it_goes_to_zero_when_nobody_asked_for_long_enough() -> None:
    model = Model()
    assert model.at(0, 1) == 1
    assert [model.at(now, 0, idle=now) for now in (10, 59)] == [1, 1]
    assert model.at(60, 0, idle=60) == 0
    assert [model.at(now, 0, idle=now) for now in (61, 600)] == [0, 0]
    assert model.at(601, 1) == 1


def test_a_request_that_no_look_saw_counts_by_its_time() -> None:
    model = Model(current=1)
    assert [model.at(0, 0, idle=500), model.at(2, 0, idle=1)] == [0, 1]


def test_a_new_operator_gives_nothing_up_before_it_has_looked_for_long_enough() -> None:
    model = Model(current=4)
    assert [model.at(now, 12) for now in (0, 30, 59)] == [4, 4, 4]
    assert model.at(60, 12) == 2


def test_a_new_operator_takes_the_gateways_word_that_nobody_asks() -> None:
    assert Model(current=4).at(0, 0, idle=60) == 0


def test_a_fresh_gateway_is_not_taken_as_idle() -> None:
    """It says how long it has been up, which is shorter than the pause."""
    assert Model(current=1).at(0, 0, idle=3) == 1


def test_a_new_model_that_nobody_asks_for_stays_at_zero() -> None:
    assert Model().at(0, 0, idle=3600) == 0


@pytest.mark.parametrize(
    ("scaling", "load", "want", "reason"),
    [
        (Autoscaling(min_replicas=2, max_replicas=4), 0, 2, "`minReplicas` is 2"),
        (Autoscaling(min_replicas=1, max_replicas=4), 0, 1, "`minReplicas` is 1"),
        (Autoscaling(min_replicas=0, max_replicas=2), 99, 2, "`maxReplicas` is 2, and more would be needed"),
        (Autoscaling(min_replicas=0, max_replicas=9), 24, 2, "12 requests at once are one replica's"),
        (Autoscaling(min_replicas=0), 0, 0, "no request for 600 s"),
    ],
)
def test_the_reason_is_told(scaling: Autoscaling, load: int, want: int, reason: str) -> None:
    asked, history = Asked(load=load, idle_seconds=0 if load else 3600), History()
    history.note(scaling, asked, 0)
    assert decide(scaling, asked, history, current=None, now=0) == Scale(replicas=want, reason=reason)


@pytest.mark.parametrize(("current", "want"), [(None, 1), (0, 0), (1, 1), (3, 3), (9, 4)])
def test_what_is_unknown_changes_nothing(current: int | None, want: int) -> None:
    found = decide(SCALING, Unknown(why="it rains"), History(), current=current, now=0)
    assert found == Scale(replicas=want, reason="the demand is unknown: it rains", known=False)


def test_a_new_model_waits_for_the_first_word() -> None:
    found = decide(SCALING, Unknown(why="not yet", passing=True), History(), current=None, now=0)
    assert (found.replicas, found.known) == (0, True)


def test_gateways_are_summed_and_the_least_idle_one_counts() -> None:
    found = summed([Asked(load=3, idle_seconds=0), Asked(load=0, idle_seconds=900)])
    assert found == Asked(load=3, idle_seconds=0)


def test_a_history_stays_short() -> None:
    model = Model(scaling=Autoscaling(max_replicas=64, target_in_flight=1, idle_seconds=604800))
    for now in range(5000):
        model.at(now, (now * 37) % 64)
    assert len(model.history._needs) <= 64


def test_a_pool_is_planned_with_the_replicas_that_were_decided() -> None:
    pool = pool_of(vllm("a", 0.3, autoscaling={}), vllm("b", 0.3, replicas=2))
    found = scaled(pool, {"a": Scale(replicas=0, reason="")})
    assert [model.replicas for model in found.spec.models] == [0, 2]
    assert [model.most_replicas for model in found.spec.models] == [1, 2]
