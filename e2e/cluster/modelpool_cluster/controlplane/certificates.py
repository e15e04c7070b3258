"""Who may talk: one authority per run and a certificate per identity. Only writes files.

In Kubernetes a client certificate's common name is the user, its organization the group.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Collection
from pathlib import Path

import trustme

from .layout import Layout


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A user of the API, known by its certificate."""

    name: str
    user: str
    group: str | None = None
    hosts: tuple[str, ...] = ("localhost",)
    """Where this identity may serve with the same pair."""


ADMIN = Identity(name="admin", user="modelpool:admin", group="system:masters")
KWOK = Identity(name="kwok", user="modelpool:kwok", group="system:masters")
CONTROLLER_MANAGER = Identity(name="kube-controller-manager", user="system:kube-controller-manager")
SCHEDULER = Identity(name="kube-scheduler", user="system:kube-scheduler")
KUBELET_CLIENT = Identity(name="kubelet-client", user="modelpool:kubelet-client", group="system:masters")
"""What the API server is to kubelets, for logs, exec and port-forward."""
IDENTITIES = (ADMIN, KWOK, CONTROLLER_MANAGER, SCHEDULER)

SERVER = "kube-apiserver"
SERVICE_ACCOUNTS = "service-accounts"
LOOPBACK = ("127.0.0.1", "localhost")


def write_certificates(
    layout: Layout, identities: Collection[Identity] = IDENTITIES, names: Collection[str] = LOOPBACK
) -> None:
    """Write the authority, a pair per identity, and the key that signs ServiceAccount tokens.

    The server's pair is good for `names` and for nothing else.
    """
    layout.authority.parent.mkdir(mode=0o700)
    authority = trustme.CA(organization_name="ModelPool test cluster")
    authority.cert_pem.write_to_path(str(layout.authority))
    _write(layout, SERVER, authority.issue_cert(*names))
    _write(layout, SERVICE_ACCOUNTS, authority.issue_cert("localhost"))
    for identity in identities:
        _write(
            layout,
            identity.name,
            authority.issue_cert(*identity.hosts, common_name=identity.user, organization_name=identity.group),
        )


def _write(layout: Layout, name: str, pair: trustme.LeafCert) -> None:
    layout.certificate(name).write_bytes(b"".join(blob.bytes() for blob in pair.cert_chain_pems))
    _write_private(layout.key(name), pair.private_key_pem.bytes())


def _write_private(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)  # private from the start
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
