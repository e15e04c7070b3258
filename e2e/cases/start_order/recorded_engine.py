"""The simulated vLLM, with a record of when it measures its cards: `recorded_engine.py RECORD serve MODEL …`.

Writes one line of JSON at the first look at a card and one after the last, on the clock that all processes share. A
process that is killed in between leaves the first line alone.
"""

import json
import os
import sys
import time
from collections.abc import Sequence
from typing import Any

from modelpool_simulators import cards
from modelpool_simulators.vllm import __main__ as vllm
from modelpool_simulators.vllm import startup


def main(record: str, arguments: Sequence[str]) -> None:
    """Run the engine."""
    measure = startup._on_card

    def write(event: str, card: int) -> None:
        line = {"pid": os.getpid(), "card": card, "event": event, "at": time.monotonic_ns()}
        descriptor = os.open(record, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.write(descriptor, json.dumps(line).encode() + b"\n")
        os.close(descriptor)

    async def recorded(card: cards.Card, *others: Any) -> int:
        write("begin", card.index)
        try:
            return await measure(card, *others)
        finally:
            write("end", card.index)

    startup._on_card = recorded
    vllm.main(arguments)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
