"""Starts what is installed: vLLM, Ollama, and the gateway before them, each on a free port of the loopback.

None of it outlives the process that started it, however that ends.
"""

import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from modelpool_cluster.controlplane.supervise import die_with

from . import places, warden

_DEADLINE = 420.0
"""Seconds an engine may take to start. vLLM needs half a minute of a whole core; on a busy machine that is minutes."""
TINY_CACHE = 64 * 1024 * 1024
"""Bytes of vLLM's cache that the tiny models need."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """One running process and where it answers."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    @property
    def url(self) -> str:
        """Without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    def kill(self) -> None:
        """SIGKILL to the process and to those it started, and wait for its end."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def text_of(url: str) -> str:
    """What a GET answers with 200. Raises OSError, also for another status."""
    with urllib.request.urlopen(url, timeout=10) as response:  # noqa: S310 -- the loopback only
        found: bytes = response.read()
    return found.decode()


def until(what: str, holds: Callable[[], bool], deadline: float = _DEADLINE, log: Path | None = None) -> float:
    """Wait until it holds; the seconds that took. Raises TimeoutError with the end of the log."""
    began = time.monotonic()
    while not holds():
        if time.monotonic() - began > deadline:
            said = log.read_text(errors="replace")[-3000:] if log is not None else ""
            raise TimeoutError(f"{what}: not within {deadline:.0f} s\n{said}")
        time.sleep(0.02)
    return time.monotonic() - began


def _answers(program: Program, path: str) -> Callable[[], bool]:
    def holds() -> bool:
        if program.process.poll() is not None:
            said = program.log.read_text(errors="replace")[-3000:]
            raise RuntimeError(f"{program.process.args!r} ended with {program.process.returncode}\n{said}")
        try:
            text_of(program.url + path)
        except OSError:
            return False
        return True

    return holds


@contextmanager
def _running(command: Sequence[str | Path], log: Path, port: int, **environ: str) -> Iterator[Program]:
    with log.open("ab") as sink:
        process = subprocess.Popen(
            [str(word) for word in command],
            env={**os.environ, **environ},
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            start_new_session=True,
            preexec_fn=die_with(os.getpid()),
        )
    try:
        with warden.watching(process.pid):
            yield Program(process=process, port=port, log=log)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextmanager
def vllm(
    folder: Path,
    model: str,
    *flags: str,
    port: int | None = None,
    weights: Path | None = None,
    context: int = 2048,
    cache: int = TINY_CACHE,
) -> Iterator[Program]:
    """A vLLM that serves weights (a folder; absent: the tiny model) under this name, with a context of so many tokens
    and a cache of so many bytes; it may not be ready yet: see `ready`.
    """
    port = port or free_port()
    command: list[str | Path] = [places.vllm() / "bin" / "vllm", "serve", weights or places.models() / "chat"]
    command += ["--served-model-name", model, "--host", "127.0.0.1", "--port", str(port)]
    command += ["--dtype", "float32", "--max-model-len", str(context), "--max-num-seqs", "32", "--seed", "0"]
    command += ["--kv-cache-memory-bytes", str(cache), "--no-enable-prefix-caching", "--generation-config", "vllm"]
    command += ["--enforce-eager", "--distributed-executor-backend", "uni", *flags]
    environ = {
        "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
        "VLLM_CPU_OMP_THREADS_BIND": "nobind",
        "VLLM_NO_USAGE_STATS": "1",
        "TORCH_COMPILE_DISABLE": "1",
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
    }
    with _running(command, folder / f"vllm-{port}.log", port, **environ) as program:
        yield program


@contextmanager
def ollama(folder: Path, **settings: str) -> Iterator[Program]:
    """An Ollama with an empty store in this folder; it may not be ready yet. `settings` are its own variables."""
    port = free_port()
    environ = {
        "OLLAMA_HOST": f"127.0.0.1:{port}",
        "OLLAMA_MODELS": str(folder / "ollama-models"),
        "HOME": str(folder),
        "OLLAMA_NUM_PARALLEL": "16",
        "OLLAMA_CONTEXT_LENGTH": "2048",
        "OLLAMA_NOPRUNE": "1",
        "OLLAMA_NO_CLOUD": "1",
        **settings,
    }
    with _running([places.ollama_program(), "serve"], folder / f"ollama-{port}.log", port, **environ) as program:
        yield program


def create(ollama_url: str, name: str, weights: Path, **more: object) -> None:
    """Give Ollama a model through its API, from a GGUF file or from a folder of Hugging Face files; `more` is what a
    Modelfile says beside FROM: `parameters`, `template`. Raises OSError when it refuses.
    """
    among = [weights] if weights.is_file() else sorted(weights.rglob("*"))
    files = {}
    for file in among:
        if file.suffix in (".gguf", ".json", ".safetensors"):
            content = file.read_bytes()
            at = file.relative_to(weights if weights.is_dir() else weights.parent).as_posix()
            files[at] = f"sha256:{hashlib.sha256(content).hexdigest()}"
            _post(f"{ollama_url}/api/blobs/{files[at]}", content)
    told = {"model": name, "files": files, "stream": False, **more}
    _post(f"{ollama_url}/api/create", json.dumps(told).encode())


def copy(ollama_url: str, name: str, other: str) -> None:
    """Give a model of Ollama's a second name. Raises OSError when it refuses."""
    _post(f"{ollama_url}/api/copy", json.dumps({"source": name, "destination": other}).encode())


def _post(url: str, body: bytes) -> None:
    asked = urllib.request.Request(url, data=body, method="POST")  # noqa: S310 -- the loopback only
    try:
        with urllib.request.urlopen(asked, timeout=60) as response:  # noqa: S310
            response.read()
    except urllib.error.HTTPError as error:
        raise OSError(f"{url}: {error.code} {error.read().decode(errors='replace')}") from error


@contextmanager
def gateway(folder: Path, routes: object, *flags: str) -> Iterator[Program]:
    """The gateway, following a routes document."""
    path = folder / "routes.json"
    path.write_text(json.dumps(routes))
    port = free_port()
    command = [sys.executable, "-m", "modelpool_sidecar", "--routes-file", str(path), "--listen", f"127.0.0.1:{port}"]
    command += ["--drain-delay", "0", "--shutdown-timeout", "5", "--access-log", "false", *flags]
    with _running(command, folder / f"gateway-{port}.log", port) as program:
        yield program


def ready(program: Program, path: str) -> float:
    """Wait until a GET of the path answers 200; the seconds that took. Raises RuntimeError when the program ends."""
    return until(f"{program.url}{path}", _answers(program, path), log=program.log)
