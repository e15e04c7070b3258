"""The gateway's memory limit has room for what its other limits let callers and engines make it hold."""

import re
from typing import Any

import yaml
from chart_helm import CHART, ROOT

MEBIBYTE = 1024 * 1024
UNITS = {"Mi": MEBIBYTE, "Gi": 1024 * MEBIBYTE}
PAGE = ROOT / "docs" / "how-to" / "size-the-gateway.md"


def worst_case(gateway: dict[str, Any]) -> int:
    """Bytes, as the page counts them, without what many connections hold."""
    program = 60 * MEBIBYTE
    bodies = 2 * gateway["maxBodiesBytes"] + 140 * gateway["maxBodyValues"]
    answers = 2 * gateway["maxEngineAnswerBytes"]
    return int(program + bodies + answers + 1024 * gateway["maxLogLines"])


def test_the_memory_limit_holds_the_worst_case() -> None:
    gateway = yaml.safe_load((CHART / "values.yaml").read_text())["gateway"]
    text = gateway["resources"]["limits"]["memory"]
    limit = int(text[:-2]) * UNITS[text[-2:]]
    assert worst_case(gateway) < limit
    told = re.search(r"\*\*(\d+) MiB\*\*", PAGE.read_text())
    assert told is not None
    assert abs(int(told[1]) - worst_case(gateway) / MEBIBYTE) < 1
    connections = re.search(r"and ([\d,]+) connections", PAGE.read_text())
    assert connections is not None
    room = (limit - worst_case(gateway)) / (192 * 1024)
    assert 0.9 * room < int(connections[1].replace(",", "")) <= room
