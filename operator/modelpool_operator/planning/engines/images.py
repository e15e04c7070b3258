"""Which images the engines run where the pool names none, and which versions of the engines this operator knows.

The CRD writes no image into a pool: one that names none follows its operator, whose arguments and whose engine then
belong together. An image that is named stays, whatever it is; where its tag is a version that nobody here has tried,
the pool is told.
"""

import re
from typing import Final, NamedTuple

from modelpool_operator.api.models import Engine
from modelpool_operator.api.pool import PoolSpec


class Release(NamedTuple):
    """What an engine is here."""

    image: str
    """Where the pool names none."""
    repository: str
    """The last part of the images' names whose tags are the engine's versions."""
    known: tuple[str, ...]
    """Versions whose arguments, words and answers were tried, oldest first."""


RELEASES: Final = {
    Engine.VLLM: Release("vllm/vllm-openai:v0.33.0", "vllm-openai", ("0.32", "0.33")),
    Engine.OLLAMA: Release("ollama/ollama:0.33.0", "ollama", ("0.33",)),
}
WRITTEN_BY_THE_CRD: Final = {Engine.VLLM: "vllm/vllm-openai:v0.33.0", Engine.OLLAMA: "ollama/ollama:0.33.0"}
"""What CRDs up to 0.1 wrote into every pool, so that nobody can tell whether its user named it."""

_TAG: Final = re.compile(r"(?:^|/)([^/:@]+):v?(\d+\.\d+)(?:[.-][^@]*)?(?:@.*)?$")


def image_of(spec: PoolSpec, engine: Engine) -> str:
    """Return the image of an engine: the one that the pool names, else this operator's."""
    return _named(spec, engine) or RELEASES[engine].image


def note_on(spec: PoolSpec, engine: Engine) -> str | None:
    """Return what the user should know of an image that the pool names, or None."""
    named, release = _named(spec, engine), RELEASES[engine]
    if named == WRITTEN_BY_THE_CRD[engine] != release.image:
        return (
            f"`{engine.value}.image` is '{named}', which an earlier CRD wrote into every pool: remove the field to have"
            f" '{release.image}', for which this operator is made"
        )
    return version_note(engine.value, named, release)


def version_note(field: str, named: str | None, release: Release) -> str | None:
    """Return that an image is of a version which nobody here has tried, or None.

    Args:
        field: the part of the spec that names it.
        named: the image, or None where the pool names none.
        release: what this operator knows of the engine.
    """
    found = _TAG.search(named) if named is not None and named != release.image else None
    if found is None or found[1] != release.repository or found[2] in release.known:
        return None
    known = f"this operator knows {' and '.join(release.known)}: the engine may not take its arguments"
    return f"`{field}.image` is version {found[2]}, and {known}"


def _named(spec: PoolSpec, engine: Engine) -> str | None:
    return spec.vllm.image if engine is Engine.VLLM else spec.ollama.image
