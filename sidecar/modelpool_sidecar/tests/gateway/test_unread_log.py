"""The program while nobody reads what it says, and what callers can do to its log."""

import fcntl
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from .processes import DEADLINE, free_port, get, until_ok
from .scenes import CHAT, backend, document, scene
from .scripted import engine
from .test_limits import answers, message, raw


@contextmanager
def gateway(folder: Path, *flags: str, stdout: int, stderr: int) -> Iterator[tuple["subprocess.Popen[bytes]", str]]:
    """The program, and where it answers."""
    url = f"http://127.0.0.1:{free_port()}"
    routes = folder / "routes.json"
    routes.write_text(json.dumps([]))
    command = [sys.executable, "-m", "modelpool_sidecar", "--routes-file", str(routes), "--drain-delay", "0"]
    command += ["--listen", url.removeprefix("http://"), *flags]
    process = subprocess.Popen(command, stdout=stdout, stderr=stderr)
    try:
        until_ok(f"{url}/readyz")
        yield process, url
    finally:
        process.kill()
        process.wait(DEADLINE)


def small_pipe() -> tuple[int, int]:
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    return reader, writer


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_a_log_that_nobody_reads_stops_nothing(tmp_path: Path, log_format: str) -> None:
    reader, writer = small_pipe()
    flags = ("--max-log-lines", "20", "--log-format", log_format)
    try:
        with gateway(tmp_path, *flags, stdout=subprocess.DEVNULL, stderr=writer) as (process, url):
            os.close(writer)
            limit = 'modelpool_gateway_limits_reached_total{limit="log_lines"}'
            ends = time.monotonic() + 2 * DEADLINE
            asked = 0
            while f"{limit} 0.0" in (told := get(url + "/metrics")[1]):
                assert time.monotonic() < ends, told
                for _ in range(20):
                    asked += 1
                    assert get(f"{url}/nothing/{'x' * 500}")[0] == 404
            parts: list[bytes] = []
            reading = threading.Thread(target=lambda: parts.extend(iter(lambda: os.read(reader, 65536), b"")))
            reading.start()
            while not any(b"lines of the log" in part for part in parts):
                assert time.monotonic() < ends, parts[-1:]
                time.sleep(0.01)
            process.terminate()
            assert process.wait(DEADLINE) == 0
            reading.join()
    finally:
        os.close(reader)
    lines = b"".join(parts).decode().splitlines()
    lost = [line for line in lines if "lines of the log" in line]
    assert lost, lines[-3:]
    words = [json.loads(line)["message"] if log_format == "json" else line.removeprefix("WARNING ") for line in lost]
    told_of = sum(int(one.split()[1]) for one in words)
    assert len([line for line in lines if "/nothing/" in line]) + told_of == asked


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_stream_that_was_closed_stops_nothing(tmp_path: Path, stream: str) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    streams = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, stream: writer}
    try:
        with gateway(tmp_path, **streams) as (process, url):
            assert get(f"{url}/nothing")[0] == 404
            process.terminate()
            assert process.wait(DEADLINE) == 0
    finally:
        os.close(writer)


def test_a_full_stdout_stops_nothing(tmp_path: Path) -> None:
    reader, writer = small_pipe()
    os.write(writer, b"x" * 4096)
    try:
        with gateway(tmp_path, stdout=writer, stderr=subprocess.DEVNULL) as (process, url):
            assert get(f"{url}/nothing")[0] == 404
            process.terminate()
            assert process.wait(DEADLINE) == 0
    finally:
        os.close(writer)
        os.close(reader)


@pytest.mark.parametrize(
    "line", ["User-Agent: \xff\xfe", "X-Source: \xff", "X-Request-Id: \xff", "User-Agent: \x9b2J", "X-Source: \x1b[2J"]
)
async def test_a_callers_bytes_cost_nobody_elses_line(tmp_path: Path, line: str) -> None:
    async with engine(answers) as vllm, scene(tmp_path, document(backend("vllm", vllm.url))) as gate:
        await gate.until_ready(True)
        ugly = message("/v1/chat/completions", json.dumps(CHAT).encode(), "Connection: close", "@")
        await raw(gate, ugly.replace(b"@", line.encode("latin-1")))
        async with gate.post("/v1/chat/completions", CHAT) as response:
            assert response.status == 200
        await gate.until_idle()
        statuses = [record.status for record in gate.log.lines]
        assert statuses[-1] == 200
        assert len(statuses) == 2 or (line.endswith("2J") and len(statuses) == 1)


async def test_a_path_forges_no_line(tmp_path: Path) -> None:
    async with engine(answers) as vllm, scene(tmp_path, document(backend("vllm", vllm.url))) as gate:
        await raw(gate, b"GET /a%0AGET%20/b%E2%80%A8%1B[2J%FF HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        await raw(gate, b"GET /" + b"x" * 5000 + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        first, second = gate.log.lines
        assert first.path.startswith("/a\nGET /b\u2028\x1b[2J")
        assert len(second.path) < 1100
