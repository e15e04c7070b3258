"""Names of models: `[host/][namespace/]model[:tag]`.

Pure. Names match whatever their case; the short form leaves out the default host and namespace.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]*")


class InvalidNameError(ValueError):
    """The text is no model name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Name:
    """A model's full name."""

    host: str = "registry.ollama.ai"
    namespace: str = "library"
    model: str
    tag: str = "latest"

    @property
    def short(self) -> str:
        """As `ollama list` shows it."""
        defaults = Name(model=self.model)
        host = f"{self.host}/" if self.host != defaults.host else ""
        namespace = f"{self.namespace}/" if host or self.namespace != defaults.namespace else ""
        return f"{host}{namespace}{self.model}:{self.tag}"

    @property
    def key(self) -> str:
        """Equal for names that mean the same model."""
        return f"{self.host}/{self.namespace}/{self.model}:{self.tag}".lower()


def parse(text: str) -> Name:
    """Read a name; raises InvalidNameError."""
    path, colon, tag = text.rpartition(":") if ":" in text.rsplit("/", 1)[-1] else (text, "", "")
    parts = path.split("/")
    written = [*parts, tag] if colon else parts
    if len(parts) > 3 or not all(_PART.fullmatch(part.replace(":", "")) for part in written):
        raise InvalidNameError(f"invalid model name: {text!r}")
    given = {"tag": tag} if tag else {}
    match parts:
        case [model]:
            return Name(model=model, **given)
        case [namespace, model]:
            return Name(namespace=namespace, model=model, **given)
        case _:
            return Name(host=parts[0], namespace=parts[1], model=parts[2], **given)
