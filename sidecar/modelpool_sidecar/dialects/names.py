"""Names of models as Ollama writes them. Which names are the same is `routing.table.folded`'s to say."""

from typing import Final

_DEFAULT_TAG: Final = "latest"


def with_tag(name: str) -> str:
    """The name with its tag, `latest` when it has none; the rest as given."""
    last = name.rsplit("/", 1)[-1]
    return name if ":" in last else f"{name}:{_DEFAULT_TAG}"
