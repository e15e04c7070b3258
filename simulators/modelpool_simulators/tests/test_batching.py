"""Continuous batching: what grows, what waits, what is given up. Time is only added up."""

from modelpool_simulators.batching import BLOCK, Batch, Pace, Sequence

_PACE = Pace(prefill_tokens_per_second=10_000, decode_tokens_per_second=100, batch_slowdown=0.03)


def _finish(batch: Batch, *sequences: Sequence) -> float:
    """Run until all sequences are complete; return the seconds."""
    for sequence in sequences:
        batch.add(sequence)
    seconds = 0.0
    for _ in range(100_000):
        if not batch.running and not batch.waiting:
            return seconds
        seconds += batch.step().seconds
    raise AssertionError(f"{len(batch.running)} running and {len(batch.waiting)} waiting after 100000 steps")


def _batch(pace: Pace = _PACE, *, sequences: int = 64, cache: int = 100_000) -> Batch:
    return Batch(pace, max_sequences=sequences, cache_tokens=cache)


def test_one_sequence_decodes_at_its_rate() -> None:
    seconds = _finish(_batch(), Sequence(prompt=10, length=101))
    assert abs(seconds - (10 / 10_000 + 100 / 100)) < 1e-9


def test_sixteen_at_once_are_many_times_one() -> None:
    alone = _finish(_batch(), Sequence(prompt=10, length=100))
    together = _finish(_batch(), *(Sequence(prompt=10, length=100) for _ in range(16)))
    assert together < 1.6 * alone
    assert 16 * 100 / together > 10 * 100 / alone


def test_throughput_grows_with_every_doubling() -> None:
    rates = [
        size / _finish(_batch(), *(Sequence(prompt=10, length=50) for _ in range(size)))
        for size in (1, 2, 4, 8, 16, 32)
    ]
    assert rates == sorted(rates)


def test_sequences_beyond_the_limit_wait() -> None:
    batch = _batch(sequences=2)
    for _ in range(5):
        batch.add(Sequence(prompt=4, length=10))
    batch.step()
    assert (len(batch.running), len(batch.waiting)) == (2, 3)


def test_sequences_without_cache_wait() -> None:
    batch = _batch(cache=10 * BLOCK)
    for _ in range(3):
        batch.add(Sequence(prompt=4 * BLOCK, length=2))
    batch.step()
    assert (len(batch.running), len(batch.waiting)) == (2, 1)
    assert batch.usage == 1.0


def test_growing_answers_preempt_the_youngest_and_all_complete() -> None:
    batch = _batch(cache=8 * BLOCK)
    sequences = [Sequence(prompt=2 * BLOCK, length=3 * BLOCK) for _ in range(3)]
    _finish(batch, *sequences)
    assert [sequence.produced for sequence in sequences] == [3 * BLOCK] * 3
    assert sequences[0].preemptions == 0
    assert sequences[1].preemptions > 0
    assert batch.usage == 0.0


def test_cached_prompts_cost_nothing() -> None:
    cold = _finish(_batch(), Sequence(prompt=5000, length=1))
    warm = _finish(_batch(), Sequence(prompt=5000, cached=4992, length=1))
    assert warm < cold / 100


def test_long_prompts_are_computed_in_chunks_between_decodes() -> None:
    batch = _batch()
    talking = Sequence(prompt=4, length=100)
    batch.add(talking)
    batch.step()
    batch.add(Sequence(prompt=6000, length=1))
    steps = [batch.step() for _ in range(2)]
    assert all((talking, 1) in step.produced for step in steps)
    assert all(step.prefilled == 2048 for step in steps)


def test_speculation_yields_more_tokens_per_step() -> None:
    drafting = Pace(
        prefill_tokens_per_second=10_000,
        decode_tokens_per_second=100,
        batch_slowdown=0.03,
        draft_tokens=4,
        draft_acceptance=0.5,
    )
    plain = _finish(_batch(), Sequence(prompt=10, length=300))
    faster = _finish(_batch(drafting), Sequence(prompt=10, length=300))
    assert 2.5 < plain / faster < 3.5


def test_removed_sequences_give_their_blocks_back() -> None:
    batch = _batch()
    running, waiting = Sequence(prompt=100, length=10), Sequence(prompt=100, length=10)
    batch.add(running)
    batch.step()
    batch.add(waiting)
    batch.remove(running)
    batch.remove(waiting)
    assert (batch.running, list(batch.waiting), batch.usage) == ([], [], 0.0)


def _pace(**changes: float) -> Pace:
    return Pace(prefill_tokens_per_second=10_000, decode_tokens_per_second=100, batch_slowdown=0.03, **changes)  # type: ignore[arg-type]


def test_the_cache_is_read_beside_the_weights() -> None:
    plain = _finish(_batch(), Sequence(prompt=1000, length=101))
    reading = _finish(_batch(_pace(context_slowdown=1e-3)), Sequence(prompt=1000, length=101))
    assert abs(reading - plain - 1e-3 * sum(range(1001, 1101)) / 100) < 1e-9


def test_context_within_the_rate_costs_nothing_more() -> None:
    pace = _pace(context_slowdown=1e-3, context_at_rate=2000)
    alone = _finish(_batch(pace), Sequence(prompt=1000, length=100))
    assert abs(alone - _finish(_batch(), Sequence(prompt=1000, length=100))) < 1e-9
    together = _finish(_batch(pace), *(Sequence(prompt=1900, length=100) for _ in range(2)))
    assert together > 2.5 * alone


def test_a_long_prompt_is_slower_towards_its_end() -> None:
    batch = _batch(_pace(prefill_slowdown=1e-4))
    batch.add(Sequence(prompt=4096, length=1))
    first, second = batch.step(), batch.step()
    assert first.seconds == 2048 * (1 + 1e-4 * 1024) / 10_000
    assert second.seconds == 2048 * (1 + 1e-4 * 3072) / 10_000


def test_drafting_takes_time() -> None:
    drafting = _pace(draft_tokens=4, draft_acceptance=0.5, draft_slowdown=0.5)
    plain = _finish(_batch(), Sequence(prompt=10, length=300))
    faster = _finish(_batch(drafting), Sequence(prompt=10, length=300))
    assert 1.8 < plain / faster < 2.1


def _leap(batch: Batch, *sequences: Sequence) -> tuple[float, int]:
    """Run in steps of at most a second; return the seconds and the number of steps."""
    for sequence in sequences:
        batch.add(sequence)
    seconds, steps = 0.0, 0
    while batch.running or batch.waiting:
        seconds += batch.step(1.0).seconds
        steps += 1
    return seconds, steps


def test_passes_that_are_alike_count_as_one_step_and_take_as_long() -> None:
    pace = _pace(context_slowdown=1e-4, draft_tokens=3, draft_acceptance=0.45, draft_slowdown=0.47)

    def sequences() -> list[Sequence]:
        return [Sequence(prompt=500 + 10 * number, length=300 + 70 * number) for number in range(5)]

    one_by_one = sequences()
    exact = _finish(_batch(pace, sequences=3), *one_by_one)
    leaping = sequences()
    seconds, steps = _leap(_batch(pace, sequences=3), *leaping)
    assert abs(seconds - exact) < 0.005 * exact
    assert steps < sum(one.steps for one in one_by_one) / 10
    assert [one.steps for one in leaping] == [one.steps for one in one_by_one]


def test_a_full_cache_forbids_to_leap() -> None:
    batch = _batch(cache=8 * BLOCK)
    sequences = [Sequence(prompt=2 * BLOCK, length=3 * BLOCK) for _ in range(3)]
    _leap(batch, *sequences)
    assert [sequence.produced for sequence in sequences] == [3 * BLOCK] * 3
    assert sequences[0].preemptions == 0
    assert batch.usage == 0.0
