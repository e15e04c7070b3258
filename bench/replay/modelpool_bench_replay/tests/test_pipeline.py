"""The recorded query: that its figures add up as the file says, and that a broken file is refused."""

from pathlib import Path

import pytest

from modelpool_bench_replay import pipeline as pipelines
from modelpool_bench_replay.pipeline import Kind


def test_the_recording_adds_up() -> None:
    pipeline = pipelines.read()
    recorded = pipeline.recorded
    assert pipeline.seconds(Kind.LLM) == pytest.approx(recorded.llm_seconds, abs=0.25)
    fetching = next(step.seconds for step in pipeline.steps if step.name == "fetching")
    assert fetching + pipeline.seconds(Kind.VISION) == recorded.scraping_seconds
    path = pipelines.critical_path(pipeline.steps, pipelines.in_recorded_order(pipeline.steps))
    visible = (recorded.switches - 1) * recorded.switch_seconds
    assert path + visible == pytest.approx(recorded.query_seconds)


def test_what_may_run_together_does() -> None:
    steps = pipelines.read().steps
    order = pipelines.together(steps)
    assert order["analysis"] == order["planning"] == ()
    assert len({order[f"vision {number}"] for number in range(1, 7)}) == 1
    assert len({order[f"verification {number}"] for number in range(1, 4)}) == 1


def test_the_recorded_client_runs_a_lane_one_after_the_other() -> None:
    order = pipelines.in_recorded_order(pipelines.read().steps)
    assert order["planning"] == ("analysis",)
    assert order["vision 2"] == ("url filter", "vision 1")
    assert "verification 1" in order["verification 2"]


def test_the_critical_path_is_the_longest() -> None:
    steps = pipelines.read().steps
    together = pipelines.critical_path(steps, pipelines.together(steps))
    assert together == pytest.approx(8.7 + 5.0 + 10 + 4.5 + 5.7 + 97 + 5.4 + 30.9 + 5.0)


_HEAD = """
recorded: {llmSeconds: 1, querySeconds: 1, scrapingSeconds: 0, switches: 0, switchSeconds: 3, loadedModels: 1}
predicted: {llmSeconds: [1, 2], querySeconds: [1, 2], queriesPerMinute: 1}
"""


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        ("[{name: a, kind: wait, seconds: 1, after: [b]}]", "a: needs 'b', which is no step"),
        ("[{name: a, kind: wait, seconds: 1, after: [a]}]", "a: needs itself"),
        ("[{name: a, kind: llm, seconds: 1, after: []}]", "a: a call has a model and tokens"),
        (
            "[{name: a, kind: wait, seconds: 1, after: []}, {name: a, kind: wait, seconds: 1, after: []}]",
            "a: there are",
        ),
        ("[{name: a, kind: wait, seconds: 1, after: [], model: b, speed: 3}]", "speed"),
    ],
)
def test_a_file_that_is_no_pipeline_is_refused(tmp_path: Path, steps: str, said: str) -> None:
    (tmp_path / "pipeline.yaml").write_text(f"{_HEAD}steps: {steps}\n")
    with pytest.raises(pipelines.BadPipelineError, match=said):
        pipelines.read(tmp_path / "pipeline.yaml")
