"""`modelpool`: plan a pool, run it on this machine, see it work."""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from modelpool_cli import manifests
from modelpool_cli.local import up
from modelpool_cli.plan import command as plan_command

BAD_INPUT = 2
PAGE_WIDTH = 120
"""Columns when the output is no terminal."""


def parser() -> argparse.ArgumentParser:
    """Return the command line's grammar."""
    program = argparse.ArgumentParser(prog="modelpool", description=__doc__)
    commands = program.add_subparsers(dest="command", required=True, metavar="COMMAND")

    plan = commands.add_parser("plan", help="show which model goes on which card, with which flags, or why not")
    plan.add_argument("file", type=Path, help="a file with a ModelPool")
    plan.add_argument(
        "-o",
        "--output",
        type=plan_command.Output,
        choices=list(plan_command.Output),
        default=plan_command.Output.TABLE,
        metavar="{table,json,svg}",
        help="default: table",
    )

    local = commands.add_parser("local", help="run a pool on this machine, without a cluster")
    verbs = local.add_subparsers(dest="verb", required=True, metavar="VERB")
    up.add_arguments(verbs.add_parser("up", help="start the engines and the gateway; Ctrl-C stops them all"))

    demo = commands.add_parser("demo", help="show the main job on simulated cards")
    demo.add_argument("file", type=Path, nargs="?", default=Path("examples/single-gpu-24gb.yaml"))
    demo.add_argument("--keep", action="store_true", help="stay up afterwards and say what to ask")
    return program


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command and exit with its status: 0 done, 1 it does not fit or failed, 2 bad input."""
    options = parser().parse_args(arguments)
    console = Console(highlight=False, width=None if sys.stdout.isatty() else PAGE_WIDTH)
    try:
        sys.exit(_run(options, console))
    except manifests.BadFileError as exc:
        print(f"modelpool: {exc}", file=sys.stderr)
        sys.exit(BAD_INPUT)
    except KeyboardInterrupt:
        sys.exit(130)


def _run(options: argparse.Namespace, console: Console) -> int:
    match options.command:
        case "plan":
            return plan_command.run(options.file, options.output, console)
        case "local":
            return asyncio.run(up.run(up.Options.from_namespace(options), console))
        case _:
            # The clients that the demonstration asks with are its own requirement, not the command's.
            from modelpool_cli.demo import script

            return asyncio.run(script.run(options.file, keep=options.keep, console=console))


if __name__ == "__main__":
    main()
