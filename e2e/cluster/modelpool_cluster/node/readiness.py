"""What a kubelet says of its node: when it last told of itself, and whether it is Ready."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .. import rest, waiting
from . import cards
from .machine import Machine


def heartbeat(api: rest.Api, node: str) -> str:
    """Return when a kubelet last told of itself; empty where none ever did."""
    found = api.find(cards.path(node))
    return "" if found is None else str(_ready_condition(found)["lastHeartbeatTime"])


def wait_until_ready(api: rest.Api, node: str, machine: Machine, *, since: str = "") -> None:
    """Wait until a kubelet says Ready, later than `since`. Raises TimeoutError, RuntimeError when its machine dies."""

    def ready() -> bool:
        machine.check_alive()
        found = api.find(cards.path(node))
        assert found is not None, "the node has not registered"
        condition = _ready_condition(found)
        assert condition["status"] == "True", condition["message"]
        assert condition["lastHeartbeatTime"] > since, condition
        return True

    waiting.wait_for(f"the node {node} to be ready", ready, timeout=90)


def _ready_condition(node: Mapping[str, Any]) -> dict[str, Any]:
    found = [one for one in node["status"].get("conditions", ()) if one["type"] == "Ready"]
    return dict(found[0]) if found else {"status": "Unknown", "message": "no condition yet", "lastHeartbeatTime": ""}
