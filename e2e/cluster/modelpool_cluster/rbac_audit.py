"""`python -m modelpool_cluster.rbac_audit RELEASE CHART LOG…`: are a chart's roles what was asked for, no more?

Renders the chart with its defaults by a real helm and replays audit logs against the roles in it; see `rights`. The
last line has the counts; the exit status is 0 only when every right was used and none was missing.
"""

from __future__ import annotations

import argparse
import itertools
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from . import audit, rights
from .binaries import Binaries
from .settings import current


def rendered(helm: Path, release: str, chart: Path) -> list[dict[str, Any]]:
    """Return the objects of a chart's release with its defaults. Raises CalledProcessError."""
    with tempfile.TemporaryDirectory() as home:
        told = subprocess.run(
            [str(helm), "template", release, str(chart), "--namespace=audited"],
            env={"HOME": home, "PATH": os.defpath}, capture_output=True, text=True, timeout=60, check=True,
        )  # fmt: skip
    return [one for one in yaml.safe_load_all(told.stdout) if one]


def replayed(helm: Path, release: str, chart: Path, logs: Iterable[Path]) -> rights.Audit:
    """Replay logs against a chart's roles. Raises CalledProcessError, OSError."""
    events = itertools.chain.from_iterable(audit.read_events(log) for log in logs)
    return rights.replay(rendered(helm, release, chart), events)


def main(arguments: list[str] | None = None) -> int:
    """Run the program; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m modelpool_cluster.rbac_audit", description=__doc__)
    parser.add_argument("release", help="the name under which the chart was installed")
    parser.add_argument("chart", type=Path)
    parser.add_argument("logs", type=Path, nargs="+", metavar="LOG", help="an audit log, JSON lines")
    options = parser.parse_args(arguments)
    helm = Binaries(current(), lambda line: print(line, file=sys.stderr)).helm()  # noqa: T201
    found = replayed(helm, options.release, options.chart, options.logs)
    print(f"{found.requests} requests in {len(options.logs)} audit log{'s' * (len(options.logs) > 1)}")  # noqa: T201
    for line in found.lines():
        print(line)  # noqa: T201
    return 0 if found.holds else 1


if __name__ == "__main__":
    sys.exit(main())
