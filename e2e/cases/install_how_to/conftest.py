"""Puts the page before the other cases on the node: its reader has a cluster on which nothing is installed yet."""

import pytest


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def place(item: pytest.Item) -> int:
        on_node = item.get_closest_marker("node") is not None
        return (2 if item.path.parent.name != "install_how_to" else 1) if on_node else 0

    items.sort(key=place)
