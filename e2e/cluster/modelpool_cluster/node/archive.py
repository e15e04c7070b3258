"""Writes container images as OCI archives: layers in, one tarball out. Knows the format and no program.

The result depends on nothing but its inputs: equal folders make equal layers, whenever and wherever they are written.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import platform
import tarfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

_MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}
_MEDIA = "application/vnd.oci.image"


@dataclasses.dataclass(frozen=True, slots=True)
class Layer:
    """An uncompressed layer, a tarball on disk."""

    path: Path

    @property
    def digest(self) -> str:
        """Its SHA-256, as the format writes it."""
        with self.path.open("rb") as file:
            return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"


def write_layer(target: Path, entries: Mapping[str, Path], keep: Callable[[str], bool] = lambda name: True) -> Layer:
    """Write files and folders, by their place in the image, into a layer that belongs to root.

    `keep` says no to what is left out, by its place. Times are left out always.
    """

    def cleaned(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
        if not keep(entry.name.removeprefix("./")):
            return None
        entry.mtime = 0
        return entry

    with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as tarball:
        for name, path in sorted(entries.items()):
            tarball.add(path, arcname=name or ".", filter=cleaned)
    return Layer(target)


def write_image(target: Path, name: str, layers: Sequence[Layer], config: Mapping[str, Any]) -> None:
    """Write an archive with one image, named in full. `config` is the image's `config`, such as Env and Entrypoint."""
    digests = [layer.digest for layer in layers]
    document = {
        "architecture": _MACHINES.get(platform.machine(), platform.machine()),
        "os": "linux",
        "config": dict(config),
        "rootfs": {"type": "layers", "diff_ids": digests},
        "history": [{"created_by": "modelpool_cluster"} for _ in layers],
    }
    config_blob, config_content = _blob(document, f"{_MEDIA}.config.v1+json")
    manifest = {
        "schemaVersion": 2,
        "mediaType": f"{_MEDIA}.manifest.v1+json",
        "config": config_blob,
        "layers": [
            {"mediaType": f"{_MEDIA}.layer.v1.tar", "digest": digest, "size": layer.path.stat().st_size}
            for digest, layer in zip(digests, layers, strict=True)
        ],
    }
    manifest_blob, manifest_content = _blob(manifest, f"{_MEDIA}.manifest.v1+json")
    names = {"org.opencontainers.image.ref.name": name, "io.containerd.image.name": name}
    index = {"schemaVersion": 2, "manifests": [{**manifest_blob, "annotations": names}]}
    with tarfile.open(target, "w") as tarball:
        _add(tarball, "oci-layout", json.dumps({"imageLayoutVersion": "1.0.0"}).encode())
        _add(tarball, "index.json", json.dumps(index).encode())
        _add(tarball, _place(config_blob["digest"]), config_content)
        _add(tarball, _place(manifest_blob["digest"]), manifest_content)
        for digest, layer in dict(zip(digests, layers, strict=True)).items():
            tarball.add(layer.path, arcname=_place(digest))


def _blob(document: Mapping[str, Any], media_type: str) -> tuple[dict[str, Any], bytes]:
    content = json.dumps(document, sort_keys=True).encode()
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    return {"mediaType": media_type, "digest": digest, "size": len(content)}, content


def _place(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/')}"


def _add(tarball: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    tarball.addfile(entry, io.BytesIO(content))
