"""The modes that ask NVIDIA's device plugin: it hands out cards, or replicas of cards, and chooses which."""

from typing import Final

from modelpool_operator.api.pool import ModelPool, PoolSpec, Sharing
from modelpool_operator.planning.memory.refusals import Refusal
from modelpool_operator.planning.sharing.mode import (
    Access,
    CardUse,
    Mode,
    Portion,
    engines_on_cards,
    objection_to_pins,
)


class TimeSlicing(Mode):
    """One replica of the device plugin's resource per engine."""

    way = Sharing.TIME_SLICING
    in_parts = True
    is_replicated = True

    def objection(self, spec: PoolSpec) -> Refusal | None:
        """Refuse more than one card: replicas of several cards cannot be told apart."""
        if spec.gpus.count > 1:
            message = (
                f"`gpus.count` must be 1 with sharing 'timeSlicing', got {spec.gpus.count}: the device plugin chooses"
                " the card and may put every engine on the same one; use 'visibleDevices', or one pool per card"
            )
            return Refusal(reason="SharingNotPossible", message=message)
        return None

    def resource(self, spec: PoolSpec) -> str | None:
        """Return the resource that the user names."""
        return spec.gpus.resource_name

    def access(self, pool: ModelPool, use: CardUse) -> Access:
        """Ask for one replica; the plugin says which card."""
        gpus = pool.spec.gpus
        return Access(limits={gpus.resource_name: "1"}, runtime_class_name=gpus.runtime_class_name)


class Exclusive(Mode):
    """Whole cards for each engine: the resource as it is meant, with nobody to share it with."""

    way = Sharing.EXCLUSIVE
    whole_cards = True

    def objection(self, spec: PoolSpec) -> Refusal | None:
        """Refuse more engines than there are cards, and pins, which the plugin would not know of."""
        wanted, count = engines_on_cards(spec), spec.gpus.count
        if sum(wanted.values()) > count:
            each = ", ".join(f"{name} {cards}" for name, cards in wanted.items())
            message = (
                f"`gpus.count` must be at least {sum(wanted.values())} with sharing 'exclusive', which gives every"
                f" engine whole cards ({each}), got {count}"
            )
            return Refusal(reason="TooFewCards", message=message)
        return objection_to_pins(spec, mode="exclusive", chooser="the device plugin")

    def resource(self, spec: PoolSpec) -> str | None:
        """Return the resource that the user names."""
        return spec.gpus.resource_name

    def portion(self, wanted: int, *, memory: int, reserve: int, context: int) -> Portion:
        """Cut what is wanted to what a card has beside the engine's context.

        Programs see up to 2 % less than a card is sold with, so a fiftieth is left aside.
        """
        room = memory - reserve - context - memory // 50
        return Portion(bytes=min(wanted, room) if room > 0 else wanted, overhead=context)

    def access(self, pool: ModelPool, use: CardUse) -> Access:
        """Ask for as many cards as the engine is wide."""
        gpus = pool.spec.gpus
        return Access(limits={gpus.resource_name: str(len(use.gpus))}, runtime_class_name=gpus.runtime_class_name)


MODES: Final[tuple[Mode, ...]] = (TimeSlicing(), Exclusive())
