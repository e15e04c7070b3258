"""How the pods of one card share it: one strategy object per mode. Nobody else asks which mode a pool has.

A mode objects to pools that it cannot serve, says what an engine takes of a card beside its share, and tells what a pod
needs in its template to get at its cards. It knows pools and manifests; it must not know placements, which are made
with its help. Start at `mode.Mode`; what users should know of each mode stands in docs/concepts/sharing.md.

A pool that says `auto` has no mode until `auto` has chosen one of the others by what its nodes offer.

MPS has no mode: every client gets the same part of a card, so fractions cannot be told apart, and vLLM fails under it.
"""

from collections.abc import Mapping
from typing import Final

from modelpool_operator.api.pool import PoolSpec, Sharing
from modelpool_operator.api.status import SharingStatus
from modelpool_operator.planning.memory.refusals import Refusal
from modelpool_operator.planning.sharing import auto
from modelpool_operator.planning.sharing.device_plugin import Exclusive, TimeSlicing
from modelpool_operator.planning.sharing.dra import Dra
from modelpool_operator.planning.sharing.hami import Hami
from modelpool_operator.planning.sharing.inventory import Inventory
from modelpool_operator.planning.sharing.mode import Mode
from modelpool_operator.planning.sharing.visible_devices import VisibleDevices

MODES: Final[Mapping[Sharing, Mode]] = {
    Sharing.TIME_SLICING: TimeSlicing(),
    Sharing.VISIBLE_DEVICES: VisibleDevices(),
    Sharing.HAMI: Hami(),
    Sharing.DRA: Dra(),
    Sharing.EXCLUSIVE: Exclusive(),
}


def mode_of(spec: PoolSpec) -> Mode:
    """Return the pool's way of sharing; `auto` is none, and has to be settled before."""
    return MODES[spec.gpus.sharing]


def chosen_for(spec: PoolSpec, found: Inventory) -> SharingStatus | Refusal:
    """Return the way of sharing that the pool's nodes offer, of a pool that leaves it open, or why there is none."""
    return auto.choose(spec, found, MODES)
