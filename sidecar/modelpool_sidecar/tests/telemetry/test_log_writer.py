"""A log that nobody reads: it loses lines, and never holds anybody up."""

import contextlib
import fcntl
import os
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from modelpool_sidecar.telemetry.log_writer import LogWriter

DEADLINE = 20.0


def until(condition: Callable[[], object], *, seen: Callable[[], object]) -> None:
    ends = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < ends, seen()
        time.sleep(0.002)


def told(count: int) -> str:
    return f"lost {count}\n"


class Pipe:
    """A pipe with next to no room, read when a test wants it."""

    def __init__(self) -> None:
        self.reader, self.writer = os.pipe()
        fcntl.fcntl(self.writer, fcntl.F_SETPIPE_SZ, 4096)

    def text(self) -> str:
        """What is in it now."""
        os.set_blocking(self.reader, False)
        parts = []
        with contextlib.suppress(BlockingIOError):
            while part := os.read(self.reader, 65536):
                parts.append(part)
        return b"".join(parts).decode()

    def close(self) -> None:
        for one in (self.reader, self.writer):
            with contextlib.suppress(OSError):
                os.close(one)


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    made = Pipe()
    yield made
    made.close()


def end(log: LogWriter, pipe: Pipe) -> str:
    """Everything that the log has left to say."""
    parts: list[str] = []
    closing = threading.Thread(target=log.close, args=(DEADLINE,))
    closing.start()
    while closing.is_alive():
        parts.append(pipe.text())
        time.sleep(0.001)
    closing.join()
    return "".join(parts) + pipe.text()


def test_lines_arrive_in_order(pipe: Pipe) -> None:
    log = LogWriter(pipe.writer, most_lines=100, lost_line=told)
    lines = [f"line {number}\n" for number in range(50)]
    for line in lines:
        log.write(line)
    assert end(log, pipe) == "".join(lines)
    assert log.lost == 0


def test_a_full_pipe_costs_lines_and_no_time(pipe: Pipe) -> None:
    log = LogWriter(pipe.writer, most_lines=100, lost_line=told)
    reached: list[int] = []
    log.when_lost = lambda: reached.append(1)
    began = time.monotonic()
    for number in range(5000):
        log.write(f"line {number:04} {'x' * 90}\n")
    assert time.monotonic() - began < DEADLINE / 4
    assert log.lost == len(reached) > 4000
    all_lines = end(log, pipe).splitlines()
    lines = [line for line in all_lines if line.startswith("line")]
    lost = [int(line.split()[1]) for line in all_lines if line.startswith("lost")]
    assert len(lines) + sum(lost) == 5000
    assert len(lines) + len(lost) == len(all_lines)
    assert lost


def test_a_batch_larger_than_the_bound_is_written_when_there_is_room(pipe: Pipe) -> None:
    log = LogWriter(pipe.writer, most_lines=2, lost_line=told)
    log.write("a\nb\nc\nd\n")
    assert end(log, pipe) == "a\nb\nc\nd\n"


def test_long_lines_count_for_more(pipe: Pipe) -> None:
    log = LogWriter(pipe.writer, most_lines=100, lost_line=told)
    for _ in range(50):
        log.write("x" * 10_000 + "\n")
    assert log.lost >= 38
    end(log, pipe)


def test_a_closed_pipe_ends_nothing(pipe: Pipe) -> None:
    os.close(pipe.reader)
    log = LogWriter(pipe.writer, most_lines=100, lost_line=told)
    log.write("a\nb\n")
    until(lambda: log.lost == 2, seen=lambda: log.lost)
    log.write("c\n")
    until(lambda: log.lost == 3, seen=lambda: log.lost)
    log.close(DEADLINE)
    assert not log._worker.is_alive()


def test_a_full_disk_ends_nothing() -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    try:
        log = LogWriter(full, most_lines=100, lost_line=told)
        log.write("a\n")
        until(lambda: log.lost == 1, seen=lambda: log.lost)
        log.close(DEADLINE)
        assert not log._worker.is_alive()
    finally:
        os.close(full)


def test_the_end_does_not_wait_for_a_reader(pipe: Pipe) -> None:
    log = LogWriter(pipe.writer, most_lines=10_000, lost_line=told)
    log.write("x" * 100_000 + "\n")
    began = time.monotonic()
    log.close(0.1)
    assert time.monotonic() - began < DEADLINE / 4
    assert log.write("too late\n") == len("too late\n")
    assert log.lost == 1
    until(lambda: (pipe.text(), not log._worker.is_alive())[1], seen=lambda: "still writing")


def test_a_stream_that_somebody_made_non_blocking(pipe: Pipe) -> None:
    os.set_blocking(pipe.writer, False)
    log = LogWriter(pipe.writer, most_lines=10_000, lost_line=told)
    log.write("x" * 50_000 + "\n")
    assert end(log, pipe) == "x" * 50_000 + "\n"


def test_what_is_no_unicode_is_written_out(pipe: Pipe) -> None:
    log = LogWriter(pipe.writer, most_lines=10, lost_line=told)
    log.write("a\udcffb\n")
    assert end(log, pipe) == "a\\udcffb\n"


def test_a_program_without_stderr_has_no_log() -> None:
    log = LogWriter(None, most_lines=10, lost_line=told)
    assert log.write("a\n") == 2
    log.close(0)
