"""`modelpool-fake-ollama serve|pull|list|ps|show|rm`, also `python -m modelpool_simulators.ollama`: the life of the
process.

SIGTERM ends it at once and cuts streams; SIGUSR1 kills every runner under the running server.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import socket
import sys
from collections.abc import Sequence

from . import VERSION, commands
from . import settings as settings_

log = logging.getLogger(__package__)

_NO_CARDS = ("", "-1", "void", "none")
_CUT_SECONDS = 0.01
"""How long SIGTERM waits for streams: not at all, but 0 would mean for ever."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the program; leaves with status 1 when a command fails, 2 for a wrong command line."""
    given = _parser().parse_args(arguments)
    try:
        settings = settings_.from_environment(os.environ)
    except ValueError as error:
        sys.exit(f"Error: {error}")
    try:
        match given.command:
            case "serve":
                _serve(settings)
            case "pull":
                commands.pull(settings, given.name)
            case "show":
                commands.show(settings, given.name)
            case "rm":
                commands.rm(settings, given.name)
            case "list" | "ls":
                commands.list_(settings)
            case _:
                commands.ps(settings)
    except commands.CommandError as error:
        sys.exit(f"Error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="ollama", description="A simulated Ollama.")
    parser.add_argument("-v", "--version", action="version", version=f"ollama version is {VERSION}")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="command")
    for name in ("serve", "list", "ls", "ps"):
        subparsers.add_parser(name)
    for name in ("pull", "show", "rm"):
        subparsers.add_parser(name).add_argument("name")
    return parser


def _serve(settings: settings_.Settings) -> None:
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="time=%(asctime)s level=%(levelname)s %(message)s"
    )
    asyncio.run(_run(settings))


async def _run(settings: settings_.Settings) -> None:
    from aiohttp import web

    from .. import cards, listening, speeds, text
    from . import runners as runners_
    from . import server, store
    from .api import state

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    kept = store.Store(settings.models)
    for name in settings.preloaded:
        if kept.find(name) is None:
            kept.pulled(name)
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES") in _NO_CARDS
    visible = os.environ.get("NVIDIA_VISIBLE_DEVICES", "void") not in _NO_CARDS
    devices = cards.from_environment(dict(os.environ), 1) if visible and not hidden else ()
    async with asyncio.TaskGroup() as tasks:
        runners = runners_.Runners(settings, tasks, devices, speeds.from_environment(os.environ))
        loop.add_signal_handler(signal.SIGUSR1, runners.kill)
        expiry = tasks.create_task(runners.expire(), name="expire")
        built = state.State(settings=settings, store=kept, runners=runners, vocabulary=text.Vocabulary())
        runner = web.AppRunner(
            server.build_app(built), access_log=None, handler_cancellation=True, shutdown_timeout=_CUT_SECONDS
        )
        await runner.setup()
        # Go takes an address of all interfaces for those of both families, however it is written.
        everywhere = settings.host in ("0.0.0.0", "::") and socket.has_dualstack_ipv6()  # noqa: S104
        await web.SockSite(runner, listening.bound("::" if everywhere else settings.host, settings.port)).start()
        host, port = runner.addresses[0][:2]
        log.info("Listening on %s:%s (version %s)", host, port, VERSION)
        await stop.wait()
        expiry.cancel()
        await runner.cleanup()
        runners.close()


if __name__ == "__main__":
    main()
