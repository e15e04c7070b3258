"""The account of what runs where."""

import pytest

from modelpool_sidecar.routing import choose
from modelpool_sidecar.routing.choose import Target
from modelpool_sidecar.routing.in_flight import InFlight
from modelpool_sidecar.routing.route_request import RouteRequest

from .worlds import VLLM, built, document, entry, model

TABLE = built(document(*(model(name, entry("vllm", VLLM, model=name, room=9)) for name in ("a", "b"))))


def target(account: InFlight, name: str) -> Target:
    chosen = choose.choose(TABLE, account, RouteRequest(model=name))
    assert isinstance(chosen, Target)
    return chosen


def test_each_request_counts_for_its_model_and_its_address() -> None:
    account = InFlight()
    leases = [target(account, name) for name in ("a", "b", "a")]
    for lease in leases:
        account.take(lease)
    key = TABLE.models[0].backends[0].key
    assert account.by_model() == {(key, "a"): 2, (key, "b"): 1}
    assert (account.in_flight(VLLM), account.last_turn(VLLM)) == (3, 3)
    account.give_back(leases[0])
    assert account.by_model() == {(key, "a"): 1, (key, "b"): 1}
    account.give_back(leases[2])
    account.give_back(leases[1])
    assert (account.running, account.by_model()) == (0, {})


def test_a_lease_is_given_back_once() -> None:
    account = InFlight()
    lease, other = target(account, "a"), target(account, "a")
    account.take(lease)
    account.take(other)
    account.give_back(lease)
    with pytest.raises(RuntimeError, match="given back twice"):
        account.give_back(lease)
    assert account.in_flight(VLLM) == 1
