"""Where a model's weights come from: the three forms of `source`, told apart once."""

import re
from dataclasses import dataclass
from typing import Final

from modelpool_operator.planning.memory.refusals import Refusal

_HUB: Final = re.compile(r"hf://(?P<repository>[\w.-]+(?:/[\w.-]+)?)(?:@(?P<revision>[\w./-]+))?")
_CLAIM: Final = re.compile(r"pvc://(?P<claim>[a-z0-9]([a-z0-9.-]*[a-z0-9])?)(?P<path>/[^@]*)?")
_OLLAMA: Final = re.compile(r"ollama://(?P<name>\S+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hub:
    """A repository of the Hugging Face Hub or a mirror of it."""

    repository: str
    revision: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A folder on a PersistentVolumeClaim of the pool's namespace."""

    claim: str
    path: str
    """Without a leading slash; empty for the volume itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OllamaName:
    """A name that `ollama pull` understands."""

    name: str


Source = Hub | Claim | OllamaName


def parse_source(text: str) -> Source | Refusal:
    """Return the source that `text` names, or what is wrong with it."""
    if match := _HUB.fullmatch(text):
        return Hub(repository=match["repository"], revision=match["revision"])
    if (match := _CLAIM.fullmatch(text)) and ".." not in (match["path"] or "").split("/"):
        return Claim(claim=match["claim"], path=(match["path"] or "").strip("/"))
    if match := _OLLAMA.fullmatch(text):
        return OllamaName(name=match["name"])
    return Refusal(
        reason="InvalidSource",
        message=f"`source` must be 'hf://repository[@revision]', 'pvc://claim/path' or 'ollama://name', got '{text}'",
    )
