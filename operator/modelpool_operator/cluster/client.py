"""Requests to the API server, and nothing about ModelPools.

Objects are plain dictionaries. Every method raises `errors.ClusterError` and its kin, every request has a deadline, and
what changes the cluster is counted. One `Client` is opened per program and shared by all workers.
"""

import contextlib
import urllib.parse
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import aiohttp
import msgspec
from kubernetes.aio.client import ApiClient

from modelpool_operator.api.names import ObjectRef
from modelpool_operator.cluster import errors
from modelpool_operator.cluster.kinds import LEASES, PODS, Kind
from modelpool_operator.telemetry.metrics import Metrics

Object = dict[str, Any]
"""A Kubernetes object as the API server sends it."""

_DEADLINE: Final = aiohttp.ClientTimeout(total=30, sock_connect=5)
"""Of one request. The API server itself gives up on a write after a minute; better to repeat the pass than to wait."""
_PAGE: Final = 250
"""Objects per page of a list, which bounds the memory of one answer."""
WATCH_SECONDS: Final = 290
"""After which the API server ends a watch, so that load balancers with idle limits never do it for us."""
_WATCHED: Final = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=90)
"""Of a watch. Bookmarks come every minute; one that is silent for longer is dead."""


class Page(NamedTuple):
    """A part of a list."""

    items: list[Object]
    version: str
    """The resourceVersion of the whole list."""


class Client:
    """The API server, as verbs."""

    def __init__(self, api: ApiClient, metrics: Metrics) -> None:
        self._api = api
        self._metrics = metrics
        self.fence: Callable[[str], str | None] = lambda _: None
        """Why nothing may be written into a namespace at the moment, Leases excepted, or None."""

    async def get(self, kind: Kind, ref: ObjectRef) -> Object:
        """Return one object.

        Raises:
            errors.AbsentError: there is none.
        """
        answer: Object = await self._request(f"get {kind.kind} {ref.name}", "GET", kind.path(ref.namespace, ref.name))
        return answer

    async def list_all(
        self, kind: Kind, namespace: str | None = None, *, labels: str | None = None, fields: str | None = None
    ) -> list[Object]:
        """Return all objects of a kind, page by page, with the `apiVersion` and `kind` that a list leaves out.

        Args:
            kind: of which kind.
            namespace: where; None means everywhere, or a kind without namespaces.
            labels: a label selector.
            fields: a field selector.
        """
        return [item async for page in self.pages(kind, namespace, labels=labels, fields=fields) for item in page.items]

    async def pages(
        self, kind: Kind, namespace: str | None = None, *, labels: str | None = None, fields: str | None = None
    ) -> AsyncIterator[Page]:
        """Yield what `list_all` returns, page by page, so that nobody has to hold all of it."""
        query = {"limit": str(_PAGE)}
        query |= {key: value for key, value in (("labelSelector", labels), ("fieldSelector", fields)) if value}
        while True:
            page = await self._request(f"list {kind.plural}", "GET", kind.path(namespace), query)
            items = [{"apiVersion": kind.api_version, "kind": kind.kind, **item} for item in page["items"]]
            yield Page(items, page["metadata"].get("resourceVersion") or "")
            token = page["metadata"].get("continue")
            if not token:
                return
            query["continue"] = token

    async def watch(
        self, kind: Kind, namespace: str | None, *, labels: str, since: str
    ) -> AsyncGenerator[tuple[str, Object]]:
        """Yield what happens after a resourceVersion, as type and object, until the API server ends the watch.

        Raises:
            errors.ExpiredError: the API server no longer knows that version.
        """
        query = {"watch": "true", "allowWatchBookmarks": "true", "labelSelector": labels}
        query |= {"resourceVersion": since, "timeoutSeconds": str(WATCH_SECONDS)}
        what = f"watch {kind.plural}"
        async with self._answered(what, "GET", kind.path(namespace), query, deadline=_WATCHED) as answer:
            # Not by lines of the stream reader: an object may be longer than what that is willing to hold.
            rest: list[bytes] = []
            async for chunk in answer.content.iter_any():
                head, *lines = chunk.split(b"\n")
                rest.append(head)
                for line in lines:
                    whole, rest = b"".join(rest), [line]
                    if whole.strip():
                        event = msgspec.json.decode(whole)
                        if event["type"] == "ERROR":
                            raise errors.from_answer(
                                what, event["object"].get("code") or 0, msgspec.json.encode(event["object"])
                            )
                        yield event["type"], event["object"]

    async def apply(self, kind: Kind, manifest: Mapping[str, Any], *, manager: str, status: bool = False) -> Object:
        """Server-side apply: the fields of the manifest become ours, whoever held them, and our other fields go.

        Args:
            kind: of the manifest.
            manifest: with a name, and a namespace; a uid in it makes the request fail on another object of that name.
            manager: the field manager.
            status: whether the manifest is for the status subresource; any other field of it is ignored then.
        """
        metadata = manifest["metadata"]
        what = f"apply {'status of ' if status else ''}{kind.kind} {metadata['name']}"
        self._assert_unfenced(what, kind, metadata["namespace"])
        answer: Object = await self._request(
            what,
            "PATCH",
            kind.path(metadata["namespace"], metadata["name"], "status" if status else None),
            {"fieldManager": manager, "force": "true", "fieldValidation": "Strict"},
            body=dict(manifest),
            content_type="application/apply-patch+yaml",
        )
        self._metrics.writes.labels("status" if status else "apply", kind.kind).inc()
        return answer

    async def patch(self, kind: Kind, ref: ObjectRef, patch: Sequence[Mapping[str, Any]], *, manager: str) -> Object:
        """Change an object by a JSON patch (RFC 6902), and return it.

        Raises:
            errors.ConflictError: the object no longer has the resourceVersion that the patch names.
        """
        what = f"patch {kind.kind} {ref.name}"
        self._assert_unfenced(what, kind, ref.namespace)
        answer: Object = await self._request(
            what,
            "PATCH",
            kind.path(ref.namespace, ref.name),
            {"fieldManager": manager},
            body=[dict(one) for one in patch],
            content_type="application/json-patch+json",
        )
        self._metrics.writes.labels("patch", kind.kind).inc()
        return answer

    async def delete(self, kind: Kind, ref: ObjectRef, *, uid: str, dependents_first: bool = False) -> Object:
        """Delete exactly the object with this uid, and return it as it is until it is gone, or that it is gone.

        Its dependents follow in the background, unless they are to go first: then the object stays until they went.

        Raises:
            errors.AbsentError: it is gone already.
            errors.ConflictError: another object has taken its name.
        """
        body = {
            "propagationPolicy": "Foreground" if dependents_first else "Background",
            "preconditions": {"uid": uid},
        }
        what, path = f"delete {kind.kind} {ref.name}", kind.path(ref.namespace, ref.name)
        self._assert_unfenced(what, kind, ref.namespace)
        answer: Object = await self._request(what, "DELETE", path, body=body)
        self._metrics.writes.labels("delete", kind.kind).inc()
        return answer

    async def create(self, kind: Kind, manifest: Mapping[str, Any]) -> Object:
        """Create an object that nobody reconciles, such as an Event, and return it.

        Raises:
            errors.ConflictError: one of that name is there.
        """
        what, namespace = f"create {kind.kind}", manifest["metadata"]["namespace"]
        self._assert_unfenced(what, kind, namespace)
        answer: Object = await self._request(what, "POST", kind.path(namespace), body=dict(manifest))
        self._metrics.writes.labels("create", kind.kind).inc()
        return answer

    async def log(self, ref: ObjectRef, *, container: str, lines: int) -> list[str]:
        """Return the last lines of a container's log."""
        text: str = await self._request(
            f"read the log of Pod {ref.name}",
            "GET",
            PODS.path(ref.namespace, ref.name, "log"),
            {"container": container, "tailLines": str(lines), "limitBytes": str(64 * 1024)},
            text=True,
        )
        return text.splitlines()

    def _assert_unfenced(self, what: str, kind: Kind, namespace: str) -> None:
        if kind != LEASES and (why := self.fence(namespace)) is not None:
            raise errors.UnreachableError(f"Could not {what}: {why}")

    async def _request(
        self,
        what: str,
        verb: str,
        path: str,
        query: Mapping[str, str] | None = None,
        *,
        body: Object | list[Object] | None = None,
        content_type: str = "application/json",
        text: bool = False,
    ) -> Any:
        async with self._answered(what, verb, path, query, body=body, content_type=content_type, text=text) as answer:
            return await answer.text(errors="replace") if text else msgspec.json.decode(await answer.read())

    @contextlib.asynccontextmanager
    async def _answered(
        self,
        what: str,
        verb: str,
        path: str,
        query: Mapping[str, str] | None = None,
        *,
        body: Object | list[Object] | None = None,
        content_type: str = "application/json",
        text: bool = False,
        deadline: aiohttp.ClientTimeout | None = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Send a request and hold its answer open. The package's own way there copies every body, piece by piece."""
        headers = {
            "Accept": "*/*" if text else "application/json",
            "Content-Type": content_type,
            **self._api.default_headers,
        }
        url = f"{self._api.configuration.host}{path}" + (f"?{urllib.parse.urlencode(query)}" if query else "")
        try:
            with errors.translated(what):
                await self._api.update_params_for_auth(headers, [], ["BearerToken"], path, verb, body)
                sending = self._api.rest_client.request(  # type: ignore[no-untyped-call]
                    verb, url, headers=headers, body=body, _request_timeout=deadline or _DEADLINE
                )
                answer = await sending
                async with answer.response as response:
                    if not 200 <= response.status <= 299:
                        raise errors.from_answer(what, response.status, await response.read())
                    yield response
        except errors.ClusterError as exc:
            self._metrics.api_errors.labels(type(exc).__name__.removesuffix("Error").lower()).inc()
            raise
