"""The demand document as a gateway writes it, and what it means for a model."""

import json
from typing import Any

import pytest

from modelpool_operator.api.names import ObjectRef
from modelpool_operator.planning.observation.autoscaling import Asked, Unknown
from modelpool_operator.planning.observation.gateway_demand import (
    DemandDocument,
    InvalidDemandError,
    asked_of,
    parse,
)

POOL = ObjectRef("llm", "agentic")


def model(name: str, *, busy: int = 0, waiting: int = 0, quiet: float | None = None, pool: str = "agentic") -> Any:
    return {
        "pool": {"namespace": "llm", "name": pool},
        "model": name,
        "inFlight": busy,
        "pending": waiting,
        "secondsSinceLastRequest": quiet,
        "news": "of a newer gateway",
    }


def document(*models: Any, up: float = 100.0) -> DemandDocument:
    return parse(json.dumps({"version": 1, "upSeconds": up, "models": models}).encode())


def test_loads_add_up_and_the_shortest_pause_counts() -> None:
    told = [document(model("m", busy=2, waiting=1, quiet=0.5)), document(model("m", quiet=40.0), model("other"))]
    assert asked_of(told, POOL, ("m",)) == Asked(load=3, idle_seconds=0.5)


def test_without_a_request_a_gateway_speaks_for_the_time_it_is_up() -> None:
    told = [document(model("m", quiet=4000.0), up=9000.0), document(model("m"), up=12.0)]
    assert asked_of(told, POOL, ("m",)) == Asked(load=0, idle_seconds=12.0)


def test_an_adapter_is_demand_for_its_model() -> None:
    told = [document(model("m", quiet=900.0), model("m-sql", busy=1, quiet=0.0))]
    assert asked_of(told, POOL, ("m", "m-sql")) == Asked(load=1, idle_seconds=0.0)


def test_a_gateway_that_does_not_know_the_model_makes_it_unknown() -> None:
    told = [document(model("m", quiet=900.0)), document(model("m", pool="another"))]
    assert asked_of(told, POOL, ("m",)) == Unknown(why="a gateway does not know m of llm/agentic")


def test_no_gateway_is_no_word() -> None:
    assert asked_of([], POOL, ("m",)) == Unknown(why="there is no gateway")


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"<html>", "malformed"),
        (b'{"version": 2, "upSeconds": 1, "models": []}', "version"),
        (b'{"version": 1, "upSeconds": -1, "models": []}', "upSeconds"),
        (json.dumps({"version": 1, "upSeconds": 1, "models": [model("m", busy=-1)]}).encode(), "inFlight"),
    ],
)
def test_another_document_is_refused(data: bytes, says: str) -> None:
    with pytest.raises(InvalidDemandError, match=says):
        parse(data)
