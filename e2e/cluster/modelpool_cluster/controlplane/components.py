"""The command lines and configuration files of the components.

Pure: a layout and a port in, arguments and documents out.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from . import certificates
from .layout import Layout

SERVICE_CIDR = "10.96.0.0/16"
SERVICE_ADDRESS = "10.96.0.1"
"""The Service `kubernetes`: the first address of the range."""
AUDIT_POLICY: dict[str, Any] = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [{"level": "Metadata"}],
}
"""Every request, by whom, to what, with what result; no bodies, so no secrets."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Where a control plane listens, and whether what joins it is real."""

    address: str = "127.0.0.1"
    """Of the API server."""
    kubelets: bool = False
    """Kubelets join and pods call the API: then the Service `kubernetes` leads to it, nodes have the rights of nodes
    and no others, and a silent node counts as lost."""
    silence_seconds: int = 24 * 60 * 60
    """Until a node that gives no sign of life counts as lost. Fake nodes give none; what a test says of them counts."""


LOOPBACK = Site()


def etcd(layout: Layout) -> list[str]:
    """etcd on Unix sockets in the run's folder, where it must be started: no port, and nobody else can reach it."""
    peer = "unix://peer.sock:0"
    return [
        "--name=e2e",
        f"--data-dir={layout.folder / 'etcd'}",
        "--unsafe-no-fsync",  # the data outlives nothing
        f"--listen-client-urls=unix://{layout.etcd_socket.name}",
        f"--advertise-client-urls=unix://{layout.etcd_socket.name}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=e2e={peer}",
        "--log-level=warn",
    ]


def apiserver(layout: Layout, port: int, site: Site = LOOPBACK) -> list[str]:
    """The API server: certificates and tokens only, RBAC, audit log."""
    accounts = layout.key(certificates.SERVICE_ACCOUNTS)
    return [
        f"--etcd-servers=unix://{layout.etcd_socket}",
        f"--bind-address={site.address}",
        f"--advertise-address={site.address}",
        f"--secure-port={port}",
        # The Service `kubernetes` cannot point at loopback.
        f"--endpoint-reconciler-type={'lease' if site.kubelets else 'none'}",
        *(_towards_kubelets(layout) if site.kubelets else ()),
        f"--tls-cert-file={layout.certificate(certificates.SERVER)}",
        f"--tls-private-key-file={layout.key(certificates.SERVER)}",
        f"--client-ca-file={layout.authority}",
        "--anonymous-auth=false",
        f"--authorization-mode={'Node,RBAC' if site.kubelets else 'RBAC'}",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-signing-key-file={accounts}",
        f"--service-account-key-file={accounts}",
        f"--service-cluster-ip-range={SERVICE_CIDR}",
        f"--audit-policy-file={layout.audit_policy}",
        f"--audit-log-path={layout.audit_log}",
        "--audit-log-mode=blocking",  # what has been answered has been written
        "--audit-log-maxsize=2048",  # MiB; a rotated log would hide the past
        "--profiling=false",
        f"--cert-dir={layout.folder / 'pki'}",
    ]


def _towards_kubelets(layout: Layout) -> list[str]:
    client = certificates.KUBELET_CLIENT.name
    return [
        f"--kubelet-client-certificate={layout.certificate(client)}",
        f"--kubelet-client-key={layout.key(client)}",
        f"--kubelet-certificate-authority={layout.authority}",
        "--kubelet-preferred-address-types=InternalIP",
    ]


def controller_manager(layout: Layout, site: Site = LOOPBACK) -> list[str]:
    """All controllers, each as its own ServiceAccount, none of them listening."""
    return [
        f"--kubeconfig={layout.kubeconfig(certificates.CONTROLLER_MANAGER.name)}",
        "--use-service-account-credentials",
        f"--service-account-private-key-file={layout.key(certificates.SERVICE_ACCOUNTS)}",
        f"--root-ca-file={layout.authority}",
        "--enable-garbage-collector",
        "--leader-elect=false",
        "--secure-port=0",
        "--kube-api-qps=200",
        "--kube-api-burst=400",
        f"--node-monitor-grace-period={site.silence_seconds}s",
        f"--cert-dir={layout.folder / 'pki'}",
    ]


def scheduler(layout: Layout) -> list[str]:
    """The scheduler, configured by file."""
    return [f"--config={layout.scheduler_configuration}", "--secure-port=0", f"--cert-dir={layout.folder / 'pki'}"]


def scheduler_configuration(layout: Layout) -> dict[str, Any]:
    """Return the scheduler's configuration: quick to try again, for tests wait on it."""
    return {
        "apiVersion": "kubescheduler.config.k8s.io/v1",
        "kind": "KubeSchedulerConfiguration",
        "clientConnection": {
            "kubeconfig": str(layout.kubeconfig(certificates.SCHEDULER.name)),
            "qps": 200,
            "burst": 400,
        },
        "leaderElection": {"leaderElect": False},
        "podInitialBackoffSeconds": 1,
        "podMaxBackoffSeconds": 2,
    }
