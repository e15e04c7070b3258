"""Start all engines of a card at once, kill who holds the card at random moments, cut the power; again and again.

    python e2e/cases/start_order/start_order_rounds.py [--rounds 20] [--seed 1] [--without-lock]

A round is ok when every engine came up and none ended by itself: what was killed is started again at once, as a kubelet
would. The last line is `rounds=N ok=N overlapping_profiles=N`; the status is 0 when all rounds are ok and no two
engines have measured the card at the same time. With `--without-lock` the engines are started without the operator's
start script: the control, which has to fail.
"""

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from start_order_card import MODELS, Card, Running

ROUND_SECONDS: Final = 240.0
KILLS: Final = 2
LOOK_SECONDS: Final = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of all rounds."""

    rounds: int
    ok: int
    overlapping_profiles: int

    @property
    def line(self) -> str:
        """The last line."""
        return f"rounds={self.rounds} ok={self.ok} overlapping_profiles={self.overlapping_profiles}"

    @property
    def holds(self) -> bool:
        """Whether the start order held in every round."""
        return self.ok == self.rounds and self.overlapping_profiles == 0


def run(*, rounds: int, with_lock: bool, seed: int, say: Callable[[str], None]) -> Outcome:
    """Run all rounds in one folder: what a power cut leaves behind is what the next round finds."""
    chance = random.Random(seed)
    ok = 0
    with tempfile.TemporaryDirectory(prefix="start-order-") as folder:
        card = Card(folder=Path(folder), with_lock=with_lock)
        for number in range(1, rounds + 1):
            started, killed = time.monotonic(), len(card.deaths)
            try:
                trouble = _round(card, chance)
                killed = len(card.deaths) - killed
            finally:
                card.cut_power()
            ok += not trouble
            took = f"{killed} processes killed, {time.monotonic() - started:.1f} s"
            say(f"round {number}: {trouble or 'all came up'} ({took})")
        return Outcome(rounds=rounds, ok=ok, overlapping_profiles=card.overlaps())


def _round(card: Card, chance: random.Random) -> str:
    """Return what went wrong, or nothing."""
    kills = 0
    for model in chance.sample(MODELS, len(MODELS)):
        card.start(model)
    ready: set[str] = set()
    deadline = time.monotonic() + ROUND_SECONDS
    while len(ready) < len(MODELS):
        if time.monotonic() > deadline:
            missing = ", ".join(sorted(set(MODELS) - ready))
            return f"{missing} did not come up within {ROUND_SECONDS:.0f} s"
        for running in list(card.engines.values()):
            if not running.is_alive():
                if running.killed is None:
                    return f"{running.model} ended by itself: {_last_words(card, running)}"
                ready.discard(running.model)
                card.start(running.model)
            elif running.model not in ready and running.answers():
                ready.add(running.model)
        # A holder that has just begun, or is about to answer: about one look in twenty kills.
        victim = card.holder() if card.with_lock else chance.choice(list(card.engines.values()))
        if kills < KILLS and victim is not None and victim.killed is None and chance.random() < LOOK_SECONDS:
            card.kill(victim, engine_only=chance.random() < 0.5)
            kills += 1
        time.sleep(LOOK_SECONDS)
    return ""


def _last_words(card: Card, running: Running) -> str:
    lines = [line for line in card.log(running.model).read_text(errors="replace").splitlines() if "Error" in line]
    return lines[0].strip() if lines else f"exit status {running.process.returncode}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print, and return the exit status."""
    parser = argparse.ArgumentParser(description="Prove that engines of one card start one after the other.")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1, help="of the moments at which engines are killed")
    parser.add_argument("--without-lock", action="store_true", help="the control: it has to fail")
    options = parser.parse_args(arguments)
    outcome = run(rounds=options.rounds, with_lock=not options.without_lock, seed=options.seed, say=print)
    print(outcome.line)
    return 0 if outcome.holds else 1


if __name__ == "__main__":
    sys.exit(main())
