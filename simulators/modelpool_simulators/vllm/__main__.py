"""`modelpool-fake-vllm serve MODEL …`, also `python -m modelpool_simulators.vllm`: the life of the process.

Nothing listens before the model is loaded. SIGTERM aborts what is under way, or lets it finish within
--shutdown-timeout; SIGUSR1 kills the engine under the running server, as if its process had been killed.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Sequence

from aiohttp import web

from .. import cards, engine, listening, speeds, timeslices
from . import VERSION, memory, server, startup
from . import flags as flags_
from . import settings as settings_

log = logging.getLogger(__package__)

_KEEP_ALIVE_SECONDS = 5.0
"""The real server closes idle connections so soon, which a gateway must survive."""
_DEATH_NOTICE_SECONDS = 0.4
"""How long the HTTP server outlives its engine."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the program; leaves with status 2 for wrong flags, 1 when the engine cannot start or dies."""
    given = sys.argv[1:] if arguments is None else arguments
    flags = flags_.parse(given)
    prefix = f"(APIServer pid={os.getpid()})"
    logging.basicConfig(
        level=logging.INFO,
        stream=sys.stdout,
        format=f"{prefix} %(levelname)s %(asctime)s [%(filename)s:%(lineno)d] %(message)s",
        datefmt="%m-%d %H:%M:%S",
    )
    try:
        settings = settings_.from_environment(os.environ)
        devices = cards.from_environment(dict(os.environ), flags.tensor_parallel_size)
        told = speeds.from_environment(os.environ)
    except ValueError as error:
        sys.exit(f"modelpool-fake-vllm: {error}")
    try:
        sys.exit(asyncio.run(_run(flags, settings, devices, told)))
    except memory.StartupError as error:
        _explain(error, prefix)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


def _explain(error: memory.StartupError, prefix: str) -> None:
    """Write what the real server writes: the cause in the engine's log, then its parent's line, which says nothing."""
    if not error.in_engine:
        sys.stderr.write(f"{prefix} Traceback (most recent call last):\n{error}\n")
        return
    inner = f"(EngineCore pid={os.getpid()})"
    for line in ("EngineCore failed to start.", *str(error).splitlines()):
        logging.getLogger(__package__).error("%s %s", inner, line)
    sys.stderr.write(f"{inner} {error}\n")
    sys.stderr.write(
        f"{prefix} RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {{}}\n"
    )


async def _run(
    flags: flags_.Flags, settings: settings_.Settings, devices: Sequence[cards.Card], told: speeds.Speeds
) -> int:
    """Load, serve, stop; return the exit status."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    log.info("vLLM API server version %s, model %s", VERSION, flags.model)
    loaded = await _load(stop, flags, settings, devices)
    if loaded is None:
        return 0
    # Engines that span several cards step on all of them together: the first card's time stands for all.
    timeslice = timeslices.Timeslice(devices[0].path) if devices else None
    built = server.build_state(flags, settings, loaded, timeslice=timeslice, told=told)
    loop.add_signal_handler(signal.SIGUSR1, built.engine.die)
    runner = web.AppRunner(
        server.build_app(built),
        access_log=None,
        handler_cancellation=True,
        keepalive_timeout=_KEEP_ALIVE_SECONDS,
        shutdown_timeout=1.0,
    )
    async with asyncio.TaskGroup() as tasks:
        core = tasks.create_task(built.engine.run(), name="engine")
        await runner.setup()
        await web.SockSite(runner, listening.bound(flags.host or "0.0.0.0", flags.port)).start()  # noqa: S104
        log.info("Starting vLLM API server on http://%s", _address(runner))
        log.info("Application startup complete.")
        waiter = tasks.create_task(stop.wait(), name="signal")
        await asyncio.wait([core, waiter], return_when=asyncio.FIRST_COMPLETED)
        dead = built.engine.dead.is_set()
        if dead:
            log.error("EngineCore died, shutting down")
            await asyncio.sleep(_DEATH_NOTICE_SECONDS)
        else:
            await _drain(built.engine, flags.shutdown_timeout)
        await runner.cleanup()
        core.cancel()
        waiter.cancel()
    return 1 if dead else 0


async def _load(
    stop: asyncio.Event, flags: flags_.Flags, settings: settings_.Settings, devices: Sequence[cards.Card]
) -> startup.Loaded | None:
    """Load the model; None when a signal comes first. Raises memory.StartupError."""

    async def attempt() -> startup.Loaded | memory.StartupError:
        try:
            return await startup.load(flags, settings, devices)
        except memory.StartupError as error:
            return error

    async with asyncio.TaskGroup() as tasks:
        work = tasks.create_task(attempt(), name="load")
        signalled = tasks.create_task(stop.wait(), name="signal")
        await asyncio.wait([work, signalled], return_when=asyncio.FIRST_COMPLETED)
        signalled.cancel()
        work.cancel()
    if work.cancelled():
        return None
    loaded = work.result()
    if isinstance(loaded, memory.StartupError):
        raise loaded
    return loaded


async def _drain(core: engine.Engine, seconds: float) -> None:
    """Let what is under way finish, then end the rest where it stands."""
    core.stop_admission()
    try:
        async with asyncio.timeout(seconds):
            await core.idle.wait()
    except TimeoutError:
        core.abort_all()


def _address(runner: web.AppRunner) -> str:
    host, port = runner.addresses[0][:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


if __name__ == "__main__":
    main()
