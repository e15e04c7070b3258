"""Which engines there are: every module or package of `engines` that holds a `PROFILE`."""

import importlib
import pkgutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from modelpool_operator.api.models import Engine, Model
from modelpool_operator.api.pool import PoolSpec
from modelpool_operator.planning.engines.profile import Profile


class Profiles:
    """Profiles by engine: those of one model each in the order of their names, then the server of a pool."""

    def __init__(self, profiles: Iterable[Profile]) -> None:
        self._by_engine: dict[Engine, Profile] = {}
        for one in profiles:
            self.add(one)

    def add(self, profile: Profile) -> None:
        """Take up an engine."""
        found = [*self._by_engine.values(), profile]
        self._by_engine = {one.name: one for one in sorted(found, key=lambda one: (one.of_pool, one.name.value))}

    def drop(self, profile: Profile) -> None:
        """Give an engine up again."""
        del self._by_engine[profile.name]

    def __getitem__(self, engine: Engine) -> Profile:
        return self._by_engine[engine]

    def __iter__(self) -> Iterator[Profile]:
        return iter(self._by_engine.values())

    @property
    def server(self) -> Profile:
        """The one server of a pool, which stands in for the engines of single models."""
        return next(one for one in self if one.of_pool)

    def has_own(self, model: Model) -> bool:
        """Return whether a model has an engine of its own."""
        return not self[model.engine].of_pool

    def with_own(self, spec: PoolSpec) -> tuple[Model, ...]:
        """Return the models that have an engine of their own, in the spec's order."""
        return tuple(model for model in spec.models if self.has_own(model))

    def is_own(self, component: str) -> bool:
        """Return whether a pod's label, or a container's name, is that of engines of single models."""
        return any(one.component == component and not one.of_pool for one in self)


def _found() -> Iterator[Profile]:
    package = __name__.rpartition(".")[0]
    for module in pkgutil.iter_modules([str(Path(__file__).parent)]):
        found = getattr(importlib.import_module(f"{package}.{module.name}"), "PROFILE", None)
        if isinstance(found, Profile):
            yield found


PROFILES: Final = Profiles(_found())
"""The engines behind a pool's models, each described in a file of its own."""
