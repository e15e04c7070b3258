"""docs/how-to/troubleshoot.md, made of what kubectl printed in each situation; a test holds the page to it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from situation import Situation
from situations import SECTIONS, SITUATIONS

PAGE: Final = Path(__file__).parents[3] / "docs" / "how-to" / "troubleshoot.md"

_HEAD: Final = """# Find out what is wrong with a pool

`kubectl get mp` names the cause in its column REASON, and `kubectl describe mp NAME` says of each model what it suffers
from and what to do about it, in the condition `Ready` and under `Models`. When an engine breaks, the pool gets an
Event. A model with a working fallback keeps answering meanwhile: its state is then `Fallback`, its message is the same.

Below is what they print in {count} situations:
{sections}.
This page is written by the test that brings them about, on a real API
server and scheduler, with the statuses that a kubelet writes:
`MODELPOOL_WRITE_GOLDEN=1 python -m pytest e2e/cases/broken_situations`.

```console
{table}
```
"""

_ONE: Final = """
### {title}

```console
$ kubectl describe mp {name}
{excerpt}
```
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Printed:
    """What kubectl printed of a pool."""

    row: str
    """Header and row of `kubectl get mp`."""
    described: str
    """`kubectl describe mp`."""


def page(printed: Mapping[str, Printed]) -> str:
    """Return the whole page.

    Args:
        printed: by title.
    """
    sections = ", ".join(f"[{title}](#{title.lower().replace(' ', '-')})" for title in SECTIONS)
    parts = [_HEAD.format(table=table(printed), count=len(SITUATIONS), sections=sections)]
    for title, situations in SECTIONS.items():
        parts.append(f"\n## {title}\n")
        for one in situations:
            excerpt = condition(printed[one.title].described)
            parts.append(_ONE.format(title=one.title, name=one.name, excerpt=excerpt))
    return "".join(parts)


def table(printed: Mapping[str, Printed]) -> str:
    """Return all pools as one table, without their ages."""
    header = printed[SITUATIONS[0].title].row.splitlines()[0].split()
    assert header[-1] == "AGE", header
    rows = [row[:-1] for row in (header, *(_cells(printed[one.title].row) for one in SITUATIONS))]
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    lines = ("   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)
    return "\n".join(("$ kubectl get mp", *lines))


def _cells(row: str) -> list[str]:
    """Return the cells of a table's one row; a cell that is empty stands below its header all the same."""
    header, cells = row.splitlines()
    starts = [match.start() for match in re.finditer(r"\S+", header)]
    return [cells[start:end].strip() for start, end in zip(starts, [*starts[1:], None], strict=True)]


def condition(described: str) -> str:
    """Return the condition of type Ready as `kubectl describe` prints it, without times."""
    (block,) = (one for one in _blocks(described) if re.search(r"^ +Type: +Ready$", one, re.MULTILINE))
    kept = [line for line in block.splitlines() if not re.match(r" +(Last Transition Time|Observed Generation):", line)]
    return "\n".join(_stable(line) for line in kept)


def _stable(line: str) -> str:
    """Return a line without what differs from run to run: namespace, node, and how many nodes the scheduler saw."""
    found = re.sub(r"\d+/\d+ nodes are available: .*?\. ", _scheduler, line, count=1)
    found = re.sub(r"broken-situations-[0-9a-f]{6}(-apart-[a-z-]+[a-z])?\b", "llm", found)
    return re.sub(r"(Node )\S+( does not report| offers no)", r"\1gpu-1\2", found)


def _scheduler(match: re.Match[str]) -> str:
    return re.sub(r"\b\d+(/\d+)?\b", lambda number: "0/1" if "/" in number[0] else "1", match[0])


def _blocks(described: str) -> list[str]:
    """Return the conditions, each as it stands."""
    inside = described.partition("\n  Conditions:\n")[2]
    inside = re.split(r"^  \S", inside, maxsplit=1, flags=re.MULTILINE)[0]
    return [
        one.rstrip() for one in re.split(r"(?=^    Last Transition Time:)", inside, flags=re.MULTILINE) if one.strip()
    ]


def words_of(situation: Situation) -> tuple[str, ...]:
    """Return what a user must read of a situation: who, why, and what to do."""
    return (situation.model, situation.reason, situation.cause, situation.advice)
