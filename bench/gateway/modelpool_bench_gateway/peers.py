"""Every gateway that is measured: how its program is had, configured and called. Starts none: `starting` does.

A peer gets one upstream, one model and one process, with the settings its own manual gives for production, an access
log where it has one, and limits out of the way. Its log goes to a file.
"""

import dataclasses
import json
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from . import built, installing
from .asking import MODEL

OURS: Final = "gateway"
"""As users run it: compiled, where this machine can."""
INTERPRETED: Final = "gateway, interpreted"
DIRECT: Final = "direct"
_STREAMS: Final = 100_000
"""Requests that may be in flight: a limit that is looked at and never reached."""


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

    @property
    def word(self) -> str:
        """What it is called on a command line."""
        return self.name.rpartition(" ")[2]


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


def _ours(place: Place, program: Sequence[str] = ("modelpool_sidecar",)) -> Command:
    """The gateway as it is measured: see `built`."""
    return dataclasses.replace(_interpreted(place, program), environ=built.measured().environ())


def _our_version() -> str:
    return f"{installing.our_version()} {built.measured().kind}"


def _interpreted(place: Place, program: Sequence[str] = ("modelpool_sidecar",)) -> Command:
    path = place.folder / "routes.json"
    path.write_text(json.dumps(routes(place.upstream)))
    listen = f"127.0.0.1:{place.port}"
    return Command(
        words=(sys.executable, "-m", *program, "--routes-file", str(path), "--listen", listen,
               "--drain-delay", "0", "--shutdown-timeout", "2")
    )  # fmt: skip


def _interpreted_version() -> str:
    if built.measured().kind == built.INTERPRETED:
        raise installing.UnavailableError("the gateway itself is interpreted here")
    return installing.our_version()


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


_BEYOND_LITELLM: Final = frozenset({"streams-1000", "steady", "paced", "fast", "fast-singly", "large-1", "large-256"})
"""It answers fewer requests than 200 a second, and fewer chunks than 10,000. Fast streams it relays on for minutes when
their callers have left, on the CPU that all others are measured on."""


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
    Peer(name=OURS, version=_our_version, command=_ours, translates=True),
    Peer(name=INTERPRETED, version=_interpreted_version, command=_interpreted, translates=True),
    Peer(name="nginx", version=installing.nginx_version, command=_nginx),
    Peer(name="vllm-router", version=lambda: installing.python_peer("vllm-router"), command=_vllm_router),
    Peer(
        name="litellm", version=lambda: installing.python_peer("litellm"), command=_litellm, leaves_out=_BEYOND_LITELLM
    ),
)


def slowed(percent: float) -> Peer:
    """The gateway under test, costing so much more than it does."""
    program = (f"{__package__}.slowed", f"{percent:g}")
    return Peer(name=OURS, version=_our_version, command=lambda place: _ours(place, program), translates=True)


def free_port() -> int:
    """A port of the loopback that nobody has."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
