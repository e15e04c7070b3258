"""What the operator is told when it starts: one frozen value, built once from arguments over environment over defaults.

Nothing else reads the environment or the command line; the value is passed down, never imported.
"""

import argparse
import dataclasses
import ipaddress
from collections.abc import Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Final, NamedTuple, Self

ENVIRONMENT: Final = "MODELPOOL_OPERATOR_"
"""Each setting `foo_bar` may be given as the variable `MODELPOOL_OPERATOR_FOO_BAR`."""

_LISTS: Final = ("namespaces", "gateway_urls")
"""Settings with several values: repeated on the command line, separated by commas in the environment."""


class LogFormat(Enum):
    """How log records are written."""

    JSON = "json"
    TEXT = "text"


class Address(NamedTuple):
    """Where a server listens."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return `host:port` (an IPv6 host stands in brackets) as an address.

        Raises:
            ValueError: the text is no such address.
        """
        host, colon, port = text.rpartition(":")
        if not colon or not port.isdecimal() or int(port) > 65535:
            raise ValueError(f"must be 'host:port' with a port from 0 to 65535, got '{text}'")
        host = host.removeprefix("[").removesuffix("]")
        if ":" in host:
            ipaddress.IPv6Address(host)
        return cls(host, int(port))


class SecretRef(NamedTuple):
    """A Secret."""

    namespace: str
    name: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return `namespace/name` as a Secret's place.

        Raises:
            ValueError: the text is no such place.
        """
        namespace, slash, name = text.partition("/")
        if not slash or not namespace or not name or "/" in name:
            raise ValueError(f"must be 'namespace/name', got '{text}'")
        return cls(namespace, name)


_HEALTH: Final = Address("127.0.0.1", 8080)
_METRICS: Final = Address("127.0.0.1", 9090)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The operator's settings."""

    namespaces: tuple[str, ...] = ()
    """The namespaces whose pools are served; none named means all, which needs a ClusterRole."""
    lease_namespace: str = "kube-system"
    """Of the Lease by which one operator serves all namespaces; an operator for some holds one in each of them."""
    kubeconfig: Path | None = None
    """The file with the API server's address and our credentials; absent, those of the Pod we run in."""
    workers: int = 8
    """Pools reconciled at once. A pass mostly waits for the API server, so a few serve hundreds of pools."""
    resync_seconds: float = 600
    """How often every pool is reconciled although nothing woke it: the net below the watches."""
    health_address: Address = _HEALTH
    """Serves /healthz and /readyz. Loopback unless told otherwise; in a Pod the kubelet needs `[::]`."""
    metrics_address: Address = _METRICS
    """Serves /metrics."""
    log_format: LogFormat = LogFormat.JSON
    log_level: str = "INFO"
    gateway_service: str | None = None
    """The gateway's Service, told to users in `status.gateway`; absent, the status names no gateway."""
    gateway_namespace: str | None = None
    """The namespace of that Service; absent, each pool's own."""
    gateway_urls: tuple[str, ...] = ()
    """Where gateways are asked for their demand, in place of the pods behind that Service, which only a Pod reaches."""
    engine_key_secret: SecretRef | None = None
    """The Secret with the release key, of which each pool's key is made, and which the gateways mount. It is made where
    it is not there. Absent: engines ask for no key."""

    def __post_init__(self) -> None:
        """Refuse what cannot be.

        Raises:
            ValueError: a setting is out of its range; the text names it.
        """
        if self.workers < 1:
            raise ValueError(f"`workers` must be at least 1, got {self.workers}")
        if self.resync_seconds <= 0:
            raise ValueError(f"`resync-seconds` must be greater than 0, got {self.resync_seconds}")
        if "" in self.namespaces:
            raise ValueError("`namespace` must not be empty")
        for url in self.gateway_urls:
            if not url.startswith(("http://", "https://")):
                raise ValueError(f"`gateway-url` must start with http:// or https://, got '{url}'")


def load(argv: Sequence[str], environ: Mapping[str, str]) -> Settings:
    """Return the settings that the command line and the environment ask for.

    A wrong setting ends the program as argparse does: usage on stderr, exit status 2. A wrong variable of the
    environment reads the same way, since variables stand in for absent arguments.
    """
    parser = _parser()
    arguments = [*_from_environment(parser, environ), *argv]
    found = {name: value for name, value in vars(parser.parse_args(arguments)).items() if value is not None}
    given_on_command_line = vars(parser.parse_args(list(argv)))
    for name in _LISTS:
        if given_on_command_line[name] is not None:
            found[name] = given_on_command_line[name]
        if name in found:
            found[name] = tuple(dict.fromkeys(found[name]))
    try:
        return Settings(**found)
    except ValueError as exc:
        parser.error(str(exc))


def _from_environment(parser: argparse.ArgumentParser, environ: Mapping[str, str]) -> list[str]:
    arguments: list[str] = []
    for action in parser._actions:
        option = action.option_strings[-1]
        text = environ.get(ENVIRONMENT + option.removeprefix("--").replace("-", "_").upper())
        if text is None or action.dest == "help":
            continue
        values = text.split(",") if action.dest in _LISTS else [text]
        arguments.extend(f"{option}={value.strip()}" for value in values if value.strip())
    return arguments


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="modelpool-operator",
        description="Reconciles ModelPools: engines that share GPUs, and what became of them.",
        epilog=f"Each option may be given as a variable, too: --log-format as {ENVIRONMENT}LOG_FORMAT.",
    )
    add = parser.add_argument
    add("--namespace", dest="namespaces", action="append", metavar="NS", help="serve this namespace; repeatable")
    add("--lease-namespace", metavar="NS", help="of the Lease for all namespaces; default kube-system")
    add("--kubeconfig", type=Path, metavar="PATH", help="credentials; default: those of the Pod")
    add("--workers", type=int, metavar="N", help="pools reconciled at once; default 8")
    add("--resync-seconds", type=float, metavar="SECONDS", help="how often every pool is reconciled; default 600")
    add("--health-address", type=_address, metavar="HOST:PORT", help="/healthz, /readyz; default 127.0.0.1:8080")
    add("--metrics-address", type=_address, metavar="HOST:PORT", help="/metrics; default 127.0.0.1:9090")
    add("--log-format", type=LogFormat, metavar="json|text", help="default json")
    add("--log-level", choices=["DEBUG", "INFO", "WARNING", "ERROR"], help="default INFO")
    add("--gateway-service", metavar="NAME", help="the gateway's Service, told to users in status.gateway")
    add("--gateway-namespace", metavar="NS", help="of that Service; default: the pool's")
    add(
        "--gateway-url", dest="gateway_urls", action="append", metavar="URL", help="ask here for the demand; repeatable"
    )
    add(
        "--engine-key-secret",
        type=_secret,
        metavar="NS/NAME",
        help="of the release key, made where it is absent; default: engines ask for no key",
    )
    return parser


def _address(text: str) -> Address:
    try:
        return Address.parse(text)
    except ValueError as exc:
        raise argparse.ArgumentTypeError(str(exc)) from exc


def _secret(text: str) -> SecretRef:
    try:
        return SecretRef.parse(text)
    except ValueError as exc:
        raise argparse.ArgumentTypeError(str(exc)) from exc
