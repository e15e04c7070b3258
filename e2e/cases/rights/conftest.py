"""Puts each audit behind the cases on its kind of cluster; left out where what it is about is not run."""

import pytest

WITNESSES = frozenset(
    {
        *("broken_situations", "chart", "examples_on_the_api_server", "gateway_follows_the_cluster"),
        *("scale_to_zero", "sharing_modes"),
    }
)
"""Cases which, together, let operator and gateway use every right on the control plane."""
FEW = 4
"""Tests on the real node that are too few to be worth an audit."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    def on_node(item: pytest.Item) -> bool:
        return item.get_closest_marker("node") is not None

    def is_audit(item: pytest.Item) -> bool:
        return item.path.parent.name == "rights"

    others = [item for item in items if not is_audit(item)]
    whole = not config.option.keyword and not getattr(config.option, "lf", False)
    beside = {item.path.parent.name for item in others if item.get_closest_marker("cluster")} >= WITNESSES
    present = {True: sum(map(on_node, others)) > FEW, False: beside}
    left_out = [item for item in items if is_audit(item) and not (whole and present[on_node(item)])]
    items[:] = sorted((item for item in items if item not in left_out), key=lambda one: (on_node(one), is_audit(one)))
    config.hook.pytest_deselected(items=left_out)
