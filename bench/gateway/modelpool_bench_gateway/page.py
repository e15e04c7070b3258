"""The tables for people, and the lines of JSON for programs. Pure: takes values, returns text."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from . import goals
from .measures import ALL, Figure, Ratio, Round, figure


def number(value: float) -> str:
    """Three digits that matter, no more."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def figures(rounds: Mapping[str, Sequence[Round]], direct: Sequence[Round]) -> Iterator[str]:
    """Every gateway's medians, a measure a line."""
    names = list(rounds)
    widths = [max(14, len(name) + 2) for name in ["direct", *names]]
    heads = "".join(f"{name:>{wide}}" for name, wide in zip(["direct", *names], widths, strict=True))
    yield f"{'':38}{'unit':>5}{heads}"
    for measure in ALL:
        found: list[Figure | None] = [None if measure.added else figure(measure, direct, direct)]
        found += [figure(measure, rounds[name], direct) for name in names]
        if not any(found[1:]):
            continue
        if measure.unit != "1/s":
            found[0] = None
        told = ["-" if one is None else number(one.median) for one in found]
        cells = "".join(f"{cell:>{wide}}" for cell, wide in zip(told, widths, strict=True))
        yield f"{measure.name:38}{measure.unit:>5}{cells}"


def ratios(found: Sequence[Ratio]) -> Iterator[str]:
    """Ours by theirs, a measure and peer a line, with the goal where there is one."""
    yield f"{'ours / theirs':38}{'peer':>22}{'median':>9}{'best':>9}  goal"
    for ratio in found:
        goal = goals.of(ratio)
        verdict = ""
        if goal is not None:
            verdict = (
                f"{goal} {'met' if goal.met(ratio.median) else 'met by the best' if goal.met(ratio.best) else 'MISSED'}"
            )
        yield f"{ratio.measure:38}{ratio.peer:>22}{ratio.median:9.2f}{ratio.best:9.2f}  {verdict}".rstrip()


def lines(found: Sequence[Ratio], build: str) -> Iterator[str]:
    """One line of JSON for each ratio, with both raw figures and what the gateway was: compiled or interpreted."""
    for ratio in found:
        yield json.dumps(record(ratio, build))


BEGIN: Final = "<!-- figures of `make bench-gateway DOCS=1` -->"
END: Final = "<!-- end of the figures -->"


def replaced(
    document: str,
    told: str,
    rounds: Mapping[str, Sequence[Round]],
    found: Sequence[Ratio],
    *,
    wall_clock: bool = True,
) -> str:
    """A page with its figures renewed. Raises ValueError when it has no place for them.

    Without `wall_clock` it has only those that say something on a busy machine.
    """
    if not wall_clock:
        steady = {measure.name for measure in ALL if measure.is_steady}
        found = [ratio for ratio in found if ratio.measure in steady]
        told += " The machine was busy, so what a clock on the wall says is left out."
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page must have the lines {BEGIN} and {END}")
    return "\n".join([before + begin, told, "", *_table(rounds, found), "", *_goals(found), end]) + after


def _table(rounds: Mapping[str, Sequence[Round]], found: Sequence[Ratio]) -> Iterator[str]:
    others = [name for name in rounds if name in {ratio.peer for ratio in found}]
    by_name = {(ratio.measure, ratio.peer): ratio for ratio in found}
    yield "| | unit | gateway |" + "".join(f" {name} |" for name in others)
    yield "|---|---|--:|" + "--:|" * len(others)
    for measure in ALL:
        mine = [by_name.get((measure.name, name)) for name in others]
        ours = next((one for one in found if one.measure == measure.name), None)
        if ours is not None:
            cells = "".join(f" {'' if one is None else number(one.theirs.median)} |" for one in mine)
            unit = {"us": "\N{MICRO SIGN}s"}.get(measure.unit, measure.unit)
            yield f"| {measure.name} | {unit} | {number(ours.ours.median)} |{cells}"


def _goals(found: Sequence[Ratio]) -> Iterator[str]:
    yield "| goal: gateway / peer | peer | wanted | median | best round | |"
    yield "|---|---|--:|--:|--:|---|"
    for ratio in found:
        if (goal := goals.of(ratio)) is not None:
            verdict = "met" if goal.met(ratio.median) else "best round only" if goal.met(ratio.best) else "**missed**"
            yield (f"| {ratio.measure} | {ratio.peer} | {goal} | {ratio.median:.2f} | {ratio.best:.2f} | {verdict} |")


def record(ratio: Ratio, build: str) -> dict[str, object]:
    """A ratio as a document."""
    goal = goals.of(ratio)
    return {
        "bench": "gateway",
        "build": build,
        "measure": ratio.measure,
        "unit": ratio.unit,
        "peer": ratio.peer,
        "ratio": round(ratio.median, 4),
        "gateway": round(ratio.ours.median, 3),
        "theirs": round(ratio.theirs.median, 3),
        "best": {
            "ratio": round(ratio.best, 4),
            "gateway": round(ratio.ours.best, 3),
            "theirs": round(ratio.theirs.best, 3),
        },
        **({} if goal is None else {"goal": str(goal), "met": goal.met(ratio.median)}),
    }
