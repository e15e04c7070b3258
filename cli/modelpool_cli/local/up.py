"""The command `modelpool local up FILE`."""

import argparse
import asyncio
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from platformdirs import user_cache_path
from rich.console import Console

from modelpool_cli import manifests
from modelpool_cli.local import layout, pool, simulation
from modelpool_cli.local.processes import Ended, Started
from modelpool_cli.plan import report as reports
from modelpool_cli.plan import table
from modelpool_operator.planning.memory.refusals import Refusal

FAILED = 1
DEFAULT_LISTEN = (("127.0.0.1", 8100), ("127.0.0.1", 11434))


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line said."""

    file: Path
    simulate: bool
    folder: Path | None
    listen: tuple[tuple[str, int], ...]

    @classmethod
    def from_namespace(cls, options: argparse.Namespace) -> Self:
        """Return the options that argparse found."""
        return cls(
            file=options.file,
            simulate=options.simulate,
            folder=options.folder,
            listen=tuple(options.listen or DEFAULT_LISTEN),
        )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's grammar."""
    parser.add_argument("file", type=Path, help="a file with one ModelPool")
    parser.add_argument("--simulate", action="store_true", help="run simulated engines: no GPU, no weights")
    parser.add_argument("--folder", type=Path, help="for logs, locks and routes; default: in your cache folder")
    parser.add_argument(
        "--listen", type=_address, action="append", metavar="HOST:PORT", help="default: 127.0.0.1:8100 and :11434"
    )


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise argparse.ArgumentTypeError(f"must be HOST:PORT, got '{text}'")
    return host, int(port)


async def run(options: Options, console: Console) -> int:
    """Run the pool until SIGINT or SIGTERM and return the exit status.

    Raises:
        manifests.BadFileError: the file holds no valid ModelPool.
    """
    wanted = manifests.read_pool(options.file)
    verdict = reports.decide_here(wanted)
    table.show(reports.report(wanted, verdict), console, flags=False)
    if isinstance(verdict, Refusal):
        return FAILED
    folder = options.folder or user_cache_path("modelpool") / "local" / wanted.ref.name
    commands = simulation.commands(folder, wanted) if options.simulate else layout.Commands()
    try:
        pool.check(wanted, commands, options.listen)
    except pool.CannotRunError as exc:
        console.print(f"[bold red]Cannot run:[/] {exc}")
        return FAILED
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    console.print(f"Logs are in {folder}/logs. Ctrl-C stops everything.")
    tell = _Teller(console)
    async with pool.running(wanted, verdict, folder, commands, options.listen, tell.program) as local:
        while not stop.is_set():
            tell.serving(local, await local.serving())
            try:
                async with asyncio.timeout(0.5):
                    await stop.wait()
            except TimeoutError:
                continue
        console.print("Stopping.")
    console.print("Stopped.")
    return 0


class _Teller:
    """Says what changes, once."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._serving: Mapping[str, tuple[str, ...]] = {}

    def program(self, event: Started | Ended) -> None:
        match event:
            case Ended(name=name, status=0, again_in=None):
                self._console.print(f"{name}: done")
            case Ended(name=name, status=status, again_in=delay):
                why = f"killed by {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"
                self._console.print(f"[yellow]{name} ended ({why}); again in {delay:g} s[/]")
            case Started():
                pass

    def serving(self, local: pool.LocalPool, now: Mapping[str, tuple[str, ...]] | None) -> None:
        if now is None:
            return
        if not self._serving:
            self._console.print(f"Gateway: OpenAI at {local.url}/v1, Ollama at {local.url}")
        for model, engines in now.items():
            if engines != self._serving.get(model):
                who = engines[0] if engines else "nobody yet"
                self._console.print(f"{model}: [bold]{who}[/]")
        self._serving = now
