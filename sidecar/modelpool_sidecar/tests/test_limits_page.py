"""The page of limits names every limit with its setting, value of the chart and default, and nothing else."""

import re
from pathlib import Path

import yaml

from modelpool_sidecar.http.limits import Limit, Limits
from modelpool_sidecar.settings import OPTIONS, Settings

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "reference" / "limits.md"
ROW = re.compile(r"\| `(\w+)` \| `(--[\w-]+)` \| `(\w+)` \| ([\d.]+) \| (.+) \|")


def rows() -> dict[str, tuple[str, str, float, str]]:
    found = [ROW.fullmatch(line) for line in PAGE.read_text().splitlines()]
    return {row[1]: (row[2], row[3], float(row[4]), row[5]) for row in found if row is not None}


def test_every_limit_has_its_line() -> None:
    assert set(rows()) == {limit.value for limit in Limit}


def test_flags_and_defaults_are_those_of_program_and_chart() -> None:
    fields = {option.flag: option.field for option in OPTIONS}
    values = yaml.safe_load((ROOT / "charts" / "modelpool" / "values.yaml").read_text())["gateway"]
    for limit, (flag, value, default, _) in rows().items():
        assert (getattr(Settings(), fields[flag]), values[value]) == (default, default), limit


def test_limits_have_the_settings_defaults() -> None:
    limits = Limits()
    named = {field for field in Settings.__dataclass_fields__ if hasattr(limits, field)}
    assert len(named) >= 11
    assert {field: getattr(limits, field) for field in named} == {field: getattr(Settings(), field) for field in named}
