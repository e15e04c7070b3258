"""What the handlers share: one value per server, put into the application once."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import secrets
import time
from dataclasses import dataclass, field

from aiohttp import web

from ... import engine, text
from .. import VERSION
from ..flags import Flags
from ..metrics import Metrics
from ..settings import Settings
from ..startup import Loaded
from .errors import RequestError


@dataclass(slots=True, kw_only=True, eq=False)
class State:
    """A loaded server."""

    flags: Flags
    settings: Settings
    loaded: Loaded
    engine: engine.Engine
    metrics: Metrics
    vocabulary: text.Vocabulary
    in_flight: int = 0
    failures_left: int = 0
    requests: itertools.count[int] = field(default_factory=itertools.count)

    @property
    def fingerprint(self) -> str:
        """The `system_fingerprint` of answers."""
        return f"vllm-{VERSION}-{hashlib.sha256(self.flags.model.encode()).hexdigest()[:8]}"

    def check_model(self, name: object) -> None:
        """Refuse a model that is not served; a request without a name means the one there is."""
        if name is None or name == "" or name in self.flags.served_names or name in self.flags.adapters:
            return
        aliases = ", ".join(self.flags.served_names)
        message = f"The model `{name}` does not exist. Valid aliases: {aliases}."
        raise RequestError(message, status=404, kind="NotFoundError", param="model")

    def answered_as(self, name: object) -> str:
        """Return the name that stands in an answer: an adapter's own, else the first that is served."""
        return name if isinstance(name, str) and name in self.flags.adapters else self.flags.name

    def now(self) -> float:
        """The engine's clock."""
        return asyncio.get_running_loop().time()


KEY: web.AppKey[State] = web.AppKey("state")


def identifier(request: web.Request, prefix: str) -> str:
    """Name an answer: the caller's X-Request-Id when there is one."""
    return f"{prefix}-{request.headers.get('X-Request-Id') or secrets.token_hex(8)}"


def created() -> int:
    """Return the time as it stands in answers."""
    return int(time.time())
