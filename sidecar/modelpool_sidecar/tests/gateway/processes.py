"""Programs under test as processes: simulated engines and the gateway itself, each on a free port of the loopback."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

DEADLINE = 60.0
_FAST = {
    "FAKE_VLLM_LOAD_SECONDS": "0.05",
    "FAKE_VLLM_PROFILE_SECONDS": "0",
    "FAKE_VLLM_DECODE_TOKENS_PER_SECOND": "400",
    "FAKE_OLLAMA_LOAD_SECONDS": "0.05",
    "FAKE_OLLAMA_DECODE_TOKENS_PER_SECOND": "400",
}


@dataclass
class Program:
    """One running process and where it answers."""

    process: subprocess.Popen[str]
    url: str
    log: Path

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and wait; the exit status."""
        self.process.send_signal(number)
        return self.process.wait(DEADLINE)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def get(url: str) -> tuple[int, str]:
    """Status and body; (0, why) when nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
    except OSError as error:
        return 0, str(error)


def until_ok(url: str, want: str = "", *, log: Path | None = None) -> str:
    """Wait until a URL answers 200 with a text; the whole text."""
    ends = time.monotonic() + DEADLINE
    while True:
        status, text = get(url)
        if status == 200 and want in text:
            return text
        told = log.read_text()[-2000:] if log is not None else ""
        assert time.monotonic() < ends, f"{url}: {status} {text}\n{told}"
        time.sleep(0.05)


@contextmanager
def _program(folder: Path, name: str, arguments: list[str], **environment: str) -> Iterator[Program]:
    log = folder / f"{name}.log"
    with log.open("w") as sink:
        process = subprocess.Popen(
            [sys.executable, "-m", *arguments],
            env={**os.environ, **_FAST, **environment},
            stdout=subprocess.PIPE if name == "gateway" else sink,
            stderr=sink,
            text=True,
        )
    try:
        yield Program(process, "", log)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(DEADLINE)
        if process.stdout is not None:
            process.stdout.close()


@contextmanager
def vllm(folder: Path, model: str, *flags: str, weights: str = "org/weights", **environment: str) -> Iterator[Program]:
    """A simulated vLLM that serves one model and is healthy."""
    port = free_port()
    command = ["modelpool_simulators.vllm", "serve", weights, "--served-model-name", model]
    command += ["--host", "127.0.0.1", "--port", str(port), *flags]
    with _program(folder, f"vllm-{port}", command, **environment) as program:
        program.url = f"http://127.0.0.1:{port}"
        until_ok(program.url + "/health", log=program.log)
        yield program


@contextmanager
def ollama(folder: Path, *models: str, **environment: str) -> Iterator[Program]:
    """A simulated Ollama that holds some models."""
    port = free_port()
    told = {"OLLAMA_HOST": f"127.0.0.1:{port}", "FAKE_OLLAMA_PRELOADED": ",".join(models), **environment}
    with _program(folder, f"ollama-{port}", ["modelpool_simulators.ollama", "serve"], **told) as program:
        program.url = f"http://127.0.0.1:{port}"
        until_ok(program.url + "/api/tags", log=program.log)
        yield program


@contextmanager
def gateway(folder: Path, routes: object, *flags: str) -> Iterator[Program]:
    """The gateway, as its own program, once all its models are ready."""
    path = folder / "routes.json"
    path.write_text(json.dumps(routes))
    command = [
        "modelpool_sidecar",
        "--routes-file",
        str(path),
        "--listen",
        "127.0.0.1:0",
        "--drain-delay",
        "0.5",
        *flags,
    ]
    with _program(folder, "gateway", [*command, *flags]) as program:
        assert program.process.stdout is not None
        line = program.process.stdout.readline()
        assert line, program.log.read_text()
        program.url = "http://" + json.loads(line)["listening"][0]
        ends = time.monotonic() + DEADLINE
        while '"ready": false' in (view := get(program.url + "/modelpool/routes")[1]) or '"ready"' not in view:
            assert time.monotonic() < ends, view
            time.sleep(0.05)
        yield program
