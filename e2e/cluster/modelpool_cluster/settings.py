"""What may be set from outside, read once.

Called by the pytest plugin and the command line; nothing else reads the environment.
"""

from __future__ import annotations

import dataclasses
import enum
import os
from collections.abc import Mapping
from pathlib import Path

KUBERNETES_ARCHIVE = "https://dl.k8s.io"
"""Kubernetes' release archive: `<archive>/<version>/bin/<system>/<machine>/<program>`, each with its `.sha256`."""

ETCD_ARCHIVE = "https://github.com/etcd-io/etcd/releases/download"
"""etcd's release archive: `<archive>/<version>/etcd-<version>-<system>-<machine>.tar.gz`, and `SHA256SUMS`."""


class Provider(enum.StrEnum):
    """Where the cluster comes from."""

    CONTROLPLANE = "controlplane"
    """Started here: etcd, API server, controller manager, scheduler. Nodes and pods are played by kwok."""
    KIND = "kind"
    """A kind cluster of our own; needs Docker and `kind`."""
    NODE = "node"
    """Started here: that control plane, and one real node with containerd, kubelet and kube-proxy. Linux, root."""
    EXTERNAL = "external"
    """A cluster that exists already, named by a kubeconfig. It is never deleted."""


class InvalidSettingError(ValueError):
    """A variable that cannot be used; the message names the variable, its value and what was expected."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Settings of the test cluster."""

    environment: Mapping[str, str]
    """The environment that started programs inherit (proxies, HOME, Go's module proxy)."""
    provider: Provider = Provider.CONTROLPLANE
    """MODELPOOL_CLUSTER_PROVIDER or --cluster-provider."""
    kubeconfig: Path | None = None
    """MODELPOOL_CLUSTER_KUBECONFIG or --cluster-kubeconfig: the cluster of the provider `external`."""
    assets: Path | None = None
    """KUBEBUILDER_ASSETS: a folder of programs that win over all other sources."""
    cache: Path
    """Where fetched and built programs are kept: `modelpool` in XDG_CACHE_HOME, else in ~/.cache."""
    kubernetes_archive: str = KUBERNETES_ARCHIVE
    """MODELPOOL_KUBERNETES_ARCHIVE: base URL; empty fetches nothing."""
    etcd_archive: str = ETCD_ARCHIVE
    """MODELPOOL_ETCD_ARCHIVE: base URL; empty fetches nothing."""
    archive_timeout: float = 5.0
    """Seconds until an archive that does not answer counts as unreachable.

    Short: a closed network must cost seconds.
    """
    scratch: Path | None = None
    """TMPDIR: where the data of running clusters lies; absent means /dev/shm, or the usual place when that is full."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Settings:
        """Read the settings from environment variables. Raises InvalidSettingError."""

        def path(name: str) -> Path | None:
            return Path(environment[name]).expanduser() if environment.get(name) else None

        assets = path("KUBEBUILDER_ASSETS")
        if assets is not None and not assets.is_dir():
            raise InvalidSettingError(f"KUBEBUILDER_ASSETS must name a folder, got '{assets}'")
        caches = path("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
        return cls(
            environment=dict(environment),
            provider=provider_named(environment.get("MODELPOOL_CLUSTER_PROVIDER") or Provider.CONTROLPLANE),
            kubeconfig=path("MODELPOOL_CLUSTER_KUBECONFIG"),
            assets=assets,
            cache=caches / "modelpool",
            kubernetes_archive=environment.get("MODELPOOL_KUBERNETES_ARCHIVE", KUBERNETES_ARCHIVE),
            etcd_archive=environment.get("MODELPOOL_ETCD_ARCHIVE", ETCD_ARCHIVE),
            scratch=path("TMPDIR"),
        )


def provider_named(name: str) -> Provider:
    """Return the provider of that name. Raises InvalidSettingError."""
    try:
        return Provider(name)
    except ValueError:
        known = ", ".join(Provider)
        raise InvalidSettingError(f"MODELPOOL_CLUSTER_PROVIDER must be one of {known}, got '{name}'") from None


def current() -> Settings:
    """Return the settings of this process' environment."""
    return Settings.from_environment(os.environ)
