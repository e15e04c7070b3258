"""When a series of right answers lies beyond chance."""

import random

from modelpool_real_engines import quality
from modelpool_real_engines.quality import QUESTIONS, RUNS


def _asked(chances: list[float], seed: int) -> list[int]:
    drawn = random.Random(seed)
    return [sum(drawn.random() < chance for _ in range(RUNS)) for chance in chances]


def test_there_are_forty_questions() -> None:
    assert len(QUESTIONS) == 40
    assert quality.right("What is the capital of France?", "It is PARIS.")
    assert not quality.right("What is 2 + 2?", "It is 42.")


def test_equal_engines_lie_within_the_interval_and_a_worse_one_beyond() -> None:
    chances = [0.2] * 10 + [0.6] * 10 + [0.95] * 20
    worse = [chance * 0.7 for chance in chances]
    beyond = caught = 0
    for seed in range(0, 1000, 2):
        one, other, bad = _asked(chances, seed), _asked(chances, seed + 1), _asked(worse, seed + 1)
        beyond += abs(sum(one) - sum(other)) > quality.interval(one, other)
        caught += sum(one) - sum(bad) > quality.interval(one, bad)
    assert beyond < 25, "chance goes beyond it once in a hundred times"
    assert caught > 475, "a third fewer right answers are seen"
