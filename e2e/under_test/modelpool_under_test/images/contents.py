"""What an image holds: its files and configuration, read from the archive that docker loads. Runs nothing."""

from __future__ import annotations

import dataclasses
import json
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

_REMOVED = ".wh."
_EMPTIED = ".wh..wh..opq"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """An image, opened."""

    config: dict[str, Any]
    """As the image format has it: User, Env, Entrypoint."""
    layers: tuple[tuple[str, int], ...]
    """Digest and uncompressed bytes of each, the lowest first."""
    files: frozenset[PurePosixPath]
    """All that is not a folder, from the root: `usr/bin/python3`."""


def read(archive: Path) -> Contents:
    """Open an archive with one image.

    Raises:
        ValueError: it is no archive that docker loads.
    """
    files: set[PurePosixPath] = set()
    with tarfile.open(archive) as tarball:
        config, names = _description(tarball, archive)
        for name in names:
            with tarfile.open(fileobj=tarball.extractfile(name)) as layer:
                for entry in layer:
                    _stack(files, PurePosixPath(entry.name), folder=entry.isdir())
        sizes = tuple((name, tarball.getmember(name).size) for name in names)
    return Contents(config=config, layers=sizes, files=frozenset(files))


def unpack(archive: Path, root: Path) -> None:
    """Write the image's files below a folder, owners and modes as they are in it; for root."""
    with tarfile.open(archive) as tarball:
        _, names = _description(tarball, archive)
        for name in names:
            with tarfile.open(fileobj=tarball.extractfile(name)) as layer:
                layer.extractall(root, members=_kept(layer, root), filter="fully_trusted")  # noqa: S202 -- built here


def _kept(layer: tarfile.TarFile, root: Path) -> Iterator[tarfile.TarInfo]:
    """Yield what a layer adds, and remove on the way what it removes."""
    for entry in layer:
        path = PurePosixPath(entry.name)
        if path.name == _EMPTIED:
            for one in (root / path.parent).iterdir():
                _remove(one)
        elif path.name.startswith(_REMOVED):
            _remove(root / path.parent / path.name.removeprefix(_REMOVED))
        else:
            yield entry


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _stack(files: set[PurePosixPath], path: PurePosixPath, *, folder: bool) -> None:
    """Lay one entry of a layer over the files below it."""
    if path.name == _EMPTIED:
        files -= {one for one in files if path.parent in one.parents}
    elif path.name.startswith(_REMOVED):
        gone = path.parent / path.name.removeprefix(_REMOVED)
        files -= {one for one in files if one == gone or gone in one.parents}
    elif not folder:
        files.add(path)


def _description(tarball: tarfile.TarFile, archive: Path) -> tuple[dict[str, Any], list[str]]:
    try:
        (image,) = _json(tarball, "manifest.json")
        return dict(_json(tarball, image["Config"])["config"]), list(image["Layers"])
    except (KeyError, ValueError) as exc:
        raise ValueError(f"{archive} is no archive that docker loads") from exc


def _json(tarball: tarfile.TarFile, name: str) -> Any:
    file = tarball.extractfile(name)
    if file is None:
        raise ValueError(f"{name} is a folder")
    return json.load(file)
