"""kubeconfig documents as plain data. Pure: JSON is YAML, so `json.dumps` of a result is a kubeconfig file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

NAME = "modelpool-e2e"


def with_certificate(*, server: str, authority: Path, certificate: Path, key: Path) -> dict[str, Any]:
    """Return a kubeconfig that shows a client certificate."""
    return _document(
        {"server": server, "certificate-authority": str(authority)},
        {"client-certificate": str(certificate), "client-key": str(key)},
        namespace="default",
    )


def with_token(admin: Mapping[str, Any], *, token: str, namespace: str) -> dict[str, Any]:
    """Return a kubeconfig for the same cluster as another one's current context, with nothing but a bearer token."""
    context = next(entry["context"] for entry in admin["contexts"] if entry["name"] == admin["current-context"])
    cluster = next(entry["cluster"] for entry in admin["clusters"] if entry["name"] == context["cluster"])
    return _document(dict(cluster), {"token": token}, namespace=namespace)


def _document(cluster: dict[str, Any], user: dict[str, Any], *, namespace: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": NAME, "cluster": cluster}],
        "users": [{"name": NAME, "user": user}],
        "contexts": [{"name": NAME, "context": {"cluster": NAME, "user": NAME, "namespace": namespace}}],
        "current-context": NAME,
    }
