"""One collection of the API kept in step: list once, watch from there.

The list is repeated when the API server has forgotten our version (410) or refused. Errors are waited out with growing
pauses; what was seen last stays.
"""

import asyncio
import logging
import random
from collections.abc import Callable
from contextlib import aclosing
from typing import Final

import aiohttp
import msgspec

from .api import Api, Collection
from .objects import ApiRefusedError, ExpiredError, ObjectStore

SERVER_TIMEOUT: Final = 300
"""Seconds after which the API server ends a watch; the next one continues from the last version."""
SILENCE: Final = SERVER_TIMEOUT + 30.0
"""Seconds after which a watch that says nothing counts as lost."""
LONGEST_PAUSE: Final = 15.0
"""Seconds between attempts when the API stays away."""

_log = logging.getLogger(__name__)


class Reflector:
    """Keeps one ObjectStore in step with one collection of the API."""

    def __init__(self, api: Api, collection: Collection, changed: Callable[[], None]) -> None:
        self.store = ObjectStore()
        self.listed = False
        self.collection = collection
        self._api = api
        self._changed = changed

    async def run(self) -> None:
        """List and watch until cancelled."""
        failures = 0
        while True:
            try:
                if not self.store.resource_version:
                    await self._list()
                failures = 0 if await self._watch() else failures + 1
            except ExpiredError:
                self.store.resource_version = ""
                failures += 1
            except ApiRefusedError as error:
                self.store.resource_version = ""
                failures += 1
                self._complain(error)
            except (aiohttp.ClientError, OSError, TimeoutError, msgspec.MsgspecError) as error:
                failures += 1
                self._complain(error)
            except Exception as error:
                # Whatever is in an answer, or is wrong with us, the others of the gateway go on.
                self.store.resource_version = ""
                failures += 1
                self._complain(error)
            if failures:
                # Jitter, so that gateways do not all come back to a restarted API server at once.
                pause = min(LONGEST_PAUSE, 0.1 * 2 ** min(failures, 10))
                await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311

    def _complain(self, error: Exception) -> None:
        described = f"{type(error).__name__}: {error}"
        _log.warning("Could not follow the API server", extra={"collection": self.collection.path, "error": described})

    async def _list(self) -> None:
        self.store.replace(await self._api.items(self.collection))
        self.listed = True
        self._changed()

    async def _watch(self) -> bool:
        """Follow events until the server ends the watch; True when it told anything."""
        changed = False
        since = self.store.resource_version
        events = self._api.events(self.collection, since=since, seconds=SERVER_TIMEOUT, silence=SILENCE)
        async with aclosing(events):
            async for event in events:
                changed = True
                if self.store.apply(event):
                    self._changed()
        return changed
