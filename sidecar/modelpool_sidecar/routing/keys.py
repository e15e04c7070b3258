"""The keys that pools' vLLM engines ask for. Pure.

One secret of the installation, the release key, gives each pool its own: operator and gateway compute the same, so
that no document holds one. The operator's `planning/manifests/engine_keys.py` computes likewise; both are held to
docs/reference/keys.json.
"""

import hmac
from typing import Final

from . import documents

_PURPOSE: Final = "modelpool engine key"


class Keys:
    """What a gateway knows. Its text is nobody's: it is shown nowhere."""

    __slots__ = ("_release", "engines")

    def __init__(self, release: bytes | None = None, engines: frozenset[str] = frozenset()) -> None:
        """`release`: the release key; None where there is none. `engines`: the kinds that can ask for one."""
        self._release = release
        self.engines = engines

    @property
    def known(self) -> bool:
        """Whether there is a release key."""
        return self._release is not None

    def line(self, pool: documents.Pool) -> bytes:
        """The header line that an engine of the pool asks for; empty without a release key."""
        if self._release is None:
            return b""
        return b"Authorization: Bearer %b\r\n" % key_of(self._release, pool.namespace, pool.name, pool.uid).encode()


def key_of(release: bytes, namespace: str, name: str, uid: str) -> str:
    """The key of one pool: 64 hexadecimal digits. None of the three can hold a line's end."""
    return hmac.new(release, f"{_PURPOSE}\n{namespace}\n{name}\n{uid}".encode(), "sha256").hexdigest()
