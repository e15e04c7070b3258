"""Which kinds of engines there are: every module of this package that holds a `PROFILE`, by the name in it."""

import importlib
import pkgutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from .profile import Profile


class Profiles:
    """Profiles by name, in the order of their names."""

    def __init__(self, profiles: Iterable[Profile]) -> None:
        self.by_name: Final = {one.name: one for one in sorted(profiles, key=lambda one: one.name)}
        self.names = frozenset(self.by_name)
        """As routes documents write them."""

    def __getitem__(self, name: str) -> Profile:
        return self.by_name[name]

    def __iter__(self) -> Iterator[Profile]:
        return iter(self.by_name.values())

    def with_admin(self, call: str) -> Profile | None:
        """The engine that has an administrative call, if one has."""
        return next((one for one in self if call in one.admin), None)


def _found() -> Iterator[Profile]:
    for module in pkgutil.iter_modules([str(Path(__file__).parent)]):
        found = getattr(importlib.import_module(f"{__package__}.{module.name}"), "PROFILE", None)
        if isinstance(found, Profile):
            yield found


PROFILES: Final = Profiles(_found())
