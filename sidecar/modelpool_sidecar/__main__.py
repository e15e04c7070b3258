"""The gateway's program: settings, logging, signals, event loop."""

import asyncio
import gc
import json
import os
import signal
import sys
from collections.abc import Callable
from functools import partial
from typing import Final, TextIO

from . import allocator, app
from .settings import InvalidSettingError, LogFormat, Settings, read
from .stopping import Stop
from .telemetry import logs
from .telemetry.access_log import AccessLog
from .telemetry.log_writer import LogWriter

_LAST_WORDS_SECONDS: Final = 2.0
"""How long the end waits for somebody to read the log."""

_NEW_LOOP: Callable[[], asyncio.AbstractEventLoop]
try:
    import uvloop
except ImportError:  # not on every platform; the loop of the standard library serves as well
    _NEW_LOOP = asyncio.new_event_loop
else:
    _NEW_LOOP = uvloop.new_event_loop


def main() -> int:
    """Run until SIGTERM, SIGINT or SIGHUP; a second one hurries the end.

    0 after an orderly end, 2 for wrong settings, 1 when the ports cannot be had.
    """
    try:
        settings = read(sys.argv[1:], os.environ)
    except InvalidSettingError as error:
        sys.stderr.write(f"modelpool-sidecar: {error}\n")
        return 2
    as_json = settings.log_format is LogFormat.JSON
    log = LogWriter(
        _descriptor(sys.stderr), most_lines=settings.max_log_lines, lost_line=partial(logs.lost, json=as_json)
    )
    announcing = LogWriter(_descriptor(sys.stdout), most_lines=1, lost_line=lambda _: "")
    logs.set_up(json=as_json, level=settings.log_level, stream=log)
    access = AccessLog(log if settings.access_log else None, json=as_json)
    allocator.give_back()
    gc.collect()
    gc.freeze()  # what is here now stays: it need not be looked through again and again
    with asyncio.Runner(loop_factory=_NEW_LOOP) as runner:
        failed = runner.run(_serve(settings, access, log, announcing))
    for fault in failed:
        log.write(f"modelpool-sidecar: {fault}\n")
    log.close(_LAST_WORDS_SECONDS)
    return 1 if failed else 0


def _descriptor(stream: TextIO | None) -> int | None:
    """None where the program was started without: the number may be a connection's by now."""
    return None if stream is None else stream.fileno()


async def _serve(settings: Settings, access: AccessLog, log: LogWriter, announcing: LogWriter) -> tuple[Exception, ...]:
    """Run to the end; what the operating system refused, if that ended it early."""
    stop = Stop()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, stop.ask)
    failed: tuple[Exception, ...] = ()
    try:
        await app.serve(settings, access, stop, partial(_announce, announcing), log)
    except* OSError as group:
        failed = group.exceptions
    return failed


def _announce(to: LogWriter, running: app.Running) -> None:
    """One line on stdout for whoever started us: the real ports, also where 0 was asked for."""
    to.write(json.dumps({"listening": [str(one) for one in running.listening]}) + "\n")


if __name__ == "__main__":
    raise SystemExit(main())
