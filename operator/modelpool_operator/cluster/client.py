"""Requests to the API server, and nothing about ModelPools.

Objects are plain dictionaries. Every method raises `errors.ClusterError` and its kin, every request has a deadline, and
what changes the cluster is counted. One `Client` is opened per program and shared by all workers.
"""

import contextlib
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, Final

import aiohttp
import msgspec
from kubernetes.aio import config
from kubernetes.aio.client import ApiClient, Configuration
from kubernetes.aio.dynamic import DynamicClient

from modelpool_operator.api.names import ObjectRef
from modelpool_operator.cluster import errors
from modelpool_operator.cluster.kinds import PODS, Kind
from modelpool_operator.telemetry.metrics import Metrics

Object = dict[str, Any]
"""A Kubernetes object as the API server sends it."""

_DEADLINE: Final = aiohttp.ClientTimeout(total=30, sock_connect=5)
"""Of one request. The API server itself gives up on a write after a minute; better to repeat the pass than to wait."""
_PAGE: Final = 250
"""Objects per page of a list, which bounds the memory of one answer."""


async def configuration(kubeconfig: Path | None) -> Configuration:
    """Return the API server's address and our credentials: a kubeconfig's, or those of the Pod we run in.

    Raises:
        kubernetes.aio.config.ConfigException: the file names no cluster, or we run in no Pod.
    """
    found = Configuration()
    if kubeconfig is None:
        config.load_incluster_config(client_configuration=found)  # type: ignore[no-untyped-call]
    else:
        loading = config.load_kube_config(  # type: ignore[no-untyped-call]
            config_file=str(kubeconfig), client_configuration=found, persist_config=False
        )
        await loading
    # As kopf does: the API server is named, never found through a proxy that happens to stand in the environment.
    found.client_session_kwargs = {"trust_env": False}
    return found


@contextlib.asynccontextmanager
async def connected(found: Configuration, metrics: Metrics) -> AsyncIterator["Client"]:
    """Open a client, and close its connections at the end."""
    async with ApiClient(configuration=found) as api:
        api.user_agent = "modelpool-operator"
        yield Client(DynamicClient(api), metrics)  # type: ignore[no-untyped-call]


class Client:
    """The API server, as five verbs."""

    def __init__(self, dynamic: DynamicClient, metrics: Metrics) -> None:
        self._dynamic = dynamic
        self._metrics = metrics

    async def get(self, kind: Kind, ref: ObjectRef) -> Object:
        """Return one object.

        Raises:
            errors.AbsentError: there is none.
        """
        what = f"get {kind.kind} {ref.name}"
        answer: Object = await self._request(what, "get", kind.path(ref.namespace, ref.name))
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
        found: list[Object] = []
        token: str | None = None
        while True:
            page = await self._request(
                f"list {kind.plural}",
                "get",
                kind.path(namespace),
                label_selector=labels,
                field_selector=fields,
                limit=_PAGE,
                _continue=token,
            )
            found += ({"apiVersion": kind.api_version, "kind": kind.kind, **item} for item in page["items"])
            token = page["metadata"].get("continue")
            if not token:
                return found

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
        answer: Object = await self._request(
            what,
            "patch",
            kind.path(metadata["namespace"], metadata["name"], "status" if status else None),
            body=dict(manifest),
            content_type="application/apply-patch+yaml",
            field_manager=manager,
            force_conflicts="true",
            query_params=[("fieldValidation", "Strict")],
        )
        self._metrics.writes.labels("status" if status else "apply", kind.kind).inc()
        return answer

    async def delete(self, kind: Kind, ref: ObjectRef, *, uid: str) -> None:
        """Delete exactly the object with this uid; its dependents follow in the background.

        Raises:
            errors.AbsentError: it is gone already.
            errors.ConflictError: another object has taken its name.
        """
        body = {"propagationPolicy": "Background", "preconditions": {"uid": uid}}
        await self._request(f"delete {kind.kind} {ref.name}", "delete", kind.path(ref.namespace, ref.name), body=body)
        self._metrics.writes.labels("delete", kind.kind).inc()

    async def create(self, kind: Kind, manifest: Mapping[str, Any]) -> None:
        """Create an object that nobody reconciles, such as an Event."""
        namespace = manifest["metadata"]["namespace"]
        await self._request(f"create {kind.kind}", "post", kind.path(namespace), body=dict(manifest))
        self._metrics.writes.labels("create", kind.kind).inc()

    async def log(self, ref: ObjectRef, *, container: str, lines: int) -> list[str]:
        """Return the last lines of a container's log."""
        text: str = await self._request(
            f"read the log of Pod {ref.name}",
            "get",
            PODS.path(ref.namespace, ref.name, "log"),
            text=True,
            header_params={"Accept": "*/*"},
            query_params=[("container", container), ("tailLines", str(lines)), ("limitBytes", str(64 * 1024))],
        )
        return text.splitlines()

    async def _request(self, what: str, verb: str, path: str, *, text: bool = False, **params: Any) -> Any:
        try:
            with errors.translated(what):
                answer = await self._dynamic.request(
                    verb, path, serialize=False, _request_timeout=_DEADLINE, **{"header_params": {}, **params}
                )
                async with answer:
                    return await answer.text(errors="replace") if text else msgspec.json.decode(await answer.read())
        except errors.ClusterError as exc:
            self._metrics.api_errors.labels(type(exc).__name__.removesuffix("Error").lower()).inc()
            raise
