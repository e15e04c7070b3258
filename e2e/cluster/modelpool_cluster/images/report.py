"""How large the images are. Reads archives and nothing else."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator
from pathlib import Path

from . import context
from .building import Images


def lines(images: Images) -> Iterator[str]:
    """Yield a line per image, for people: its size, and what of it stands above the base."""
    yield f"Built by {images.builder} in {images.seconds:.1f} s: {images.folder}"
    sizes = {target: layer_bytes(images.archive(target)) for target in context.TARGETS}
    base = {digest for digest, _ in next(iter(sizes.values()))}
    for layers in sizes.values():
        base &= {digest for digest, _ in layers}
    for target, layers in sizes.items():
        whole = sum(size for _, size in layers)
        above = sum(size for digest, size in layers if digest not in base)
        yield f"{Images.name(target):28} {whole / 1e6:6.1f} MB, {above / 1e6:6.1f} MB above its base"


def layer_bytes(archive: Path) -> list[tuple[str, int]]:
    """Return the layers of the one image in an archive that docker loads, with their uncompressed sizes."""
    with tarfile.open(archive) as tarball:
        manifest = tarball.extractfile("manifest.json")
        if manifest is None:
            raise ValueError(f"{archive} is no archive that docker loads")
        names = json.load(manifest)[0]["Layers"]
        return [(name, tarball.getmember(name).size) for name in names]
