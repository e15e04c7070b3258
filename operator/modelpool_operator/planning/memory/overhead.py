"""What a process holds on a card beside its share: the CUDA context, cuBLAS handles, NCCL buffers.

vLLM measures free memory after these exist, so they come on top of its fraction. They grow with the card: measured on
one H100 80GB (torch 2.11, CUDA 13), a context takes 0.60 GiB and cuBLAS 0.10 more; an NCCL communicator, which vLLM
makes only for tensor parallel engines, takes 0.55 (docs/reference/gpu-facts.md). On cards of 12 to 24 GiB users report
0.4 to 0.6 GiB for context and handles together.
"""

from typing import Final

from modelpool_operator.api.quantity import GIB, MIB

SMALL_CARD: Final = 32 * GIB
"""Cards up to this count as small: those of workstations, and the smaller ones of data centres."""
SMALL_CARD_CONTEXT: Final = 512 * MIB
LARGE_CARD_CONTEXT: Final = 768 * MIB
COMMUNICATOR: Final = 576 * MIB


def context_bytes(memory: int, width: int = 1) -> int:
    """Return the bytes that an engine holds on each card beside its share.

    Args:
        memory: bytes of the card.
        width: cards over which the engine is spread; more than one need a communicator.
    """
    context = SMALL_CARD_CONTEXT if memory <= SMALL_CARD else LARGE_CARD_CONTEXT
    return context + (COMMUNICATOR if width > 1 else 0)
