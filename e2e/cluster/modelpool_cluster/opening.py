"""Which kind of cluster a provider is. Called by the plugins and the command line."""

from __future__ import annotations

from collections.abc import Callable

from .binaries import Binaries
from .cluster import Cluster
from .node.cluster import NodeCluster
from .settings import Provider, Settings


def cluster_for(settings: Settings, binaries: Binaries, log: Callable[[str], None]) -> Cluster:
    """Return the provider's cluster, not yet started. `log` gets lines for people."""
    if settings.provider is Provider.NODE:
        return NodeCluster(settings, binaries, log)
    return Cluster(settings, binaries)
