"""A short turn of `make hostile`: what comes by callers, engines and routes files holds, on both builds of the gateway.

The whole of it, with what takes much memory and with a real API server, is the Makefile's target.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from modelpool_under_test.compiled import NoCompilerError, compiled_tree

ROOT = Path(__file__).parents[3]
LAST = re.compile(
    r"tried=(\d+) held=(\d+) failed=(\d+) innocent_failed=(\d+) innocent_p99_ms=(\d+) rss_growth_mib=(-?\d+)"
)
SECONDS = 6
LATE_MS = 2000
"""How late an innocent answer may be here: the machine does other things at the same time."""


@pytest.fixture(params=["plain", "compiled"])
def build(request: pytest.FixtureRequest) -> str:
    """A build's name; a machine that cannot compile skips the compiled one, a build server fails."""
    if request.param == "compiled":
        try:
            compiled_tree(print)
        except NoCompilerError as exc:
            if os.environ.get("CI"):
                pytest.fail(str(exc), pytrace=False)
            pytest.skip(str(exc))
    return str(request.param)


@pytest.mark.timeout(600)
def test_all_holds_and_the_innocent_notice_nothing(build: str) -> None:
    seed = {"plain": 1, "compiled": 2}[build]
    done = subprocess.run(
        [sys.executable, "-m", "modelpool_hostile", "--routes", "file", "--builds", build, "--light", "--at-once=20",
         f"--seconds={SECONDS}", f"--seed={seed}", f"--p99-ms={LATE_MS}"],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=300,
    )  # fmt: skip
    print(done.stdout[-8000:])

    found = LAST.fullmatch(done.stdout.splitlines()[-1])
    assert found is not None, "the last line says what came of it"
    tried, held, failed, innocent_failed = (int(found[number]) for number in (1, 2, 3, 4))
    assert (tried, failed, innocent_failed, done.returncode) == (held, 0, 0, 0)
    assert tried >= 20


def test_a_case_can_be_tried_again_by_its_name_and_seed() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "modelpool_hostile", "--routes", "file", "--builds", "plain", "--case=cut_anywhere",
         "--seed=11", f"--p99-ms={LATE_MS}"],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=100,
    )  # fmt: skip
    print(done.stdout[-4000:])
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1].startswith("tried=2 held=2 failed=0 "), "the case, and the quiet afterwards"
