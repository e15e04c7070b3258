"""How large the images are, how quick the gateway's is, and whether that is what was promised."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path

from . import held, starting
from .building import Images
from .contents import Contents, read


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What was found."""

    images: Images
    contents: Mapping[str, Contents]
    ready_seconds: float | None
    """None where containers cannot be run."""

    @property
    def problems(self) -> tuple[str, ...]:
        """What does not hold."""
        return tuple(held.problems(self.contents, self.ready_seconds))

    def lines(self) -> Iterator[str]:
        """Yield it for people."""
        yield f"Built by {self.images.builder} in {self.images.seconds:.1f} s: {self.images.folder}"
        above = held.above_base(self.contents)
        for target, one in self.contents.items():
            whole = sum(size for _, size in one.layers)
            limit = held.BYTES_ABOVE_BASE[target]
            yield (
                f"{Images.name(target):28} {whole / 1e6:6.1f} MB, {above[target] / 1e6:6.1f} MB above its base"
                f" (at most {limit / 1e6:g})"
            )
        if self.ready_seconds is None:
            yield "The gateway's start is not measured: that takes Linux, root and runc"
        else:
            yield (
                f"The gateway is ready {self.ready_seconds:.2f} s after its container's start"
                f" (at most {held.READY_SECONDS:g}), as user {starting.USER} on a read-only root"
            )
        yield from (f"NOT HELD: {problem}" for problem in self.problems)


def examine(images: Images, scratch: Path | None) -> Report:
    """Look into the images and start the gateway's.

    Args:
        images: the built ones.
        scratch: where it may be unpacked; None means the usual place.

    Raises:
        starting.NotReadyError: the gateway did not start.
    """
    contents = {target: read(images.archive(target)) for target in held.BYTES_ABOVE_BASE}
    seconds = starting.seconds_to_ready(images.archive("sidecar"), scratch) if starting.possible() else None
    return Report(images=images, contents=contents, ready_seconds=seconds)
