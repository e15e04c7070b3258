"""What is asked of a model: counted by request, whoever answers, with times that are told."""

from modelpool_sidecar.routing.demand import Asked, Demand
from modelpool_sidecar.routing.documents import ModelKey, PoolRef

KEY = ModelKey(PoolRef("llm", "agentic"), "qwen3:8b")


def test_a_request_is_demand_from_its_arrival_to_its_end() -> None:
    demand = Demand(started=100)
    assert demand.of(KEY) == Asked()
    demand.came(KEY, 101)
    assert demand.of(KEY) == Asked(pending=1, quiet_since=101)
    demand.came(KEY, 102)
    demand.began(KEY)
    assert demand.of(KEY) == Asked(in_flight=1, pending=1, quiet_since=102)
    demand.left(KEY, 103, began=True)
    assert demand.of(KEY) == Asked(pending=1, quiet_since=103)
    demand.left(KEY, 109, began=False)
    assert demand.of(KEY) == Asked(quiet_since=109)


def test_models_that_are_gone_are_forgotten_once_nobody_asks() -> None:
    demand, other = Demand(started=0), ModelKey(PoolRef("llm", "agentic"), "cogito:8b")
    demand.came(KEY, 1)
    demand.came(other, 1)
    demand.left(other, 2, began=False)
    demand.forget_all_but(frozenset())
    assert (demand.of(KEY).pending, demand.of(other)) == (1, Asked())
    demand.left(KEY, 3, began=False)
    demand.forget_all_but(frozenset({KEY}))
    assert demand.of(KEY) == Asked(quiet_since=3)
