"""Figures and ratios from results, and what is printed and drawn of them."""

import json
from xml.etree import ElementTree

import pytest

from .. import goals, measures, page, picture, scenarios
from ..asking import Result, Summary


def summary(p50: float) -> Summary:
    return Summary(count=10, mean=p50, p50=p50, p90=p50, p99=2 * p50, max=3 * p50)


def result(*, requests: int = 1000, cpu: float = 0.1, p50: float = 100.0, errors: int = 0) -> Result:
    return Result(
        requests=requests, tokens=requests * 10, errors=errors, seconds=1.0, cpu_seconds=cpu, own_seconds=0.1,
        rss_bytes=50 * 2**20, active=1000, latency=summary(p50), first=summary(p50), transit=summary(p50),
        jitter=summary(p50),
    )  # fmt: skip


def everything(one: Result) -> dict[str, Result]:
    return dict.fromkeys(("rest", *(task.name for task in scenarios.ALL)), one)


ROUNDS = {
    "gateway": [everything(result(cpu=0.1, p50=150.0)), everything(result(cpu=0.2, p50=150.0))],
    "vllm-router": [everything(result(requests=500, cpu=0.1, p50=200.0))] * 2,
}
DIRECT = [everything(result(p50=50.0))] * 2


def ratio(name: str, peer: str = "vllm-router") -> measures.Ratio:
    found = measures.ratios("gateway", ROUNDS, DIRECT)
    return next(one for one in found if (one.measure, one.peer) == (name, peer))


def test_a_ratio_is_of_medians_and_of_best_rounds() -> None:
    found = ratio("cpu per request, 32 connections")
    assert (found.ours.median, found.theirs.median) == pytest.approx((150.0, 200.0))
    assert found.median == pytest.approx(0.75)
    assert found.best == pytest.approx(0.5)


def test_what_is_added_is_what_asking_directly_does_not_take() -> None:
    found = ratio("added p50, 200 requests/s")
    assert (found.ours.median, found.theirs.median) == (100.0, 150.0)


def test_more_of_a_rate_is_better() -> None:
    assert ratio("requests/s, 32 connections").median == 2.0


def test_translation_is_held_against_our_own_relay() -> None:
    assert ratio("cpu per chunk, paced, translated", "untranslated").median == 1.0


def test_a_round_of_errors_is_no_figure() -> None:
    spoilt = {"gateway": ROUNDS["gateway"], "nginx": [everything(result(errors=500))] * 2}
    found = measures.ratios("gateway", spoilt, DIRECT)
    assert {one.measure for one in found if one.peer == "nginx"} == {"memory at rest"}


def test_every_goal_names_a_measure() -> None:
    assert {goal.measure for goal in goals.ALL} <= {measure.name for measure in measures.ALL}


def test_every_measure_names_a_task() -> None:
    assert {measure.task for measure in measures.ALL} <= {"rest", *(task.name for task in scenarios.ALL)}


def test_a_goal_that_is_missed_is_told() -> None:
    missed = goals.missed([ratio("chunks/s, fast"), ratio("cpu per request, 32 connections")])
    assert [(goal.measure, goal.bound) for goal, _ in missed] == [("chunks/s, fast", 2.5)]


def test_lines_carry_the_ratio_and_both_figures() -> None:
    told = [json.loads(line) for line in page.lines(measures.ratios("gateway", ROUNDS, DIRECT), "compiled")]
    assert {one["build"] for one in told} == {"compiled"}
    assert len({(one["measure"], one["peer"]) for one in told}) == len(told) > 20
    assert all(isinstance(one[key], float) for one in told for key in ("ratio", "gateway", "theirs"))


def test_tables_have_a_column_for_each_gateway() -> None:
    heading, *lines = page.figures(ROUNDS, DIRECT)
    assert heading.split() == ["unit", "direct", "gateway", "vllm-router"]
    assert len(lines) == len(measures.ALL)


def test_a_page_keeps_all_but_its_figures() -> None:
    old = f"before\n{page.BEGIN}\nold\n{page.END}\nafter\n"
    found = measures.ratios("gateway", ROUNDS, DIRECT)
    new = page.replaced(old, "measured today", ROUNDS, found)
    assert new.startswith(f"before\n{page.BEGIN}\nmeasured today\n")
    assert new.endswith(f"{page.END}\nafter\n")
    assert "old" not in new
    assert "| cpu per request, 32 connections | \N{MICRO SIGN}s | 150 | 200 |" in new
    assert page.replaced(new, "measured today", ROUNDS, found) == new


def test_a_busy_machine_publishes_no_wall_clock() -> None:
    found = measures.ratios("gateway", ROUNDS, DIRECT)
    new = page.replaced(f"{page.BEGIN}{page.END}", "measured today.", ROUNDS, found, wall_clock=False)
    assert "cpu per chunk, paced" in new
    assert "requests/s" not in new
    drawn = picture.draw(ROUNDS, DIRECT, {}, "", wall_clock=False)
    assert "Memory with" in drawn
    assert "a second, 32" not in drawn


def test_a_page_without_a_place_is_refused() -> None:
    with pytest.raises(ValueError, match="must have the lines"):
        page.replaced("nothing", "", ROUNDS, [])


def test_the_picture_is_well_formed_and_names_everybody() -> None:
    drawn = picture.draw(ROUNDS, DIRECT, {"vllm-router": "0.1.17"}, "a machine & another")
    text = " ".join(ElementTree.fromstring(drawn).itertext())
    assert "gateway" in text
    assert "vllm-router 0.1.17" in text
    assert "a machine & another" in text


def test_a_body_has_the_size_that_was_asked_for() -> None:
    assert len(scenarios.body(size=160 * 1024)) == 160 * 1024
    assert json.loads(scenarios.body(stream=True))["stream"] is True
