"""The Kubernetes API, as far as a gateway needs it: list a collection, and watch it. Knows no kind of object.

Objects are decoded JSON. One `Api` is opened per program; leaving it closes every connection, and waits for that.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final, NamedTuple, Self

import aiohttp
import msgspec

from ..connections import Connections
from .access import Access
from .objects import ApiRefusedError, ExpiredError, KubeObject, field, rows

PAGE: Final = 500
"""Objects per answer to a list, which bounds the memory that one takes on either side."""
LIST_SILENCE: Final = 30.0
"""Seconds after which a list that says nothing counts as lost."""
CONNECT_TIMEOUT: Final = 10.0
"""Seconds to reach the API server, TLS included."""


_METADATA: Final = "application/json;as={};g=meta.k8s.io;v=v1,application/json"


class Collection(NamedTuple):
    """What to list and watch."""

    path: str
    selector: str
    """Of labels; empty for all objects."""
    metadata_only: bool = False
    """Whether the rest of the objects can stay where it is."""

    def accept(self, kind: str) -> str:
        """Return the media types of an answer, whose metadata-only form is of this kind."""
        return _METADATA.format(kind) if self.metadata_only else "application/json"


class Api:
    """One identity at one API server."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._connections = Connections()
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        # No limit: every watch holds a connection for good, and there is one per collection.
        connector = self._connections.connector(ssl=self._access.tls, limit=0)
        headers = {"User-Agent": "modelpool-gateway"}
        self._session = aiohttp.ClientSession(connector=connector, headers=headers)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._session is not None
        await self._connections.close(self._session)

    async def items(self, collection: Collection) -> KubeObject:
        """Return a whole collection as one list, however many pages the API server makes of it.

        Raises:
            ExpiredError: the list took so long that the server forgot where it began.
            ApiRefusedError: the server said no.
        """
        found: list[KubeObject] = []
        query = {"limit": str(PAGE)}
        accept = collection.accept("PartialObjectMetadataList")
        while True:
            async with self._answer(collection, query, accept, silence=LIST_SILENCE) as response:
                page = msgspec.json.decode(await response.read())
            found += rows(field(page, "items"))
            token = field(page, "metadata", "continue")
            if not token:
                return {"metadata": field(page, "metadata"), "items": found}
            query["continue"] = str(token)

    async def events(
        self, collection: Collection, *, since: str, seconds: int, silence: float
    ) -> AsyncGenerator[object]:
        """Yield what happens to a collection after a resourceVersion, until the API server ends the watch.

        Args:
            collection: what to watch.
            since: the resourceVersion.
            seconds: after which the server shall end it.
            silence: seconds without a byte after which the connection counts as lost.

        Raises:
            ExpiredError: the server no longer knows that version.
            ApiRefusedError: the server said no.
        """
        query = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": since,
            "timeoutSeconds": str(seconds),
        }
        accept = collection.accept("PartialObjectMetadata")
        async with self._answer(collection, query, accept, silence=silence) as response:
            # Not by lines of the stream reader: an object may be longer than what that is willing to hold.
            rest: list[bytes] = []
            async for chunk in response.content.iter_any():
                head, *lines = chunk.split(b"\n")
                rest.append(head)
                for line in lines:
                    whole, rest = b"".join(rest), [line]
                    if whole.strip():
                        yield msgspec.json.decode(whole)

    @asynccontextmanager
    async def _answer(
        self, collection: Collection, query: Mapping[str, str], accept: str, *, silence: float
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        assert self._session is not None, "the Api is entered before it is asked"
        options: dict[str, Any] = {"ssl": self._access.tls}
        if self._access.server_name is not None:
            options["server_hostname"] = self._access.server_name
        async with self._session.get(
            self._access.server + collection.path,
            params={**query, **({"labelSelector": collection.selector} if collection.selector else {})},
            headers={"Accept": accept, **self._access.headers()},
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT, sock_read=silence),
            allow_redirects=False,
            **options,
        ) as response:
            if response.status == 410:
                raise ExpiredError(collection.path)
            if response.status != 200:
                raise ApiRefusedError(f"{response.status} {response.reason}: {(await response.text())[:256]}")
            yield response
