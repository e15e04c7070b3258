"""All connections of a server on which something is not common: made when one is lent, and ended with the server."""

import asyncio
from typing import cast

from ..connection_owner import ConnectionOwner
from .connection import GeneralConnection


class GeneralConnections:
    """Makes protocols for connections that were lent, and ends them."""

    def __init__(self, owner: ConnectionOwner) -> None:
        self._owner = owner
        self.connections: set[GeneralConnection] = set()

    def protocol(self, due: float) -> asyncio.Protocol:
        """For one connection. `due`: by when the head must be whole that has begun."""
        made = GeneralConnection(self._owner, due, self.connections.discard)
        self.connections.add(made)
        return cast("asyncio.Protocol", made)

    def leave(self) -> None:
        """Close every connection that was lent after the answer that it is being given, or at once."""
        for connection in list(self.connections):
            connection.leave()

    def end(self) -> None:
        """Have every answer that is being given end now, whole or not."""
        for connection in list(self.connections):
            connection.end()
