"""What the handlers share: one value per server, put into the application once."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from aiohttp import web

from ... import text
from ..runners import Runners
from ..settings import Settings
from ..store import Model, Store
from .errors import ApiError, not_found


@dataclass(slots=True, kw_only=True, eq=False)
class State:
    """A server."""

    settings: Settings
    store: Store
    runners: Runners
    vocabulary: text.Vocabulary

    def model(self, name: object) -> Model:
        """Return a model by name; raises ApiError."""
        if not name:
            raise ApiError(400, "model is required")
        found = self.store.find(str(name))
        if found is None:
            raise not_found(str(name))
        return found

    def now(self) -> float:
        """The loop's clock."""
        return asyncio.get_running_loop().time()


KEY: web.AppKey[State] = web.AppKey("state")
