"""Where routes come from: a file on one machine, or the cluster's ConfigMaps and EndpointSlices.

A source runs until cancelled, loads a `Directory` whenever something changed, and keeps the last good state when its
origin is out of reach. It knows nothing of requests. Called by `app`.
"""

from typing import Protocol


class SourceMissingError(OSError):
    """There is no origin to follow, and waiting will not bring one; the message says what was looked for."""


class Source(Protocol):
    """Anything that keeps a Directory up to date."""

    async def run(self) -> None:
        """Watch until cancelled."""
        ...
