"""Limits: nothing that is modelled goes beyond them."""

import pytest

from modelpool_bench_replay import bounds, fitting, ideal, pipeline, roofline, scenarios, speeds
from modelpool_bench_replay.speeds import SpeedSet


def test_no_engine_of_the_published_speeds_beats_its_card() -> None:
    recorded = pipeline.read()
    told = speeds.of_vllm(SpeedSet.PUBLISHED, fitting.fit(recorded), recorded)
    for step in recorded.calls():
        assert bounds.fastest(roofline.WEIGHTS[step.model], step) < ideal.alone(told[step.model], step)


def test_the_prediction_needs_less_than_the_card_takes() -> None:
    recorded = pipeline.read()
    whole = bounds.llm_seconds(recorded, lambda step: bounds.fastest(roofline.WEIGHTS[step.model], step))
    assert whole > recorded.predicted.llm_seconds[1]


def test_reading_limits_what_batches_gain() -> None:
    recorded = pipeline.read()
    limit = bounds.batching_limit(fitting.fit(recorded), recorded, scenarios.SERVED_BY)
    assert limit == pytest.approx(7.0, abs=0.2)
