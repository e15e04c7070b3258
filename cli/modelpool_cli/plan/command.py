"""The command `modelpool plan FILE`."""

import json
from pathlib import Path

from rich.console import Console

from modelpool_cli import manifests
from modelpool_cli.plan import report as reports
from modelpool_cli.plan import table

FITS = 0
REFUSED = 1


def run(path: Path, *, as_json: bool, console: Console) -> int:
    """Print the plan of every pool of the file and return the exit status: 1 when one of them does not fit.

    Raises:
        manifests.BadFileError: the file holds no valid ModelPool.
    """
    found = [reports.report(pool, reports.decide(pool)) for pool in manifests.read_pools(path)]
    if as_json:
        console.out(json.dumps(found[0] if len(found) == 1 else found, indent=2), highlight=False)
    else:
        for one in found:
            table.show(one, console)
    return REFUSED if any(one["verdict"] == "refused" for one in found) else FITS
