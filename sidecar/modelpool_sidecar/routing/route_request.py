"""What choosing needs to know about a request, and what it has gone through so far."""

from typing import Final

from .table import BackendKey

# One for all: a new one for each request would be looked at as long as a full one.
_NO_NAMES: Final[frozenset[str]] = frozenset()
_NO_BACKENDS: Final[frozenset[BackendKey]] = frozenset()


class RouteRequest:
    """A request, as choosing sees it. Read-only."""

    __slots__ = ("broke", "caller", "engines", "gave_up", "model", "needs", "refused", "tried")

    def __init__(
        self,
        *,
        model: str,
        needs: frozenset[str] = _NO_NAMES,
        engines: frozenset[str] | None = None,
        tried: frozenset[str] = _NO_NAMES,
        gave_up: frozenset[BackendKey] = _NO_BACKENDS,
        refused: frozenset[str] = _NO_NAMES,
        broke: int = 0,
        caller: str = "",
    ) -> None:
        self.model = model
        self.needs = needs
        """Capabilities the request cannot do without."""
        self.engines = engines
        """Kinds of engines that have such a call; None for all."""
        self.tried = tried
        """Endpoints that are not to be tried again: they failed before the first byte."""
        self.gave_up = gave_up
        """Backends whose queue it has waited in for as long as it may."""
        self.refused = refused
        """Endpoints where nobody listened: nothing was sent, so each is tried once more when it is back."""
        self.broke = broke
        """How many engines broke while they had it."""
        self.caller = caller
        """Who asks, for the order of the queue and for who may join it."""

    def without(
        self,
        *,
        url: str | None = None,
        refused: str | None = None,
        line: BackendKey | None = None,
        broke: bool = False,
    ) -> "RouteRequest":
        """The same request after an endpoint failed or refused it, or after it has waited in a line for long enough.

        `broke`: the endpoint failed in a way that may have been the request's doing.
        """
        if refused in self.refused:
            url = refused
        return RouteRequest(
            model=self.model,
            needs=self.needs,
            engines=self.engines,
            tried=self.tried if url is None else self.tried | {url},
            gave_up=self.gave_up if line is None else self.gave_up | {line},
            refused=self.refused if refused is None else self.refused | {refused},
            broke=self.broke + broke,
            caller=self.caller,
        )
