"""Runs the programs that install things. What fails is quoted: the command, and the end of what it said."""

import shlex
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

_QUOTED_LINES = 25


class CommandError(RuntimeError):
    """A command failed; the message quotes it and the end of its output."""


def run(
    command: Sequence[str | Path], *, told: str, cwd: Path | None = None, environ: Mapping[str, str] | None = None
) -> str:
    """Run to the end and return what was said. Says `told` and the seconds taken. Raises CommandError."""
    words = [str(word) for word in command]
    began = time.monotonic()
    sys.stdout.write(f"{told} ... ")
    sys.stdout.flush()
    done = subprocess.run(
        words, cwd=cwd, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode != 0:
        sys.stdout.write("failed\n")
        said = "\n".join(done.stdout.splitlines()[-_QUOTED_LINES:])
        raise CommandError(f"$ {shlex.join(words)}\n{said}\nexit status {done.returncode}")
    sys.stdout.write(f"{time.monotonic() - began:.0f} s\n")
    sys.stdout.flush()
    return done.stdout
