"""What nearly every request for a model is given, found by one look instead of a choice.

A shortcut to what `choose` would say, and never to anything else: where a model's first backend has a single ready
endpoint, whoever asks for it by its name and needs nothing special gets the same target, as long as there is room. The
target has all that a request looks at, so that neither model nor backend need be in the processor's cache.
"""

from .choose import Loads, Route, Target
from .route_request import RouteRequest


class TargetCache:
    """The usual targets of one table."""

    __slots__ = ("_targets",)

    def __init__(self) -> None:
        self._targets: dict[str, Target] = {}

    def find(self, wanted: RouteRequest, loads: Loads) -> Target | None:
        """What `choose` would give this request; None when it must be asked."""
        target = self._targets.get(wanted.model)
        if (
            target is None
            or wanted.tried
            or wanted.refused
            or wanted.needs
            or (wanted.engines is not None and target.engine not in wanted.engines)
            or loads.in_flight(target.url) >= target.room
        ):
            return None
        return target

    def learn(self, target: Target) -> None:
        """Keep what a request was given, if others that ask by the model's own name will be given the same."""
        is_first = target.route is Route.PRIMARY and target.why is None
        if is_first and len(target.backend.ready_endpoints) == 1:
            self._targets[target.name] = target

    def forget(self) -> None:
        """There is another table."""
        self._targets.clear()
