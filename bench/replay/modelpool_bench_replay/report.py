"""What a reader sees: the fit with its residuals, the table, what must hold, and the JSON lines. Pure."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Final

from modelpool_bench_replay import bounds, fitting, roofline, scenarios
from modelpool_bench_replay.fitting import Rates
from modelpool_bench_replay.pipeline import Kind, Pipeline, critical_path, in_recorded_order
from modelpool_bench_replay.runs import Run
from modelpool_bench_replay.speeds import SpeedSet

TOLERABLE: Final = 0.05
"""Share by which calls may be longer than the engines' model of time, on a machine that has time for the replay."""


def of_fit(pipeline: Pipeline, rates: Mapping[str, Rates]) -> str:
    """Return what the recording says of speeds, and by how much it contradicts itself."""
    lines = ["The recorded Ollama, fitted: tokens per second read and written by each model", ""]
    for model, one in rates.items():
        reading = f"{1 / one.reading:,.0f}" if one.reading else "too fast to tell"
        note = f"  (one sort of call: {one.scaled_from}'s rates, scaled)" if one.scaled_from else ""
        lines.append(f"  {model:<30}{reading:>10} {1 / one.writing:>8.1f}{note}")
    lines += ["", "Residuals, seconds by which the fit is longer than the recording", ""]
    errors = fitting.residuals(dict(rates), pipeline)
    lines += [f"  {step.name:<30}{step.seconds:>10.1f} {errors[step.name]:>+8.2f}" for step in pipeline.calls()]
    recorded = pipeline.recorded
    path = critical_path(pipeline.steps, in_recorded_order(pipeline.steps))
    text = sum(errors[step.name] for step in pipeline.calls() if step.kind is Kind.LLM)
    lines += [
        f"  {'all text calls':<30}{pipeline.seconds(Kind.LLM):>10.1f} {text:>+8.2f}",
        "",
        f"As recorded, the steps take {path:.1f} s: {recorded.query_seconds:.1f} with all switches but one hidden.",
        "",
    ]
    return "\n".join(lines)


def of_runs(pipeline: Pipeline, done: Sequence[Run]) -> str:
    """Return the table of all runs, one section for each set of speeds."""
    head = (
        f"  {'scenario':<30}{'at once':>8}{'LLM s':>8}{'+vision':>8}{'query s':>9}{'per min':>9}{'switches':>9}"
        f"{'busy':>6}{'GiB':>7}"
    )
    sections: list[str] = []
    for chosen in (None, *SpeedSet):
        part = [run for run in done if run.speeds is chosen]
        if part:
            sections += [_title(chosen), "", head, *map(_row, part), ""]
    predicted = pipeline.predicted
    compressed = {run.users: run.compression for run in done}
    expected = f"LLM {_range(predicted.llm_seconds)} s, query {_range(predicted.query_seconds)} s"
    sections += [
        f"Predicted for the pool: {expected}, {predicted.queries_per_minute:g} queries/min.",
        "LLM: seconds with a text call under way; +vision: with any call; of a query, the mean.",
        "Time was compressed " + ", ".join(f"{by:g} times with {queries}" for queries, by in compressed.items()) + ".",
        "",
    ]
    sections += [*_bounds(pipeline), ""]
    for run in done:
        if run.ideal_seconds is not None:
            more = run.calls_seconds / run.ideal_seconds - 1
            sections.append(
                f"Distortion, {run.scenario.title}: all calls took {run.calls_seconds:.1f} s, {run.ideal_seconds:.1f} "
                f"by the engines' model of time ({more:+.1%}): processes, sockets and the gateway, compressed as well."
                + (" TOO MUCH: this machine is too busy to replay." if more > TOLERABLE else "")
            )
    return "\n".join([*sections, ""])


def json_lines(done: Sequence[Run], build: str) -> str:
    """Return a line for each measure: the ratio to the recorded Ollama in the same run, both raw figures, and whether
    the gateway was compiled or interpreted.
    """
    reference = {run.users: run.figures for run in done if run.scenario.pool is None}
    lines = []
    for run in done:
        ollama = reference.get(run.users)
        if run.speeds is None or ollama is None:
            continue
        mine, theirs = asdict(run.figures), asdict(ollama)
        for name, larger_is_better in (
            ("llm_seconds", False),
            ("model_seconds", False),
            ("query_seconds", False),
            ("per_minute", True),
        ):
            ratio = mine[name] / theirs[name] if larger_is_better else theirs[name] / mine[name]
            measure = f"replay/{run.speeds.value}/{run.scenario.name}/{run.users}/{name}"
            line = {"measure": measure, "ratio": round(ratio, 3), "modelpool": round(mine[name], 3)}
            lines.append(json.dumps({**line, "ollama": round(theirs[name], 3), "build": build}))
    return "\n".join(lines)


def _bounds(pipeline: Pipeline) -> list[str]:
    """Say what cannot be, whoever serves."""

    def at(tokens_a_step: float) -> float:
        return bounds.llm_seconds(
            pipeline,
            lambda step: bounds.fastest(
                roofline.WEIGHTS[step.model],
                step,
                tokens_a_step=tokens_a_step if step.model in ("qwen3:8b", "cogito:8b") else 1.0,
            ),
        )

    limit = bounds.batching_limit(fitting.fit(pipeline), pipeline, scenarios.SERVED_BY)
    return [
        "What no engine can beat on an RTX 4090, at its whole bandwidth and arithmetic, independent calls together",
        f"and not in each other's way: an LLM time of {at(1.0):.1f} s, and {at(bounds.TOKENS_A_STEP):.1f} s where",
        f"drafting and checking {bounds.TOKENS_A_STEP:g} tokens a step cost nothing.",
        f"What no pool of one card can beat at the same speed: {limit:.1f} times Ollama's queries, if writing cost",
        "nothing at all. Reading prompts gains nothing from batches.",
    ]


def _range(ends: tuple[float, float]) -> str:
    return f"{ends[0]:g} to {ends[1]:g}"


def _title(chosen: SpeedSet | None) -> str:
    match chosen:
        case None:
            return "The recorded Ollama"
        case SpeedSet.SAME:
            return "Same speed: vLLM as fast per token as the recorded Ollama"
        case SpeedSet.PUBLISHED:
            return "Published speed: vLLM with 4 bit weights on a 24 GB card (RTX 4090)"


def _row(run: Run) -> str:
    one = run.figures
    name = run.scenario.title if run.users == 1 else ""
    return (
        f"  {name:<30}{run.users:>8}{one.llm_seconds:>8.1f}{one.model_seconds:>8.1f}{one.query_seconds:>9.1f}"
        f"{one.per_minute:>9.2f}{one.switches:>9}{one.busy:>6.0%}{one.resident_gib:>7.1f}"
    )
