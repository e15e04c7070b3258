"""What kopf would remember of every object in order to tell changes from it: nothing, since no handler of ours asks.

kopf builds the essence of an object, two deep copies of it, on each event and for every kind, whether or not there is a
handler of changes. With hundreds of pools that is the half of what the operator computes.
"""

from collections.abc import Iterable

import kopf


class NoDiffBase(kopf.DiffBaseStorage):
    """Knows of no object what it was when it was last handled."""

    def build(
        self, *, body: kopf.Body, extra_fields: Iterable[str | tuple[str, ...] | list[str] | None] | None = None
    ) -> kopf.BodyEssence:
        """Return that there is nothing to compare."""
        return kopf.BodyEssence()

    def fetch(self, *, body: kopf.Body) -> kopf.BodyEssence | None:
        """Return what was stored: nothing."""
        return None

    def store(self, *, body: kopf.Body, patch: kopf.Patch, essence: kopf.BodyEssence) -> None:
        """Store nothing: a patch that stays empty is not sent."""


class NoProgress(kopf.ProgressStorage):
    """Knows of no handler how far it came."""

    def fetch(self, *, key: kopf.HandlerId, body: kopf.Body) -> None:
        """Return what was stored: nothing."""

    def store(self, *, key: kopf.HandlerId, record: object, body: kopf.Body, patch: kopf.Patch) -> None:
        """Store nothing."""

    def purge(self, *, key: kopf.HandlerId, body: kopf.Body, patch: kopf.Patch) -> None:
        """Remove nothing."""

    def touch(self, *, body: kopf.Body, patch: kopf.Patch, value: str | None) -> None:
        """Touch nothing."""

    def clear(self, *, essence: kopf.BodyEssence) -> kopf.BodyEssence:
        """Return the essence as it is: nothing of ours is in it."""
        return essence
