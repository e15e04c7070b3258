"""`python -m modelpool_under_test`: build the container images or the compiled gateway ahead of time."""

from __future__ import annotations

import argparse
import sys

from modelpool_cluster.settings import InvalidSettingError, current

from .compiled import CompiledTreeError, compiled_tree
from .images import build, report


def main(arguments: list[str] | None = None) -> int:
    """Run a command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m modelpool_under_test", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    images = commands.add_parser("images", help="build the container images, and hold them to size and start time")
    images.set_defaults(run=_images)
    tree = commands.add_parser("compiled", help="compile the gateway, and print the folder to put into PYTHONPATH")
    tree.set_defaults(run=_compiled)
    options = parser.parse_args(arguments)
    try:
        return int(options.run())
    except InvalidSettingError as exc:
        _complain(str(exc))
        return 2


def _say(line: str) -> None:
    print(line, flush=True)


def _complain(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _images() -> int:
    settings = current()
    found = report.examine(build(settings, _say), settings.scratch)
    for line in found.lines():
        _say(line)
    return 1 if found.problems else 0


def _compiled() -> int:
    try:
        _say(str(compiled_tree(_complain)))
    except CompiledTreeError as exc:
        _complain(str(exc))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
