"""The gateway's settings: one frozen value, from command line over environment over default.

Read once in `__main__` and passed down; nothing else looks at the environment. An error names the variable, the value
it has and what was expected.
"""

import argparse
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, NamedTuple

from .dialects.calls import ADMIN

PREFIX: Final = "MODELPOOL_GATEWAY_"
ADMIN_CALLS: Final = frozenset(name for name, _ in ADMIN.values())


class InvalidSettingError(ValueError):
    """A setting has a value it must not have; the message is for the person who set it."""


class LogFormat(StrEnum):
    """JSON lines for a cluster, text for a desk."""

    JSON = "json"
    TEXT = "text"


class Listen(NamedTuple):
    """Where to accept connections; port 0 picks a free one."""

    host: str
    port: int

    def __str__(self) -> str:
        """As it is told, and as a URL has it."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


EVERYWHERE: Final = "::"
"""All addresses of a machine, of IPv4 and IPv6."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that can be set."""

    routes_file: Path | None = None
    """Local mode: the routes document. None: follow the cluster."""
    engine_key_file: Path | None = None
    """The file with the release key, of which each pool's key is made. None: engines that ask for one refuse us."""
    namespaces: tuple[str, ...] = ()
    """Cluster mode: where to look for routes; empty means all namespaces."""
    kubeconfig: Path | None = None
    """Cluster mode from outside; None means the pod's service account, else what kubectl would use."""
    api_server: tuple[str, str] | None = None
    """Host and port of the API server, as every container of a cluster is told; None outside."""
    default_kubeconfigs: tuple[Path, ...] = ()
    """What kubectl would use: the files of $KUBECONFIG, else ~/.kube/config."""
    listen: tuple[Listen, ...] = (Listen(EVERYWHERE, 8100), Listen(EVERYWHERE, 11434))
    """8100 is the gateway's own port, 11434 the one that Ollama's clients try first."""
    open_admin: frozenset[str] = frozenset()
    """Administrative calls that are let through; closed by default, because callers share the engines."""
    origins: tuple[str, ...] = ()
    """Origins of browsers that may ask, beside this machine's: Ollama's OLLAMA_ORIGINS. `*` allows all."""
    log_format: LogFormat = LogFormat.JSON
    log_level: str = "info"
    access_log: bool = True
    """One line per request on stderr."""
    max_body_bytes: int = 64 * 1024 * 1024
    """Largest request; images travel in the body, and vLLM itself stops at 32 MiB."""
    max_connections: int = 4096
    """Callers' connections at once. Never more than the process' descriptors allow beside the engines' connections."""
    head_timeout: float = 30.0
    """Seconds for a request's line and headers."""
    body_timeout: float = 300.0
    """Seconds for the whole body of a request, however much of it comes in each second."""
    min_body_rate: int = 1000
    """Bytes that a body must bring in each second on average, once ten seconds are over."""
    max_bodies_bytes: int = 128 * 1024 * 1024
    """Bytes of all bodies together that are being read or are held for their answer; beyond it callers get 503."""
    max_body_values: int = 1_000_000
    """Values, keys and elements that the JSON of one body may hold."""
    write_timeout: float = 60.0
    """Seconds that a caller may read nothing while something is waiting for it."""
    max_engine_line_bytes: int = 8 * 1024 * 1024
    """Longest line or event of an engine's stream that is looked into."""
    max_engine_answer_bytes: int = 64 * 1024 * 1024
    """Largest answer of an engine that must be gathered before it can be passed on."""
    max_log_lines: int = 10_000
    """Log lines that wait for somebody who reads them; further ones are lost and counted."""
    connect_timeout: float = 2.0
    """Seconds to reach an engine. A healthy one accepts in milliseconds; a lost node must not hold callers for long."""
    read_timeout: float = 900.0
    """Seconds of silence from an engine. Generous: a prompt may queue inside the engine, a model may load."""
    drain_delay: float = 5.0
    """Seconds between failing readiness and closing the ports, so that load balancers look elsewhere first."""
    shutdown_timeout: float = 300.0
    """Seconds that running answers may take to end after that; the pod's grace period must exceed the sum."""


def _listen(text: str) -> Listen:
    host, colon, port = text.strip().rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65535:
        raise ValueError
    return Listen(host.strip("[]") or EVERYWHERE, int(port))


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 <= value < 1e9:
        raise ValueError
    return value


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise ValueError
    return value


def _flag(text: str) -> bool:
    return {"true": True, "1": True, "on": True, "false": False, "0": False, "off": False}[text.lower()]


def _one_of(*allowed: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in allowed:
            raise ValueError
        return text

    return parse


_LEVELS: Final = ("debug", "info", "warning", "error")


class Option(NamedTuple):
    """How one field is set. `many`: repeated on the command line, separated by commas in the environment."""

    field: str
    flag: str
    parse: Callable[[str], Any]
    expects: str
    help: str
    many: Callable[[Sequence[Any]], Any] | None = None

    @property
    def variable(self) -> str:
        """The environment variable."""
        return PREFIX + self.field.upper()


OPTIONS: Final = (
    Option("routes_file", "--routes-file", Path, "a path", "serve the routes of this file instead of a cluster's"),
    Option("engine_key_file", "--engine-key-file", Path, "a path", "the release key, of which engines' keys are made"),
    Option("namespaces", "--namespace", str, "a namespace", "follow routes here only (default: everywhere)", tuple),
    Option("kubeconfig", "--kubeconfig", Path, "a path", "reach the cluster with this kubeconfig"),
    Option("listen", "--listen", _listen, "HOST:PORT", "accept here (default: [::]:8100, [::]:11434)", tuple),
    Option(
        "open_admin",
        "--open-admin",
        _one_of(*sorted(ADMIN_CALLS)),
        f"one of {', '.join(sorted(ADMIN_CALLS))}",
        "let this administrative call of an engine through",
        frozenset,
    ),
    Option("origins", "--origin", str, "an origin", "let browsers of this origin ask, * for any part", tuple),
    Option("log_format", "--log-format", LogFormat, "json or text", "how log lines look"),
    Option("log_level", "--log-level", _one_of(*_LEVELS), f"one of {', '.join(_LEVELS)}", "the least that is logged"),
    Option("access_log", "--access-log", _flag, "true or false", "one line per request"),
    Option("max_body_bytes", "--max-body-bytes", _positive, "a number of bytes", "the largest request"),
    Option("max_connections", "--max-connections", _positive, "a number", "callers' connections at once"),
    Option("head_timeout", "--head-timeout", _seconds, "seconds", "how long a request's head may take"),
    Option("body_timeout", "--body-timeout", _seconds, "seconds", "how long a request's whole body may take"),
    Option("min_body_rate", "--min-body-rate", _positive, "bytes a second", "what a body must bring on average"),
    Option("max_bodies_bytes", "--max-bodies-bytes", _positive, "a number of bytes", "all requests' bodies together"),
    Option("max_body_values", "--max-body-values", _positive, "a number", "what the JSON of one body may hold"),
    Option("write_timeout", "--write-timeout", _seconds, "seconds", "how long a caller may read nothing"),
    Option(
        "max_engine_line_bytes", "--max-engine-line-bytes", _positive, "a number of bytes", "an engine's longest line"
    ),
    Option(
        "max_engine_answer_bytes",
        "--max-engine-answer-bytes",
        _positive,
        "a number of bytes",
        "an engine's largest answer that is gathered",
    ),
    Option("max_log_lines", "--max-log-lines", _positive, "a number", "log lines that wait to be read"),
    Option("connect_timeout", "--connect-timeout", _seconds, "seconds", "how long reaching an engine may take"),
    Option("read_timeout", "--read-timeout", _seconds, "seconds", "how long an engine may be silent"),
    Option("drain_delay", "--drain-delay", _seconds, "seconds", "how long to serve on after SIGTERM, not ready"),
    Option("shutdown_timeout", "--shutdown-timeout", _seconds, "seconds", "how long answers may take to end then"),
)


def read(argv: Sequence[str], environ: Mapping[str, str]) -> Settings:
    """Settings from both. Raises InvalidSettingError, or SystemExit as argparse does for --help and unknown flags."""
    parser = argparse.ArgumentParser(
        prog="modelpool-sidecar", description="Route requests by model name to vLLM and Ollama.", allow_abbrev=False
    )
    for option in OPTIONS:
        parser.add_argument(
            option.flag,
            dest=option.field,
            action="append" if option.many else "store",
            metavar=option.expects.split(" ")[-1].upper(),
            help=f"{option.help} [{option.variable}]",
        )
    given = vars(parser.parse_args(argv))
    values: dict[str, Any] = {}
    for option in OPTIONS:
        if (value := given[option.field]) is not None:
            values[option.field] = _parsed(option, value if option.many else [value], option.flag)
        elif (text := environ.get(option.variable, "")) != "":
            parts = [part.strip() for part in text.split(",")] if option.many else [text]
            values[option.field] = _parsed(option, parts, option.variable)
    settings = Settings(**values, api_server=_api_server(environ), default_kubeconfigs=_kubeconfigs(environ))
    if settings.routes_file is not None and (settings.namespaces or settings.kubeconfig is not None):
        raise InvalidSettingError("--routes-file must not be combined with --namespace or --kubeconfig")
    return settings


def _api_server(environ: Mapping[str, str]) -> tuple[str, str] | None:
    host, port = (environ.get(f"KUBERNETES_SERVICE_{word}", "") for word in ("HOST", "PORT"))
    return (host, port) if host and port else None


def _kubeconfigs(environ: Mapping[str, str]) -> tuple[Path, ...]:
    if named := environ.get("KUBECONFIG", ""):
        return tuple(Path(part) for part in named.split(os.pathsep) if part)
    home = environ.get("HOME", "")
    return (Path(home, ".kube", "config"),) if home else ()


def _parsed(option: Option, texts: Sequence[str], where: str) -> Any:
    parsed = []
    for text in texts:
        try:
            parsed.append(option.parse(text))
        except (ValueError, KeyError) as error:
            raise InvalidSettingError(f"{where} must be {option.expects}, got {text!r}") from error
    return option.many(parsed) if option.many else parsed[0]
