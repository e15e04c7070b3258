"""Puts the audit behind all cases, and leaves it out where the cases that it is about are not run."""

import pytest

WITNESSES = frozenset({"chart", "examples_on_the_api_server", "gateway_follows_the_cluster", "sharing_modes"})
"""Cases which, together, let operator and gateway use every right on the control plane."""
FEW = 5
"""Tests on the real node that are too few to be worth an audit."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    audits = [item for item in items if item.path.parent.name == "rights"]
    others = [item for item in items if item not in audits]
    whole = not config.option.keyword and not config.option.lf
    on_node = sum(item.get_closest_marker("node") is not None for item in others) > FEW
    beside = {item.path.parent.name for item in others if item.get_closest_marker("cluster")} >= WITNESSES
    kept = [item for item in audits if whole and (on_node if item.get_closest_marker("node") else beside)]
    items[:] = [*others, *kept]
    config.hook.pytest_deselected(items=[item for item in audits if item not in kept])
