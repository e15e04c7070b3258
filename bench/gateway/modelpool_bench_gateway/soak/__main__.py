"""`make soak`: the whole of it, half of the requests before two engines and half before one with a fallback."""

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Final

from .. import built
from . import scenes

SCENES: Final = (("vllm", "vllm"), ("vllm", "ollama"))


def main() -> int:
    """Run it, and print one line of JSON; 0 when all promises were kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=100_000, help="in all")
    parser.add_argument("--aborts", type=int, default=50, help="of 1000 requests")
    chosen = parser.parse_args()
    told = []
    for engines in SCENES:
        with tempfile.TemporaryDirectory() as folder:
            each = chosen.requests // len(SCENES)
            told.append(scenes.soaked(Path(folder), engines, each, chosen.aborts, built.measured()))
    passes = all(one["passes"] for one in told)
    print(json.dumps({"bench": "soak", "passes": passes, "scenes": told}))
    return 0 if passes else 1


if __name__ == "__main__":
    sys.exit(main())
