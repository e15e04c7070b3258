"""What gateways said becomes replicas, and wakes the pools for which it comes out differently. No clock, no socket."""

import json
from typing import Any

import pytest

from modelpool_operator.api.names import ObjectRef
from modelpool_operator.api.pool import ModelPool
from modelpool_operator.cluster.gateways import Reading
from modelpool_operator.handlers.scaling import PATIENCE, Scaling
from modelpool_operator.planning.observation.autoscaling import Unknown
from modelpool_operator.planning.observation.gateway_demand import parse
from modelpool_operator.tests.planning.pools import pool_of, vllm

SERVICE = ObjectRef("modelpool", "gateway")
POOL = pool_of(vllm("m", 0.3, autoscaling={"maxReplicas": 3, "targetInFlight": 4, "idleSeconds": 60}))
SILENCE = Unknown(why="silence")


def told(*, load: int = 0, quiet: float | None = None, up: float = 1000.0, name: str = "agentic") -> Reading:
    model: dict[str, Any] = {
        "pool": {"namespace": "llm", "name": name},
        "model": "m",
        "inFlight": load,
        "pending": 0,
        "secondsSinceLastRequest": quiet,
    }
    return (parse(json.dumps({"version": 1, "upSeconds": up, "models": [model]}).encode()),)


class World:
    """A scaling with a clock that the test moves, and one pool whose replicas are what was decided last."""

    def __init__(self, gateway: ObjectRef | None = SERVICE, pool: ModelPool = POOL) -> None:
        self.now = 0.0
        self.pool = pool
        self.scaling = Scaling(lambda _: gateway, clock=lambda: self.now)
        self.current: dict[str, int] = {}

    def a_pass(self) -> dict[str, int]:
        self.scaling.put(self.pool)
        scales = self.scaling.decide(self.pool, self.current)
        self.current = {name: scale.replicas for name, scale in scales.items()}
        self.known = all(scale.known for scale in scales.values())
        return self.current

    def hear(self, reading: Reading) -> bool:
        """Whether the pool is woken."""
        return self.scaling.heard(SERVICE, reading) == {self.pool.ref}


def test_a_pool_is_woken_when_another_decision_follows() -> None:
    world = World()
    assert world.a_pass() == {"m": 0}
    assert world.hear(told(load=1))
    assert world.a_pass() == {"m": 1}
    assert not world.hear(told(load=2))
    assert world.hear(told(load=9))
    assert world.a_pass() == {"m": 3}


def test_a_model_comes_down_and_goes_to_zero() -> None:
    world = World()
    world.a_pass()
    world.hear(told(load=9))
    assert world.a_pass() == {"m": 3}
    for world.now in range(2, 62, 2):
        assert not world.hear(told(load=1)) or world.now >= 60, world.now
    assert world.a_pass() == {"m": 1}
    for world.now in range(62, 122, 2):
        assert not world.hear(told(quiet=world.now - 62)), world.now
    world.now = 122
    assert world.hear(told(quiet=60))
    assert world.a_pass() == {"m": 0}


def test_silence_is_borne_for_a_while_and_then_said() -> None:
    world = World()
    world.a_pass()
    world.hear(told(load=1))
    assert (world.a_pass(), world.known) == ({"m": 1}, True)
    world.now = PATIENCE - 1
    assert not world.hear(SILENCE)
    world.now = PATIENCE
    assert world.hear(SILENCE)
    assert (world.a_pass(), world.known) == ({"m": 1}, False)
    assert world.hear(told(load=1))
    assert (world.a_pass(), world.known) == ({"m": 1}, True)


def test_a_gateway_that_does_not_know_a_new_pool_yet_is_borne_with() -> None:
    world = World()
    world.a_pass()
    world.hear(told(name="another"))
    assert (world.a_pass(), world.known) == ({"m": 0}, True)
    world.now = PATIENCE
    assert world.hear(told(name="another"))
    assert (world.a_pass(), world.known) == ({"m": 0}, False)


def test_without_a_gateway_it_is_said_at_once() -> None:
    world = World(gateway=None)
    assert (world.a_pass(), world.known) == ({"m": 1}, False)


async def test_nobody_is_asked_for_pools_that_have_no_autoscaling() -> None:
    world = World(pool=pool_of(vllm("m", 0.3)))
    assert world.a_pass() == {}
    assert not world.scaling._anybody.is_set()
    world.pool = POOL
    world.a_pass()
    assert await world.scaling.services() == {SERVICE}
    world.scaling.drop(POOL.ref)
    assert not world.scaling._anybody.is_set()
    assert not world.hear(told(load=1))
    assert (world.scaling._known, world.scaling._histories, world.scaling._decided) == ({}, {}, {})


@pytest.mark.parametrize("current", [0, 1, 3])
def test_a_new_operator_keeps_what_is_there_until_it_has_asked(current: int) -> None:
    world = World()
    world.current = {"m": current}
    assert (world.a_pass(), world.known) == ({"m": current}, True)
