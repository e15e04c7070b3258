"""Which browsers may ask, and under which name: Ollama's rules for `Origin` and `Host`.

A page of another site must not use the engines through the browser that shows it. So a request that names an origin is
answered only when that origin is allowed; and a gateway on loopback answers only to names of this machine and its
network, because any site can make its own name point there.
"""

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

from .answer import Answer

_LOCAL_HOSTS: Final = ("localhost", "127.0.0.1", "0.0.0.0")  # noqa: S104 -- an origin, nothing is bound
_LOCAL_SUFFIXES: Final = (".localhost", ".local", ".internal")
DEFAULT: Final = (
    *(f"{scheme}://{host}{port}" for host in _LOCAL_HOSTS for scheme in ("http", "https") for port in ("", ":*")),
    *(f"{scheme}://*" for scheme in ("app", "file", "tauri", "vscode-webview", "vscode-file")),
)
"""Always allowed, as by Ollama: pages of this machine, and programs that are browsers inside."""
_STAINLESS: Final = (
    "Arch Async Custom-Poll-Interval Helper-Method Lang Os Package-Version Poll-Helper Retry-Count Runtime "
    "Runtime-Version Timeout"
)
_HEADERS: Final = ",".join(
    (
        *("Authorization", "Content-Type", "User-Agent", "Accept", "X-Requested-With", "Openai-Beta"),
        *(f"X-Stainless-{name}" for name in _STAINLESS.split()),
    )
)
_PREFLIGHT: Final = (
    ("Access-Control-Allow-Headers", _HEADERS),
    ("Access-Control-Allow-Methods", "GET,POST,PUT,PATCH,DELETE,HEAD,OPTIONS"),
    ("Access-Control-Max-Age", "43200"),
)
_REMEMBERED: Final = 256
"""Hosts whose judgement is remembered; callers may send any."""
_FORBIDDEN: Final = Answer(status=403, content_type="")


@dataclass(frozen=True, slots=True, kw_only=True)
class HostPolicy:
    """The rules of one gateway."""

    origins: tuple[str, ...] = ()
    """Allowed beside DEFAULT; one `*` in each stands for anything, and `*` alone allows all."""
    loopback: bool = False
    """Whether the gateway listens on loopback alone."""
    hostname: str = ""
    """This machine's own name."""

    def check(self, method: str, headers: Mapping[str, str]) -> Answer | Mapping[str, str]:
        """The finished answer (a preflight's, or a refusal), or the headers that the real answer must carry.

        `headers` must be case-insensitive.
        """
        origin, host = headers.get("Origin", ""), headers.get("Host", "")
        allowed: dict[str, str] = {}
        if origin and origin not in (f"http://{host}", f"https://{host}"):
            if not self.allows(origin):
                return _FORBIDDEN
            allowed = {"Access-Control-Allow-Origin": "*"} if "*" in self.origins else _echoed(origin)
            if method == "OPTIONS":
                return Answer(status=204, content_type="", headers=(*allowed.items(), *_PREFLIGHT))
        if self.loopback and not is_local(host, self.hostname):
            return _FORBIDDEN
        return allowed

    def allows(self, origin: str) -> bool:
        """Whether pages of this origin may ask."""
        return any(_matches(pattern, origin) for pattern in (*self.origins, *DEFAULT))


@lru_cache(maxsize=_REMEMBERED)
def is_local(host: str, hostname: str = "") -> bool:
    """Whether a Host header names this machine or its network."""
    try:
        name = (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return False
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return name in ("", "localhost", hostname.lower()) or name.endswith(_LOCAL_SUFFIXES)
    return address.is_loopback or address.is_private or address.is_unspecified


def are_loopback(hosts: Iterable[str]) -> bool:
    """Whether all these addresses to listen on are reached from this machine alone."""
    return all(host == "localhost" or _is_loopback(host) for host in hosts)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _echoed(origin: str) -> dict[str, str]:
    return {"Access-Control-Allow-Origin": origin, "Vary": "Origin"}


def _matches(pattern: str, origin: str) -> bool:
    before, star, after = pattern.partition("*")
    if not star:
        return pattern == origin
    return len(origin) >= len(before) + len(after) and origin.startswith(before) and origin.endswith(after)
