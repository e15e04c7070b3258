"""What large blocks have had is the system's again, also where small ones lie behind them."""

import platform
import subprocess
import sys

import pytest

SCRIPT = """
import sys
from pathlib import Path
from modelpool_sidecar import allocator

def resident() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) // 1024

told = sys.argv[1] == "told" and allocator.give_back()
before = resident()
kept = []
for megabytes in (2, 4, 8, 16, 8, 4, 2):
    blocks = []
    for _ in range(64 // megabytes):
        blocks.append(b"x" * (megabytes << 20))
        kept.append(b"y" * 100_000)
    del blocks
print(told, resident() - before - sum(map(len, kept)) // (1 << 20))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be told")
def test_what_was_large_goes_back() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, "told"], capture_output=True, text=True, check=True, timeout=60
    )
    told, more = done.stdout.split()
    assert told == "True"
    assert int(more) < 16, f"{more} MiB stayed"
