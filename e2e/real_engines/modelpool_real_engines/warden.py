"""Ends a program with all that it started when the one who started it goes away, in whatever manner.

`watching` runs this file as a program of its own, whose standard input is a pipe that the starter alone holds: the
kernel closes it when the starter is gone, and then the program's process group is killed. It imports nothing but the
standard library and is run without site-packages, to start in milliseconds.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def watching(group: int) -> Iterator[None]:
    """Have a process group killed should this process end within the block."""
    # In a session of its own: what is sent to the starter's terminal or group must not end it first.
    command = [sys.executable, "-I", "-S", __file__, str(group)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True) as process:
        try:
            yield
        finally:
            process.kill()


def main(group: int) -> None:
    """Wait until the starter has gone."""
    while os.read(0, 1):
        pass
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    main(int(sys.argv[1]))
