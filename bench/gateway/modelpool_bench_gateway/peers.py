"""Every gateway that is measured: how its program is had, started, and asked.

A peer gets one upstream, one model and one process, with the settings its own manual gives for production, an access
log where it has one, and limits out of the way. Its log goes to a file.
"""

import json
import resource
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from . import installing
from .load import MODEL, on_cpu

OURS: Final = "gateway"
DIRECT: Final = "direct"
_STARTS_WITHIN: Final = 120.0
_ENDS_WITHIN: Final = 20.0
_STREAMS: Final = 100_000
"""Requests that may be in flight: a limit that is looked at and never reached."""


class PeerFailedError(RuntimeError):
    """A peer did not start; the message ends with its log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What a peer is started with."""

    folder: Path
    """For its configuration and its log."""
    port: int
    """To listen on."""
    upstream: str
    """URL of the simulated vLLM."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """How a peer runs."""

    words: tuple[str, ...]
    environ: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """One gateway."""

    name: str
    version: Callable[[], str]
    """Installs it if need be. Raises installing.UnavailableError with the reason."""
    command: Callable[[Place], Command]
    """Writes its configuration, too."""
    translates: bool = False
    """Whether it offers Ollama's API before a vLLM."""
    leaves_out: frozenset[str] = frozenset()
    """Tasks that are beyond it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A peer that answers."""

    name: str
    address: str
    """host:port."""
    pids: tuple[int, ...] = ()
    translates: bool = False
    leaves_out: frozenset[str] = frozenset()


def routes(upstream: str) -> dict[str, object]:
    """The routes document of the gateway under test: a vLLM, and an Ollama behind it to fall back to."""
    backend = {"url": upstream, "model": MODEL, "maxConcurrency": _STREAMS}
    model = {
        "name": MODEL,
        "capabilities": ["completion"],
        "contextLength": 32768,
        "backends": [{"engine": "vllm", **backend}, {"engine": "ollama", **backend}],
    }
    pool = {"namespace": "bench", "name": "bench", "created": "2026-11-22T10:00:00Z", "generation": 1}
    return {"version": 1, "pool": pool, "queue": {"maxPending": 4096, "timeoutSeconds": 60}, "models": [model]}


def _ours(place: Place) -> Command:
    path = place.folder / "routes.json"
    path.write_text(json.dumps(routes(place.upstream)))
    listen = f"127.0.0.1:{place.port}"
    return Command(
        words=(sys.executable, "-m", "modelpool_sidecar", "--routes-file", str(path), "--listen", listen,
               "--drain-delay", "0", "--shutdown-timeout", "2")
    )  # fmt: skip


_NGINX: Final = """
worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections 16384; }}
http {{
  access_log {folder}/access.log combined;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  client_max_body_size 64m; client_body_buffer_size 256k;
  keepalive_requests 1000000; keepalive_timeout 75s;
  upstream engine {{ server {upstream}; keepalive 1024; keepalive_requests 1000000; }}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{
      proxy_pass http://engine;
      proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host;
      proxy_set_header X-Request-Id $request_id;
      proxy_buffering off; proxy_read_timeout 900s;
    }}
  }}
}}
"""


def _nginx(place: Place) -> Command:
    path = place.folder / "nginx.conf"
    path.write_text(
        _NGINX.format(folder=place.folder, port=place.port, upstream=place.upstream.removeprefix("http://"))
    )
    return Command(words=(installing.nginx_program(), "-p", str(place.folder), "-c", str(path)))


def _vllm_router(place: Place) -> Command:
    program = installing.venv("vllm-router") / "bin" / "vllm-router"
    return Command(
        words=(str(program), "--host", "127.0.0.1", "--port", str(place.port), "--worker-urls", place.upstream,
               "--policy", "round_robin", "--max-concurrent-requests", str(_STREAMS),
               "--prometheus-port", str(free_port()), "--prometheus-host", "127.0.0.1")
    )  # fmt: skip


_LITELLM: Final = """
model_list:
  - model_name: {model}
    litellm_params: {{model: hosted_vllm/{model}, api_base: {upstream}/v1, api_key: none}}
litellm_settings: {{telemetry: false, num_retries: 0, request_timeout: 900}}
"""


_BEYOND_LITELLM: Final = frozenset({"streams-1000", "steady", "paced", "large-1", "large-256"})
"""It answers fewer requests than 200 a second, and fewer chunks than 10,000."""


def _litellm(place: Place) -> Command:
    path = place.folder / "litellm.yaml"
    path.write_text(_LITELLM.format(model=MODEL, upstream=place.upstream))
    program = installing.venv("litellm") / "bin" / "litellm"
    words = (
        str(program),
        "--config",
        str(path),
        "--host",
        "127.0.0.1",
        "--port",
        str(place.port),
        "--num_workers",
        "1",
    )
    offline = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR", "LITELLM_TELEMETRY": "False"}
    return Command(words=words, environ=offline)


ALL: Final = (
    Peer(name=OURS, version=installing.our_version, command=_ours, translates=True),
    Peer(name="nginx", version=installing.nginx_version, command=_nginx),
    Peer(name="vllm-router", version=lambda: installing.python_peer("vllm-router"), command=_vllm_router),
    Peer(
        name="litellm", version=lambda: installing.python_peer("litellm"), command=_litellm, leaves_out=_BEYOND_LITELLM
    ),
)


def free_port() -> int:
    """A port of the loopback that nobody has."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running(peer: Peer, folder: Path, upstream: str, cpu: int | None, environ: Mapping[str, str]) -> Iterator[Target]:
    """Run a peer until it answers a request, and to the end of the block. Raises PeerFailedError."""
    place = Place(folder=folder / peer.name, port=free_port(), upstream=upstream)
    place.folder.mkdir(parents=True)
    command = peer.command(place)
    log = place.folder / "log"
    with log.open("wb") as sink:
        process = subprocess.Popen(
            [*on_cpu(cpu), *command.words],
            env={**environ, **command.environ},
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            cwd=place.folder,
            preexec_fn=_more_files,
        )
    try:
        _wait(peer.name, place.port, process, log)
        yield Target(
            name=peer.name,
            address=f"127.0.0.1:{place.port}",
            pids=tuple(family(process.pid)),
            translates=peer.translates,
            leaves_out=peer.leaves_out,
        )
    finally:
        process.terminate()
        try:
            process.wait(_ENDS_WITHIN)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _more_files() -> None:
    """A stream is two descriptors to a gateway; service managers and containers give them more than a shell does."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _wait(name: str, port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    body = json.dumps({"model": MODEL, "messages": [{"role": "user", "content": "Are you there?"}]}).encode()
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/v1/chat/completions", body, {"Content-Type": "application/json"}
    )
    ends = time.monotonic() + _STARTS_WITHIN
    while True:
        try:
            with urllib.request.urlopen(request, timeout=5):
                return
        except urllib.error.HTTPError as error:
            with error:
                seen = f"{error.code} {error.read(300)!r}"
        except OSError as error:
            seen = str(error)
        if process.poll() is not None or time.monotonic() > ends:
            raise PeerFailedError(f"{name} does not answer: {seen}\n{log.read_text(errors='replace')[-2000:]}")
        time.sleep(0.1)


def family(root: int) -> list[int]:
    """A process and all that came of it."""
    parents: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents.setdefault(int(fields[1]), []).append(int(path.parent.name))
    found = [root]
    for pid in found:
        found.extend(parents.get(pid, ()))
    return found
