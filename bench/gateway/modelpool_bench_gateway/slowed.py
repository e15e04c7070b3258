"""The gateway, costing more than it does: `python -m modelpool_bench_gateway.slowed PERCENT [the gateway's flags]`.

A thread beside the gateway burns the given share of the processor time that the gateway itself uses, whatever it uses
it for. So the guard can be shown a change for the worse of a known size without touching the gateway's code.
"""

import sys
import threading
import time
from typing import Final

from modelpool_sidecar.__main__ import main as gateway

_EVERY: Final = 0.004
"""Seconds between looks at what is owed: short against a round of the guard."""


def _burn(share: float) -> None:
    while True:
        time.sleep(_EVERY)
        while (burnt := time.thread_time()) < (time.process_time() - burnt) * share:
            pass


def main() -> int:
    """As the gateway's."""
    share = float(sys.argv.pop(1)) / 100
    threading.Thread(target=_burn, args=(share,), daemon=True, name="burn").start()
    return gateway()


if __name__ == "__main__":
    raise SystemExit(main())
