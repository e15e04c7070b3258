"""A card's computing time: equal parts, a little lost, and nobody counts who is idle or gone."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelpool_simulators.timeslices import Timeslice, efficiency, worked


def test_one_engine_has_the_card_for_itself(tmp_path: Path) -> None:
    assert Timeslice(tmp_path).take(2.0, now=10.0) == 2.0


def test_busy_engines_get_equal_parts_and_lose_a_little(tmp_path: Path) -> None:
    slices = [Timeslice(tmp_path) for _ in range(3)]
    lasting = [one.take(1.0, now=10.0) for one in slices]
    assert lasting == [1.0, pytest.approx(2 / 0.88), pytest.approx(3 / 0.88)]
    assert efficiency(1) == 1.0


def test_who_rests_or_ended_long_ago_does_not_count(tmp_path: Path) -> None:
    resting, gone, still = (Timeslice(tmp_path) for _ in range(3))
    resting.take(5.0, now=10.0)
    resting.rest()
    gone.take(1.0, now=8.0)
    assert still.take(1.0, now=10.0) == 1.0


def test_work_is_counted_as_if_alone_and_outlives_its_engine(tmp_path: Path) -> None:
    first, second = Timeslice(tmp_path), Timeslice(tmp_path)
    first.take(1.0, now=10.0)
    second.take(2.0, now=10.0)
    first.close()
    assert Timeslice(tmp_path).take(0.5, now=20.0) == 0.5
    assert worked(tmp_path) == 3.5
    assert worked(tmp_path / "nowhere") == 0.0
