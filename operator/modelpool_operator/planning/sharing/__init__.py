"""How the pods of one card share it: one strategy object per mode. Nobody else asks which mode a pool has.

A mode objects to pools that it cannot serve, says what an engine takes of a card beside its share, and tells what a pod
needs in its template to get at its cards. It knows pools and manifests; it must not know placements, which are made
with its help. Start at `mode.Mode`; what users should know of each mode stands in docs/concepts/sharing.md.

A pool that says `auto` has no mode until `auto` has chosen one of the others by what its nodes offer.

MPS has no mode: every client gets the same part of a card, so fractions cannot be told apart, and vLLM fails under it.
"""

import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from typing import Final

from modelpool_operator.api.pool import PoolSpec, Sharing
from modelpool_operator.api.status import SharingStatus
from modelpool_operator.planning.memory.refusals import Refusal
from modelpool_operator.planning.sharing import auto
from modelpool_operator.planning.sharing.inventory import Inventory
from modelpool_operator.planning.sharing.mode import Mode


def _found() -> Iterator[Mode]:
    """Yield every mode of the modules here."""
    for module in pkgutil.iter_modules(__path__):
        yield from getattr(importlib.import_module(f"{__name__}.{module.name}"), "MODES", ())


MODES: Final[Mapping[Sharing, Mode]] = {mode.way: mode for mode in _found()}
_OPEN: Final = Mode()


def mode_of(spec: PoolSpec) -> Mode:
    """Return the pool's way of sharing; `auto` is none, and has to be settled before."""
    return MODES[spec.gpus.sharing]


def mode_if_chosen(way: Sharing) -> Mode:
    """Return a way of sharing; where none is chosen yet, the answers of one that has nothing special to say."""
    return MODES.get(way, _OPEN)


def chosen_for(spec: PoolSpec, found: Inventory) -> SharingStatus | Refusal:
    """Return the way of sharing that the pool's nodes offer, of a pool that leaves it open, or why there is none."""
    return auto.choose(spec, found, MODES)
