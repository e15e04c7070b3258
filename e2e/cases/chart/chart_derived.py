"""What the chart holds that is made of something else: the CRD's copy, the table of values, the golden rendering.

Run it to renew them: `.venv/bin/python e2e/cases/chart/chart_derived.py`. A test holds them to their sources.
"""

import json
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from chart_helm import CHART, ROOT, Helm, get, leaves

from modelpool_cluster import settings
from modelpool_cluster.binaries import Binaries

GOLDEN = Path(__file__).parent / "golden" / "default.yaml"
README = CHART / "README.md"
BEGIN, END = "<!-- values: begin -->\n", "<!-- values: end -->\n"


class Value(NamedTuple):
    """One row of the table."""

    path: tuple[str, ...]
    default: Any
    description: str


def derived(helm: Helm) -> Mapping[Path, bytes]:
    """Return the wanted content of every derived file."""
    before, begin, rest = README.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    return {
        CHART / "files" / "modelpools.yaml": (ROOT / "crds" / "modelpools.yaml").read_bytes(),
        README: f"{before}{begin}{table()}{end}{after}".encode(),
        GOLDEN: golden(helm).encode(),
    }


def golden(helm: Helm) -> str:
    """Return the default rendering, the CRD excepted, in an order and a layout that no version of helm changes."""
    objects = helm.objects({"crds": {"enabled": False}})
    objects.sort(key=lambda one: (one["kind"], one["metadata"]["name"]))
    return str(yaml.safe_dump_all(objects, sort_keys=False, width=120))


def documented() -> Iterator[Value]:
    """Yield every value with the comment above it."""
    text = (CHART / "values.yaml").read_text()
    schema = json.loads((CHART / "values.schema.json").read_text())
    values = yaml.safe_load(text)
    comments = dict(_comments(text))
    for path in leaves(values, schema):
        yield Value(path, get(values, path), comments.get(path, ""))


def table() -> str:
    """Return the table of values in Markdown."""
    rows = ["| Value | Default | What it is |", "|---|---|---|"]
    for value in documented():
        default = json.dumps(value.default, separators=(", ", ": ")).replace("|", "\\|")
        rows.append(f"| `{'.'.join(value.path)}` | `{default}` | {value.description} |")
    return "\n".join(rows) + "\n"


def _comments(text: str) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield each key's path with the comment that stands directly above it."""
    path: list[tuple[int, str]] = []
    comment: list[str] = []
    for line in text.splitlines():
        if found := re.match(r"\s*# ?(.*)", line):
            comment.append(found[1])
        elif found := re.match(r"( *)([A-Za-z]+):", line):
            path = [*(step for step in path if step[0] < len(found[1])), (len(found[1]), found[2])]
            if comment:
                yield tuple(key for _, key in path), " ".join(comment)
            comment = []
        else:
            comment = []


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def main() -> None:
    """Write every derived file that is not as it should be."""
    with tempfile.TemporaryDirectory() as home:
        helm = Helm(program=Binaries(settings.current(), _say).helm(), home=Path(home))
        for path, wanted in derived(helm).items():
            if not path.exists() or path.read_bytes() != wanted:
                path.write_bytes(wanted)
                sys.stdout.write(f"wrote {path.relative_to(ROOT)}\n")


if __name__ == "__main__":
    main()
