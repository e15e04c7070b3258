"""The engines' keys of all pools: what plans know of them, and that a pool's Secret is made when a plan says so."""

import asyncio
import logging
from collections.abc import Callable
from typing import Final, Self

from modelpool_operator.api.names import ObjectRef
from modelpool_operator.api.pool import ModelPool
from modelpool_operator.cluster import engine_keys, errors
from modelpool_operator.cluster.client import Client
from modelpool_operator.handlers.readiness import Readiness
from modelpool_operator.handlers.workqueue import DEFAULT_BACKOFF
from modelpool_operator.planning.manifests import engine_keys as planned

logger = logging.getLogger(__name__)

LOOK_AGAIN: Final = 60.0
"""Seconds until the release key is read again: gateways follow its Secret within about as long, by the kubelet."""
_ADVICE: Final = (
    "It is the release key, of which the engines' keys are made: until it can be read, engines run on with the key that"
    " they have, and none is started without. `helm upgrade` with the chart's own roles grants the operator the right"
)


class EngineKeys:
    """One per operator."""

    def __init__(self, client: Client, release: bytes | None, unknown: str | None = None) -> None:
        """`release`: the release key; None where engines have no keys, or, with the reason, where nobody knows it."""
        self._client = client
        self._take(release)
        self.unknown = unknown
        """Why nobody knows the release key, as a sentence; None where it is known, or engines have no keys."""

    def _take(self, release: bytes | None) -> None:
        self._release = release
        self.mark = None if release is None else planned.mark_of(release)
        self.unknown = None

    @classmethod
    async def begin(cls, client: Client, secret: ObjectRef | None, readiness: Readiness) -> Self:
        """Read the release key, or make it. One that cannot be had holds up no pool, and `readiness` says so."""
        if secret is None:
            return cls(client, None)
        try:
            return cls(client, await engine_keys.release_key(client, secret))
        except errors.ClusterError as exc:
            logger.warning("Could not read the release key", extra={"error": str(exc)})
            readiness.hindered(str(exc))
            return cls(client, None, str(exc))

    async def follow(self, secret: ObjectRef | None, changed: Callable[[], None], readiness: Readiness) -> None:
        """Read the release key again and again, for ever, and call `changed` when it is another one.

        One that cannot be read, or is no key, changes nothing, and `readiness` says so: a gateway that starts finds
        none. A Secret that is lost is made again with the key that is known.
        """
        failures = 0
        while secret is not None:
            failures = failures + 1 if self.unknown else 0
            await asyncio.sleep(min(LOOK_AGAIN, DEFAULT_BACKOFF.delay(failures, 0)) if failures else LOOK_AGAIN)
            try:
                release = await engine_keys.release_key(self._client, secret, self._release)
            except errors.ClusterError as exc:
                logger.warning("Could not read the release key again", extra={"error": str(exc)})
                readiness.hindered(str(exc))
                continue
            readiness.hindered(None)
            if release != self._release:
                logger.info("The release key is another one: engines with keys are started anew")
                self._take(release)
                changed()

    async def make(self, pool: ModelPool) -> tuple[str, ...]:
        """Make the Secret with a pool's key, and return what the API server refused, as sentences for the status.

        Raises:
            errors.UnreachableError: the pass is to be repeated later.
        """
        if self.unknown is not None:
            return (f"{self.unknown}. {_ADVICE}",)
        if self._release is None or self.mark is None:
            return ()
        try:
            await engine_keys.make(self._client, planned.secret(pool, self.mark, self._release))
        except errors.StuckError as exc:  # A webhook on Secrets; others of the pool's children may fare better.
            return (str(exc),)
        except errors.UnreachableError:
            raise
        except errors.ClusterError as exc:
            return (str(exc),)
        return ()
