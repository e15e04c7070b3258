"""The fit: exact where it can be, never negative, honest about the rest."""

import pytest

from modelpool_bench_replay import fitting, ideal, pipeline, speeds
from modelpool_bench_replay.fitting import Rates
from modelpool_bench_replay.pipeline import Kind, Step


def _call(tokens_in: int, tokens_out: int, seconds: float) -> Step:
    return Step(
        name="call",
        kind=Kind.LLM,
        seconds=seconds,
        after=(),
        model="a",
        tokens_in=tokens_in,
        tokens_out=tokens_out,
    )


def test_two_calls_give_both_rates_exactly() -> None:
    rates = fitting.least_squares([_call(1000, 100, 3.0), _call(100, 100, 2.1)])
    assert rates.reading == pytest.approx(0.001)
    assert rates.writing == pytest.approx(0.02)


def test_no_rate_is_negative() -> None:
    rates = fitting.least_squares([_call(1000, 100, 1.0), _call(10, 100, 2.0)])
    assert rates.reading == 0.0
    assert rates.writing == pytest.approx(0.015)


def test_more_calls_are_fitted_by_least_squares() -> None:
    calls = [_call(100, 10, 1.0), _call(200, 10, 2.2), _call(300, 40, 3.1)]
    best = fitting.least_squares(calls)

    def error(rates: Rates) -> float:
        return sum((rates.seconds(call) - call.seconds) ** 2 for call in calls)

    nudges = (-1e-5, 0.0, 1e-5)
    around = [
        Rates(reading=best.reading + reading, writing=best.writing + writing)
        for reading in nudges
        for writing in nudges
        if best.writing + writing >= 0
    ]
    assert error(best) == pytest.approx(min(map(error, around)))


def test_a_model_with_one_sort_of_call_is_scaled_to_it() -> None:
    recorded = pipeline.read()
    rates = fitting.fit(recorded)
    errors = fitting.residuals(rates, recorded)
    assert rates["cogito:8b"].scaled_from == "qwen3:8b"
    assert errors["self-reflection"] == pytest.approx(0.0)
    assert errors["synthesis"] == pytest.approx(0.0)
    assert max(map(abs, errors.values())) < 1.7


def test_the_simulated_engines_take_what_the_fit_says() -> None:
    recorded = pipeline.read()
    rates = fitting.fit(recorded)
    same = speeds.of_vllm(speeds.SpeedSet.SAME, rates, recorded)
    for step in recorded.calls():
        wanted = rates[step.model].seconds(step)
        for paces in (speeds.of_ollama(rates), same):
            if step.model in paces:
                # The first token of an answer comes with the prompt's last step.
                assert ideal.alone(paces[step.model], step) == pytest.approx(wanted, rel=0.01)
