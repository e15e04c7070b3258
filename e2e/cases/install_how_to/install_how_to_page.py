"""A page of the documentation as commands and what they are said to print. Pure, but for `Shell`.

Of the fenced blocks, `console` has commands behind `$ `, each followed by its output, and `sh` has commands alone. In
an output, `…` stands for anything within a line, and as a line of its own for any lines. Words may be apart by any
number of spaces, as a column is as wide as what is in it. A command without output may print anything.
"""

import contextlib
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

_FENCE: Final = re.compile(r"^```(?P<kind>console|sh)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_ANY: Final = "…"
_MARK: Final = "--- the command ended with"


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One command of a page."""

    line: int
    """Where it stands, from 1."""
    text: str
    output: tuple[str, ...] = ()
    """The lines that the page shows."""


class UnexpectedError(AssertionError):
    """A command failed, or printed something else than the page says."""


def commands(page: str) -> Iterator[Command]:
    """Yield the commands of a page, in order."""
    for block in _FENCE.finditer(page):
        first = page.count("\n", 0, block.start("text")) + 1
        prompt = "$ " if block["kind"] == "console" else ""
        line, text, output = 0, "", list[str]()
        for number, told in enumerate(block["text"].splitlines(), first):
            if text.endswith("\\"):
                text += f"\n{told}"
            elif told.startswith(prompt):
                if text:
                    yield Command(line=line, text=text, output=tuple(output))
                line, text, output = number, told.removeprefix(prompt), []
            elif text:
                output.append(told)
            else:
                raise UnexpectedError(f"line {number}: a console block begins with a command: {told}")
        if text:
            yield Command(line=line, text=text, output=tuple(output))


def matches(wanted: tuple[str, ...], printed: str) -> bool:
    """Return whether a command printed what the page says."""
    pattern = "".join(
        r"(?:[^\n]*\n)*" if line.strip() == _ANY else _line_pattern(line) + r"[ \t]*\n" for line in wanted
    )
    lines = "".join(f"{line.rstrip()}\n" for line in printed.strip().splitlines())
    return re.fullmatch(pattern, lines) is not None


def _line_pattern(line: str) -> str:
    words = [".*".join(re.escape(part) for part in word.split(_ANY)) for word in line.split()]
    return r"[ \t]*" + r"[ \t]+".join(words)


class Shell:
    """One bash that runs command after command, as a reader's does. A context manager: its end ends what it started."""

    def __init__(self, folder: Path, environment: Mapping[str, str], log: Path) -> None:
        self._log = log
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                ["bash", "--noprofile", "--norc"], cwd=folder, env=dict(environment), stdin=subprocess.PIPE,
                stdout=output, stderr=subprocess.STDOUT, text=True, start_new_session=True,
            )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)  # and what it left running
        self._process.wait()
        if self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()

    def run(self, command: Command, *, timeout: float) -> str:
        """Run a command and return what it printed. Raises UnexpectedError when it fails, or prints something else."""
        stdin = self._process.stdin
        if stdin is None:
            raise RuntimeError("the shell has no input")
        before = self._log.stat().st_size
        stdin.write(f'{command.text}\necho "{_MARK} $?"\n')
        stdin.flush()
        deadline = time.monotonic() + timeout
        while True:
            told = self._log.read_bytes()[before:].decode(errors="replace")
            printed, mark, status = told.partition(_MARK)
            if mark and status.endswith("\n"):
                break
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise UnexpectedError(f"line {command.line}: {command.text}\ndid not end; it printed:\n{told}")
            time.sleep(0.02)
        if status.strip() != "0":
            raise UnexpectedError(f"line {command.line}: {command.text}\nended with{status.rstrip()}:\n{printed}")
        if command.output and not matches(command.output, printed):
            said = "\n".join(command.output)
            raise UnexpectedError(f"line {command.line}: {command.text}\nprinted:\n{printed}\nnot:\n{said}")
        return printed
