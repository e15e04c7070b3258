"""HAMi: a slice of a card in whole percents, which HAMi chooses, accounts for and enforces.

A program sees its slice as if it were the card. So the slice holds the engine's context too, and vLLM is told the part
of the slice that is left: about nine tenths.

vLLM measures what CUDA graphs take before it sizes its cache, and runs out of memory over it in slices (vllm#40937,
HAMi-core#181, seen with 0.19 and open; HAMi-core#192 mended eager mode alone). It measures nothing when it is told the
size of its cache, so it is told.
"""

from decimal import ROUND_DOWN, Decimal
from typing import Final

from modelpool_operator.api.pool import Filling, ModelPool, PoolSpec, Sharing
from modelpool_operator.planning.memory.refusals import Refusal
from modelpool_operator.planning.sharing.mode import Access, CardUse, Mode, Portion, objection_to_pins

COUNTER: Final = "HAMi"
"""Who counts the parts of its cards."""
PERCENT_RESOURCE: Final = "nvidia.com/gpumem-percentage"
POLICY_ANNOTATION: Final = "hami.io/gpu-scheduler-policy"
POLICIES: Final = {Filling.SPREAD: "spread", Filling.PACK: "binpack"}


class Hami(Mode):
    """A slice that HAMi enforces."""

    way = Sharing.HAMI
    in_parts = True
    shows_slice = True
    states_cache = True
    overhead_note = " and whole percents"

    def counter(self, spec: PoolSpec) -> str | None:
        """HAMi itself."""
        return COUNTER

    def objection(self, spec: PoolSpec) -> Refusal | None:
        """Refuse pins: HAMi finds the cards by itself."""
        return objection_to_pins(spec, mode="hami", chooser="HAMi")

    def resource(self, spec: PoolSpec) -> str | None:
        """Return the resource that the user names."""
        return spec.gpus.resource_name

    def portion(self, wanted: int, *, memory: int, reserve: int, context: int) -> Portion:
        """Round share and context up to whole percents of the card."""
        percent = -(-100 * (wanted + context) // memory)
        return Portion(bytes=wanted, overhead=percent * memory // 100 - wanted)

    def access(self, pool: ModelPool, use: CardUse) -> Access:
        """Ask for the slice on as many cards as the engine is wide, and for the order in which the plan takes cards.

        A pool of one card stays on one: filling it before the next is what says so.

        Under HAMi's hooks CUDA's inter-process handles fail, so a wide engine must not reduce through them.
        """
        taken = use.bytes + use.overhead
        fraction = (Decimal(use.bytes) / taken).quantize(Decimal("0.0001"), rounding=ROUND_DOWN)
        gpus = pool.spec.gpus
        return Access(
            limits={
                gpus.resource_name: str(len(use.gpus)),
                PERCENT_RESOURCE: str(-(-100 * taken // use.memory)),
            },
            annotations={POLICY_ANNOTATION: POLICIES[Filling.PACK if gpus.count == 1 else gpus.placement]},
            runtime_class_name=gpus.runtime_class_name,
            fraction=float(fraction),
            states_cache=self.states_cache,
            arguments=("--disable-custom-all-reduce",) if len(use.gpus) > 1 else (),
        )


MODES: Final[tuple[Mode, ...]] = (Hami(),)
