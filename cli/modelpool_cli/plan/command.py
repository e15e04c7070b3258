"""The command `modelpool plan FILE`."""

import json
from enum import Enum
from pathlib import Path

from rich.console import Console

from modelpool_cli import manifests
from modelpool_cli.plan import picture, table, together
from modelpool_cli.plan import report as reports

FITS = 0
REFUSED = 1


class Output(Enum):
    """How the plan is shown."""

    TABLE = "table"
    JSON = "json"
    SVG = "svg"


def run(path: Path, output: Output, console: Console) -> int:
    """Print the plan of every pool of the file and return the exit status: 1 when one of them does not fit.

    Pools of one file are planned beside each other, in its order.

    Raises:
        manifests.BadFileError: the file holds no valid ModelPool.
    """
    found = [reports.report(pool, verdict) for pool, verdict in together.decide_together(manifests.read_pools(path))]
    refused = [one for one in found if one["verdict"] == "refused"]
    match output:
        case Output.JSON:
            console.out(json.dumps(found[0] if len(found) == 1 else found, indent=2), highlight=False)
        case Output.SVG if not refused:
            for one in found:
                console.out(picture.draw(one), highlight=False, end="")
        case _:
            for one in found:
                table.show(one, console)
    return REFUSED if refused else FITS
