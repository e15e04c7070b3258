"""Start an engine when nobody else is starting one on its cards, and stay beside it until it ends.

    start_engine.py --lock PATH [--lock PATH …] --name MODEL --health URL -- command…

Two engines that measure a card's free memory at the same time break each other. So an engine takes a lock for every
card it uses before it starts, and gives them up when it answers its health check or dies. The locks are files on a
volume that the engines share: the kernel releases a lock when its holder dies, however it dies, so that no crash,
restart or reboot leaves one behind. Locks are taken in the order of their paths, which rules out deadlock.

The engine inherits no lock, gets SIGTERM and SIGINT passed on, and its exit code becomes this program's: 128 + N when
signal N ended it, 75 when a lock file cannot be used, 127 when there is no such command. Standard library only, Python
3.9 or newer: this runs in the engine's image.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import fcntl
import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

POLL_SECONDS = 0.5
HEALTH_TIMEOUT_SECONDS = 5
LOCK_UNUSABLE = 75
COMMAND_NOT_FOUND = 127
PR_SET_PDEATHSIG = 1


class Stopped(Exception):  # noqa: N818 (an event, not an error)
    """A signal came before there was an engine to pass it on to."""

    def __init__(self, number: int) -> None:
        self.number = number


class LockUnusable(Exception):  # noqa: N818
    """The lock file cannot be made, opened or locked. The text names it and says why."""


def say(text: str) -> None:
    """Log a line that a status may quote."""
    print(f"start_engine: {text}", file=sys.stderr, flush=True)  # noqa: T201


def card_of(path: str) -> str:
    """Return `card 0` for `…card-0.lock`, else the file's name."""
    match = re.search(r"card-(\d+)\.lock$", path)
    return f"card {match.group(1)}" if match else Path(path).name


class CardLock:
    """The lock of one card. The file holds the name of who has it, for whoever waits, while the volume has room."""

    def __init__(self, path: str, name: str) -> None:
        self.path, self.name = Path(path), name
        self.descriptor: int | None = None

    def take(self, poll: float) -> None:
        """Wait until the card is free. Says once behind whom it waits, and again when that changes."""
        behind = None
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            while not self._try():
                holder = self._holder()
                if holder != behind:
                    say(f"Waiting for {card_of(str(self.path))} (behind {holder})")
                    behind = holder
                time.sleep(poll)
        except OSError as error:
            raise LockUnusable(f"{self.path}: {error.strerror}") from error

    def release(self) -> None:
        """Give the card up. Does nothing when it is not held."""
        if self.descriptor is not None:
            os.ftruncate(self.descriptor, 0)
            os.close(self.descriptor)
            self.descriptor = None

    def _try(self) -> bool:
        """Return whether the lock was free. A file that somebody deleted meanwhile is no lock: look again."""
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(descriptor).st_ino != self.path.stat().st_ino:
                raise BlockingIOError
            os.ftruncate(descriptor, 0)
            with contextlib.suppress(OSError):  # on a full volume there is a lock and no name, which is enough to start
                os.write(descriptor, self.name.encode())
        except (BlockingIOError, FileNotFoundError):
            os.close(descriptor)
            return False
        except BaseException:
            os.close(descriptor)
            raise
        self.descriptor = descriptor
        return True

    def _holder(self) -> str:
        try:
            return self.path.read_text(encoding="utf-8", errors="replace").strip() or "another engine"
        except FileNotFoundError:
            return "another engine"


class Engine:
    """The child process, and the signals meant for it."""

    def __init__(self, command: list[str]) -> None:
        self.command = command
        self.starting = False
        self.pending: int | None = None
        self.child: subprocess.Popen[bytes] | None = None
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)

    def start(self) -> subprocess.Popen[bytes]:
        """Start the child. A signal that comes at this very moment is passed on as soon as there is a child."""
        self.starting = True
        self.child = subprocess.Popen(self.command, preexec_fn=die_with_parent)
        if self.pending is not None:
            self.child.send_signal(self.pending)
        return self.child

    def _on_signal(self, number: int, _frame: Any) -> None:
        if self.child is not None:
            self.child.send_signal(number)
        elif self.starting:
            self.pending = number
        else:
            raise Stopped(number)


def die_with_parent() -> None:
    """Ask Linux to end the engine when this program is killed: an engine without its keeper would hold the card."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)


def listening_here(command: list[str]) -> list[str]:
    """Return the command, with IPv4's address for `--host ::`, that of both families, where there is no IPv6."""
    if socket.has_dualstack_ipv6():
        return command
    told = ["--host", "::"]
    return ["0.0.0.0" if command[at - 1 : at + 1] == told else word for at, word in enumerate(command)]  # noqa: S104


def answers(url: str) -> bool:
    """Return whether the health check says yes. Proxies of the environment are not asked: the engine is next door."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=HEALTH_TIMEOUT_SECONDS) as response:
            return bool(response.status == 200)
    except (OSError, http.client.HTTPException):
        return False


def keep(child: subprocess.Popen[bytes], locks: list[CardLock], health: str, poll: float) -> int:
    """Release the locks when the engine answers, then wait for its end. Return its exit code as a shell would."""
    held = True
    while held:
        try:
            child.wait(timeout=poll)
            break
        except subprocess.TimeoutExpired:
            if answers(health):
                for lock in locks:
                    lock.release()
                held = False
                say("Ready")
    code = child.wait()
    return code if code >= 0 else 128 - code


def parse(arguments: list[str]) -> argparse.Namespace:
    """Return the options and the engine's command."""
    parser = argparse.ArgumentParser(description="Start an engine when its cards are free.")
    parser.add_argument("--lock", action="append", default=[], metavar="PATH", help="lock file of a card; repeatable")
    parser.add_argument("--name", required=True, help="the model, shown to those who wait")
    parser.add_argument("--health", required=True, metavar="URL", help="answers 200 when the engine is up")
    parser.add_argument("--poll", type=float, default=POLL_SECONDS, metavar="SECONDS", help="between two looks")
    parser.add_argument("command", nargs=argparse.REMAINDER, help="-- and the engine's command")
    options = parser.parse_args(arguments)
    options.command = options.command[1:] if options.command[:1] == ["--"] else options.command
    if not options.command:
        parser.error("a command is required after --")
    return options


def main(arguments: list[str]) -> int:
    """Take the locks, start the engine, keep it company."""
    options = parse(arguments)
    engine = Engine(listening_here(options.command))
    locks = [CardLock(path, options.name) for path in sorted(set(options.lock))]
    try:
        for lock in locks:
            lock.take(options.poll)
        say(f"Starting {options.name}")
        return keep(engine.start(), locks, options.health, options.poll)
    except Stopped as stop:
        return 128 + stop.number
    except LockUnusable as error:
        say(f"Could not lock {error}; the volume must support file locks")
        return LOCK_UNUSABLE
    except FileNotFoundError as error:
        say(f"Could not start {options.name}: {error}")
        return COMMAND_NOT_FOUND
    finally:
        for lock in locks:
            lock.release()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
