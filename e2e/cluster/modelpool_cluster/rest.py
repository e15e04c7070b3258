"""A plain JSON client for what a kubeconfig leads to: logs in as the official client does, knows no kind of object."""

from __future__ import annotations

import json
import urllib.parse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kubernetes import client, config

STRATEGIC_MERGE = "application/strategic-merge-patch+json"
MERGE = "application/merge-patch+json"


class ApiError(Exception):
    """The API server refused. `status` is the HTTP status, `reason` Kubernetes' word for it, such as NotFound."""

    def __init__(self, method: str, path: str, status: int, body: str) -> None:
        try:
            document = json.loads(body)
        except json.JSONDecodeError:
            document = {}
        self.status = status
        self.reason = str(document.get("reason", ""))
        super().__init__(f"{method} {path} was answered {status} {self.reason}: {document.get('message', body[:300])}")


class Api:
    """One identity at one API server. Paths are those of the Kubernetes API, such as `/api/v1/nodes`."""

    def __init__(self, kubeconfig: Path) -> None:
        self.kubeconfig = kubeconfig
        self._client: client.ApiClient = config.new_client_from_config(  # type: ignore[no-untyped-call]
            config_file=str(kubeconfig), persist_config=False
        )

    def close(self) -> None:
        """Give up the connections."""
        self._client.rest_client.pool_manager.clear()
        self._client.close()  # type: ignore[no-untyped-call]

    def get(self, path: str, **query: str) -> dict[str, Any]:
        """Return an object or a list. Raises ApiError."""
        return self._send("GET", path, query=query)

    def items(self, path: str, **query: str) -> list[dict[str, Any]]:
        """Return the objects of a list. Raises ApiError."""
        return list(self.get(path, **query)["items"])

    def find(self, path: str) -> dict[str, Any] | None:
        """Return an object, or None where there is none, or nothing of its kind. Raises ApiError."""
        try:
            return self.get(path)
        except ApiError as exc:
            if exc.status == 404:
                return None
            raise

    def create(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Create an object in a collection and return it. Raises ApiError."""
        return self._send("POST", path, body=body)

    def patch(self, path: str, body: Mapping[str, Any], kind: str = STRATEGIC_MERGE) -> dict[str, Any]:
        """Patch an object and return it. Raises ApiError."""
        return self._send("PATCH", path, body=body, content_type=kind)

    def replace(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Replace an object, in the version that it was read in, and return it. Raises ApiError."""
        return self._send("PUT", path, body=body)

    def delete(self, path: str, **query: str) -> None:
        """Delete an object, or a collection; what is not there is as good as deleted. Raises ApiError."""
        try:
            self._send("DELETE", path, query=query)
        except ApiError as exc:
            if exc.reason != "NotFound":
                raise

    def _send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        content_type: str = "application/json",
    ) -> dict[str, Any]:
        resource = f"{path}?{urllib.parse.urlencode(query)}" if query else path
        request = self._client.param_serialize(
            method,
            resource,
            header_params={"Accept": "application/json", "Content-Type": content_type},
            body=dict(body) if body is not None else None,
            auth_settings=["BearerToken"],
        )
        try:
            response = self._client.call_api(*request)
            content = response.read()  # type: ignore[no-untyped-call]
        except client.ApiException as exc:
            raise ApiError(method, path, exc.status or 0, str(exc.body or exc.reason)) from exc
        text = content.decode() if content else ""
        if not 200 <= response.status < 300:
            raise ApiError(method, path, response.status, text)
        return dict(json.loads(text)) if text else {}
