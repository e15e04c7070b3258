"""The command lines and configuration files of the components.

Pure: a layout and a port in, arguments and documents out.
"""

from __future__ import annotations

from typing import Any

from . import certificates
from .layout import Layout

SERVICE_CIDR = "10.96.0.0/16"
AUDIT_POLICY: dict[str, Any] = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [{"level": "Metadata"}],
}
"""Every request, by whom, to what, with what result; no bodies, so no secrets."""


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


def apiserver(layout: Layout, port: int) -> list[str]:
    """The API server: certificates and tokens only, RBAC, audit log, loopback."""
    accounts = layout.key(certificates.SERVICE_ACCOUNTS)
    return [
        f"--etcd-servers=unix://{layout.etcd_socket}",
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1",
        f"--secure-port={port}",
        "--endpoint-reconciler-type=none",  # the Service `kubernetes` cannot point at loopback
        f"--tls-cert-file={layout.certificate(certificates.SERVER)}",
        f"--tls-private-key-file={layout.key(certificates.SERVER)}",
        f"--client-ca-file={layout.authority}",
        "--anonymous-auth=false",
        "--authorization-mode=RBAC",
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


def controller_manager(layout: Layout) -> list[str]:
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
        "--node-monitor-grace-period=24h",  # fake nodes send no heartbeats; a condition set by a test still counts
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
