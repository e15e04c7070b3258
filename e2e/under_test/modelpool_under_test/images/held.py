"""What is promised of the images, and what of it an image does not keep. Pure over what was read and measured."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from .contents import Contents

BYTES_ABOVE_BASE: Final[Mapping[str, int]] = {"operator": 180_000_000, "sidecar": 90_000_000, "engines": 30_000_000}
"""Of an image, without the layers that it shares with the others."""
READY_SECONDS: Final = 2.0
"""From the start of the gateway's container to its readiness, on a machine that has a processor for it."""

_AS_ROOT: Final = {"engines"}
"""Images that stand in for others that run as root."""
_BUILDING: Final = re.compile(
    r"(?:^|/)s?bin/(?:(?:[\w.]+-linux-gnu-)?(?:gcc|g\+\+|cc|c\+\+|cpp|clang|tcc|as|ld)(?:-[\d.]+)?|make|go|rustc|cargo"
    r"|pip[\d.]*|uv|easy_install|apt-add-repository)$"
    r"|(?:^|/)(?:dist|site)-packages/(?:pip|setuptools|wheel|uv)/|(?:^|/)ensurepip/"
)


_EXTENSION: Final = re.compile(r"/site-packages/([\w/]+)\.[\w-]+\.so$")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """A start of the gateway's container, up to its readiness."""

    seconds: float
    """By the clock, runc's part included."""
    processor_seconds: float
    """Of the gateway alone. What it takes at least, however busy the machine is."""
    undisturbed: bool
    """Whether the machine had a processor for it; otherwise the clock tells of the machine and not of the image."""


def above_base(images: Mapping[str, Contents]) -> dict[str, int]:
    """Return the bytes of each image's layers that not all images share."""
    shared = frozenset.intersection(*(frozenset(digest for digest, _ in one.layers) for one in images.values()))
    return {name: sum(size for digest, size in one.layers if digest not in shared) for name, one in images.items()}


def problems(images: Mapping[str, Contents], start: Start | None, compiled: Iterable[str] = ()) -> Iterator[str]:
    """Yield what does not hold, each as a sentence. Without a start nothing is said of it.

    Args:
        images: what was read, by target.
        start: of the gateway's container.
        compiled: the names of the gateway's modules that must be compiled.
    """
    plain = sorted(set(compiled) - set(_extension_modules(images["sidecar"])))
    if plain:
        yield f"sidecar must hold {len(plain)} more of its modules compiled, such as {plain[0]}"
    for name, size in above_base(images).items():
        if size > BYTES_ABOVE_BASE[name]:
            yield f"{name} must stay below {BYTES_ABOVE_BASE[name] / 1e6:g} MB above its base, got {size / 1e6:.1f} MB"
    for name, one in images.items():
        user = str(one.config.get("User") or "0").partition(":")[0]
        if name not in _AS_ROOT and not (user.isdecimal() and int(user) > 0):
            yield f"{name} must run as a user that is a number and not root, got {user!r}"
        if tools := sorted(str(file) for file in one.files if _BUILDING.search(str(file))):
            yield f"{name} must hold neither pip nor a compiler, got {', '.join(tools[:3])}"
    if start is not None and start.processor_seconds > READY_SECONDS:
        yield f"sidecar must be ready within {READY_SECONDS:g} s of a processor, got {start.processor_seconds:.1f} s"
    if start is not None and start.undisturbed and start.seconds > READY_SECONDS:
        yield f"sidecar must be ready within {READY_SECONDS:g} s, got {start.seconds:.1f} s"


def _extension_modules(image: Contents) -> Iterator[str]:
    for file in image.files:
        if found := _EXTENSION.search(f"/{file}"):
            yield found[1].replace("/", ".")
