"""The tables of invalid pools: what is changed in a valid one, and what is then said."""

from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any, Final, NamedTuple

import yaml

HERE: Final = Path(__file__).parent
BASE: Final[dict[str, Any]] = yaml.safe_load((HERE / "base.yaml").read_text())

Pool = dict[str, Any]


class Case(NamedTuple):
    """One entry of a table."""

    name: str
    change: Mapping[str, Any]
    """By path, such as `spec.models.0.gpu`; None removes."""
    says: list[str]
    """The objections, word for word."""

    @property
    def pool(self) -> Pool:
        """The base with the change made."""
        return changed(BASE, self.change)


def table(name: str) -> list[Case]:
    """Return the entries of a table, its file's name without `.yaml`."""
    return [Case(**entry) for entry in yaml.safe_load((HERE / f"{name}.yaml").read_text())]


def changed(pool: Pool, change: Mapping[str, Any]) -> Pool:
    """Return a copy of a pool with values set by path. A list's element that is removed must be its last."""
    copy = deepcopy(pool)
    for path, value in change.items():
        *above, last = path.split(".")
        place: Any = copy
        for step in above:
            place = place[int(step)] if isinstance(place, list) else place.setdefault(step, {})
        key: Any = int(last) if isinstance(place, list) else last
        if value is None:
            del place[key]
        else:
            place[key] = value
    return copy
