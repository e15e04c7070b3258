"""What is promised of the images, and what of it an image does not keep. Pure over what was read and measured."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from .contents import Contents

BYTES_ABOVE_BASE: Final[Mapping[str, int]] = {"operator": 180_000_000, "sidecar": 90_000_000, "engines": 30_000_000}
"""Of an image, without the layers that it shares with the others."""
READY_SECONDS: Final = 2.0
"""From the start of the gateway's container to its readiness."""

_AS_ROOT: Final = {"engines"}
"""Images that stand in for others that run as root."""
_BUILDING: Final = re.compile(
    r"(?:^|/)s?bin/(?:(?:[\w.]+-linux-gnu-)?(?:gcc|g\+\+|cc|c\+\+|cpp|clang|tcc|as|ld)(?:-[\d.]+)?|make|go|rustc|cargo"
    r"|pip[\d.]*|uv|easy_install|apt-add-repository)$"
    r"|(?:^|/)(?:dist|site)-packages/(?:pip|setuptools|wheel|uv)/|(?:^|/)ensurepip/"
)


def above_base(images: Mapping[str, Contents]) -> dict[str, int]:
    """Return the bytes of each image's layers that not all images share."""
    shared = frozenset.intersection(*(frozenset(digest for digest, _ in one.layers) for one in images.values()))
    return {name: sum(size for digest, size in one.layers if digest not in shared) for name, one in images.items()}


def problems(images: Mapping[str, Contents], ready_seconds: float | None) -> Iterator[str]:
    """Yield what does not hold, each as a sentence. Without a figure nothing is said of the start."""
    for name, size in above_base(images).items():
        if size > BYTES_ABOVE_BASE[name]:
            yield f"{name} must stay below {BYTES_ABOVE_BASE[name] / 1e6:g} MB above its base, got {size / 1e6:.1f} MB"
    for name, one in images.items():
        user = str(one.config.get("User") or "0").partition(":")[0]
        if name not in _AS_ROOT and not (user.isdecimal() and int(user) > 0):
            yield f"{name} must run as a user that is a number and not root, got {user!r}"
        if tools := sorted(str(file) for file in one.files if _BUILDING.search(str(file))):
            yield f"{name} must hold neither pip nor a compiler, got {', '.join(tools[:3])}"
    if ready_seconds is not None and ready_seconds > READY_SECONDS:
        yield f"sidecar must be ready within {READY_SECONDS:g} s, got {ready_seconds:.1f} s"
