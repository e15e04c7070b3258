"""Programs from the official release archives of Kubernetes and etcd, each checked against its published checksum.

A closed network costs one short timeout per archive and is told apart from a broken download: the first means "build",
the second is refused loudly. kwok publishes no checksums, so it is never fetched.
"""

from __future__ import annotations

import hashlib
import http.client
import shutil
import tarfile
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from ..settings import Settings
from . import pins


class ArchiveUnreachableError(Exception):
    """The archive did not answer, or does not have the file. Another source may."""


class ChecksumMismatchError(Exception):
    """What came is not what was published. Nothing may be done with it."""


class Archives:
    """The release archives, for one platform. Remembers which of them did not answer."""

    def __init__(self, settings: Settings, *, system: str, machine: str) -> None:
        self._settings = settings
        self._system = system
        self._machine = machine
        self._silent: dict[str, ArchiveUnreachableError] = {}

    def fetch(self, target: pins.Target, version: str, folder: Path) -> Path:
        """Fetch a program into a folder. Raises ArchiveUnreachableError, ChecksumMismatchError."""
        sources: dict[str, tuple[str, Callable[[str, str, str, Path], Path]]] = {
            "k8s.io/kubernetes": (self._settings.kubernetes_archive, self._kubernetes),
            "go.etcd.io/etcd/server/v3": (self._settings.etcd_archive, self._etcd),
        }
        base, fetch = sources.get(target.module, ("", self._kubernetes))
        if not base:
            raise ArchiveUnreachableError(f"no archive holds {target.name}")
        if self._system != "linux" and target.name != "kubectl":
            raise ArchiveUnreachableError(f"{target.name} is not released for {self._system}")
        if base in self._silent:
            raise self._silent[base]
        return fetch(base, target.name, version, folder)

    def _kubernetes(self, base: str, name: str, version: str, folder: Path) -> Path:
        url = f"{base}/{version}/bin/{self._system}/{self._machine}/{name}"
        expected = self._read(base, f"{url}.sha256").split()
        return self._download(base, url, expected[0] if expected else "", folder / name)

    def _etcd(self, base: str, name: str, version: str, folder: Path) -> Path:
        stem = f"etcd-{version}-{self._system}-{self._machine}"
        url = f"{base}/{version}/{stem}.tar.gz"
        sums = (line.split() for line in self._read(base, f"{base}/{version}/SHA256SUMS").splitlines())
        expected = next((fields[0] for fields in sums if fields[1:] == [f"{stem}.tar.gz"]), "")
        archive = self._download(base, url, expected, folder / f"{name}.tar.gz")
        with tarfile.open(archive) as files:
            member = files.extractfile(f"{stem}/{name}")
            if member is None:
                raise ChecksumMismatchError(f"{url} holds no {stem}/{name}")
            with member, (folder / name).open("wb") as program:
                shutil.copyfileobj(member, program)
        return folder / name

    def _read(self, base: str, url: str) -> str:
        with self._open(base, url) as response:
            return response.read(1 << 20).decode()

    def _download(self, base: str, url: str, expected: str, target: Path) -> Path:
        if len(expected) != hashlib.sha256().digest_size * 2:
            raise ChecksumMismatchError(f"no SHA-256 is published for {url}")
        digest = hashlib.sha256()
        with self._open(base, url) as response, target.open("wb") as file:
            try:
                while chunk := response.read(1 << 20):
                    digest.update(chunk)
                    file.write(chunk)
            except (OSError, http.client.HTTPException) as exc:
                raise ArchiveUnreachableError(f"{url} broke off: {exc!r}") from exc
        if digest.hexdigest() != expected:
            raise ChecksumMismatchError(f"{url} must have SHA-256 {expected}, got {digest.hexdigest()}")
        return target

    def _open(self, base: str, url: str) -> http.client.HTTPResponse:
        if not url.startswith(("https://", "http://")):
            raise ArchiveUnreachableError(f"an archive must be an http or https URL, got '{url}'")
        timeout = self._settings.archive_timeout
        try:
            response: http.client.HTTPResponse = urllib.request.urlopen(url, timeout=timeout)  # noqa: S310
        except urllib.error.HTTPError as exc:
            with exc:
                raise ArchiveUnreachableError(f"{url} answered {exc.code}") from exc
        except (OSError, http.client.HTTPException) as exc:
            why = getattr(exc, "reason", exc)
            self._silent[base] = ArchiveUnreachableError(f"{base} is out of reach: {why}")
            raise self._silent[base] from exc
        return response
