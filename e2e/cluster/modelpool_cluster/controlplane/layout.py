"""The files of one run of the control plane: one private folder, gone afterwards. Pure but for `choose_scratch`."""

from __future__ import annotations

import dataclasses
import os
import shutil
import tempfile
from pathlib import Path

PREFIX = "modelpool-cluster-"
"""Of the names of runs' folders."""
MEMORY = Path("/dev/shm")  # noqa: S108 - chosen for speed; the folder made in it is private
_ROOM = 1 << 30
"""Bytes of tmpfs that must be free: etcd sets 128 MiB aside at once and the audit log grows."""
_LONGEST_SOCKET = 100
"""Bytes of a Unix socket's path that every system accepts."""


def choose_scratch(wish: Path | None) -> Path:
    """Make and return a new private folder for a run: as wished, else in memory, else as usual."""
    where = wish
    if where is None and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free >= _ROOM:
        where = MEMORY
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=where))
    if len(os.fsencode(folder)) + len("/etcd.sock:0") > _LONGEST_SOCKET:
        folder.rmdir()
        raise OSError(f"TMPDIR must be shorter, its path leaves no room for a Unix socket: {folder.parent}")
    return folder


@dataclasses.dataclass(frozen=True, slots=True)
class Layout:
    """Names of the files below one folder."""

    folder: Path

    @property
    def etcd_socket(self) -> Path:
        """etcd's client socket. The colon is part of the name: etcd wants a port in every URL."""
        return self.folder / "etcd.sock:0"

    @property
    def authority(self) -> Path:
        """The certificate that all others are signed by."""
        return self.folder / "pki" / "ca.crt"

    def certificate(self, name: str) -> Path:
        """Return where the certificate of that name lies."""
        return self.folder / "pki" / f"{name}.crt"

    def key(self, name: str) -> Path:
        """Return where the private key of that name lies."""
        return self.folder / "pki" / f"{name}.key"

    def kubeconfig(self, name: str) -> Path:
        """Return where the kubeconfig of that identity lies."""
        return self.folder / f"{name}.kubeconfig"

    @property
    def audit_policy(self) -> Path:
        """What the API server writes down."""
        return self.folder / "audit-policy.json"

    @property
    def audit_log(self) -> Path:
        """What it wrote down: one JSON document per line."""
        return self.folder / "audit.jsonl"

    @property
    def scheduler_configuration(self) -> Path:
        """The scheduler's configuration file."""
        return self.folder / "scheduler.json"

    @property
    def logs(self) -> Path:
        """One file per component."""
        return self.folder / "logs"
