"""How large the images are, how quick the gateway's is, and whether that is what was promised."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path

from ..compiled import compiled_modules
from . import held, starting
from .building import Images
from .contents import Contents, read


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What was found."""

    images: Images
    contents: Mapping[str, Contents]
    start: held.Start | None
    """None where containers cannot be run."""

    @property
    def problems(self) -> tuple[str, ...]:
        """What does not hold."""
        return tuple(held.problems(self.contents, self.start, compiled_modules()))

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
        if (start := self.start) is None:
            yield "The gateway's start is not measured: that takes Linux, root and runc"
        else:
            took = f"{start.seconds:.2f} s after its container's start, {start.processor_seconds:.2f} s on a processor"
            who = f"as user {starting.USER} on a read-only root"
            yield f"The gateway is ready {took} (at most {held.READY_SECONDS:g}), {who}"
            if not start.undisturbed:
                yield "The machine is busy, so only the time on a processor counts"
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
    start = starting.start(images.archive("sidecar"), scratch) if starting.possible() else None
    return Report(images=images, contents=contents, start=start)
