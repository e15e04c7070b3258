"""What a case is: a name, an attack with chance in it, and a property that must hold; and the register of all."""

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from .world import World

Attack = Callable[[World, random.Random], Awaitable[None]]
"""Attacks, and raises NotHeldError with what was seen when what must hold does not. Its chance comes from the seed."""

LIMIT_SECONDS: Final = 30.0
"""Within this an attack is over, whatever the gateway does: a wait without an end is a failure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One kind of hostility."""

    name: str
    attack: Attack
    seconds: float = LIMIT_SECONDS
    """What it may take."""
    alone: bool = False
    """Whether nothing else is tried at the same time: it takes much memory, or looks at the whole process."""
    cluster: bool = False
    """Whether it attacks by way of the API server."""
    files: bool = False
    """Whether it attacks by way of the routes file."""


CASES: Final[dict[str, Case]] = {}
"""Every case by name, filled as the modules of `cases` are imported."""


def case(
    *, seconds: float = LIMIT_SECONDS, alone: bool = False, cluster: bool = False, files: bool = False
) -> Callable[[Attack], Attack]:
    """Register an attack under its function's name."""

    def register(attack: Attack) -> Attack:
        name = str(getattr(attack, "__name__", ""))
        assert name not in CASES, name
        CASES[name] = Case(name=name, attack=attack, seconds=seconds, alone=alone, cluster=cluster, files=files)
        return attack

    return register
