"""Cards of a real node as a device plugin and feature discovery would leave them: labels and an extended resource."""

from __future__ import annotations

import datetime
from collections.abc import Mapping

from .. import rest, waiting
from ..fakenodes import nodes
from .addresses import Host

_OURS = "kubernetes.io/"
"""Prefix of labels that are the kubelet's own."""


def path(node: str) -> str:
    """Return a node's path in the API."""
    return f"/api/v1/nodes/{node}"


def give(
    api: rest.Api,
    host: Host,
    *,
    gpus: int,
    replicas: int,
    memory_mib: int,
    product: str,
    resource_name: str,
    labels: Mapping[str, str] | None = None,
) -> str | None:
    """Let a node have cards; returns how many of the resource it offers. Returns when pods can be given them."""
    played = nodes.gpu_node(
        host.name, gpus=gpus, replicas=replicas, memory_mib=memory_mib, product=product, resource_name=resource_name,
        labels=labels or {}, address=host.address, now=datetime.datetime.now(datetime.UTC),
    )  # fmt: skip
    wanted = {key: value for key, value in played["metadata"]["labels"].items() if not key.startswith(_OURS)}
    api.patch(path(host.name), {"metadata": {"labels": wanted}}, rest.MERGE)
    count: str | None = played["status"]["capacity"].get(resource_name)
    offer(api, host.name, resource_name, count)
    return count


def take_away(api: rest.Api, node: str) -> None:
    """Take the labels away that tell of cards."""
    labels = api.get(path(node))["metadata"]["labels"]
    gone = {key: None for key in labels if key.startswith("nvidia.com/")}
    api.patch(path(node), {"metadata": {"labels": gone}}, rest.MERGE)


def offer(api: rest.Api, node: str, resource: str, count: str | None) -> None:
    """Set an extended resource through the status, as a device plugin's would be; the kubelet keeps it."""
    status = {"capacity": {resource: count or "0"}}
    api.patch(f"{path(node)}/status", {"status": status}, rest.MERGE)
    waiting.wait_for(
        f"{count or 0} {resource} to be allocatable on {node}",
        lambda: api.get(path(node))["status"]["allocatable"].get(resource, "0") == (count or "0"),
        timeout=60,
    )
