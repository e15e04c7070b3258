"""pytest for the whole repository: the test cluster's fixtures for every package's tests, and where the time went."""

from collections import defaultdict
from pathlib import PurePath

import pytest
from hypothesis import HealthCheck, settings

# Properties say what holds, not how fast: a busy machine must not fail one.
settings.register_profile("modelpool", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.load_profile("modelpool")

pytest_plugins = ["modelpool_cluster.plugin", "modelpool_cluster.node.plugin", "modelpool_under_test.plugin"]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the time of each part of the suite, set-up of fixtures included."""
    seconds: dict[str, float] = defaultdict(float)
    tests: dict[str, int] = defaultdict(int)
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport):
                part = _part(report.nodeid)
                seconds[part] += report.duration
                tests[part] += report.when == "call"
    if not seconds:
        return
    terminalreporter.section("where the time went")
    for part, spent in sorted(seconds.items(), key=lambda one: -one[1]):
        terminalreporter.write_line(f"{spent:8.1f} s  {tests[part]:5d} tests  {part}")


def _part(node: str) -> str:
    """Return the part of the suite a test belongs to: a program, a tool of e2e, or a case."""
    folders = PurePath(node.partition("::")[0]).parts
    return "/".join(
        folders[:3] if folders[:2] == ("e2e", "cases") else folders[:2] if folders[0] == "e2e" else folders[:1]
    )
