"""How a requested model name finds a configured one.

Ollama's rules: case does not matter, a missing tag means `latest`, and the default registry and namespace may be
spelt out. A name exactly as configured always wins over a name that is merely equal by these rules.
"""

from collections.abc import Iterable
from typing import Final

_DEFAULT_PREFIXES: Final = ("registry.ollama.ai/library/", "library/")
_DEFAULT_TAG: Final = "latest"


def canonical(name: str) -> str:
    """The spelling under which equal names meet: lower case, no default registry, an explicit tag."""
    return with_tag(_without_default_registry(name.strip().lower()))


def with_tag(name: str) -> str:
    """The name with its tag, `latest` when it has none; the rest as given."""
    last = name.rsplit("/", 1)[-1]
    return name if ":" in last else f"{name}:{_DEFAULT_TAG}"


def match(requested: str, configured: Iterable[str]) -> str | None:
    """The configured name that a requested name means: the exact one, else the first equal by Ollama's rules."""
    wanted = canonical(requested)
    found: str | None = None
    for name in configured:
        if name == requested:
            return name
        if found is None and canonical(name) == wanted:
            found = name
    return found


def _without_default_registry(name: str) -> str:
    for prefix in _DEFAULT_PREFIXES:
        if name.startswith(prefix):
            return name.removeprefix(prefix)
    return name
