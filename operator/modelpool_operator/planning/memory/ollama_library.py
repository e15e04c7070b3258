"""How much disk models of Ollama's library take, so that a pull that cannot end is not begun.

In decimal units, as `ollama list` and the library's pages show them, for the tag as it stands here: most are Q4_K_M.
Sizes are rounded there, and a tag may move on; a test compares them with what the models' dimensions say. What is not
here is pulled without a check.
"""

from collections.abc import Mapping
from typing import Final

MEGABYTE: Final = 10**6

QUOTED: Final = (
    "the library's pages, as presenton/presenton quotes them in servers/fastapi/constants/supported_ollama_models.py"
)
LISTED: Final = "what `ollama list` or `/api/tags` says of the tag, as users have published it"
ALIKE: Final = "a tag of the same dimensions and quantization"

_MEGABYTES: Final[Mapping[str, Mapping[str, Mapping[str, int]]]] = {
    QUOTED: {
        "deepseek-r1": {"1.5b": 1100, "7b": 4700, "8b": 5200, "14b": 9000, "32b": 20000, "70b": 43000},
        "gemma3": {"1b": 815, "4b": 3300, "12b": 8100, "27b": 17000},
        "llama3.1": {"8b": 4900, "70b": 43000},
        "llama3.2": {"1b": 1300, "3b": 2000},
        "llama3.3": {"70b": 43000},
        "qwen3": {"0.6b": 523, "1.7b": 1400, "8b": 5200, "14b": 9300, "30b": 19000, "32b": 20000},
    },
    LISTED: {
        "cogito": {"8b": 4900, "14b": 9000, "32b": 20000},
        "gpt-oss": {"20b": 14000, "120b": 65000},
        "mistral": {"7b": 4400},
        "mistral-small": {"24b": 14334},
        "phi4": {"14b": 9053},
        "qwen2.5": {"0.5b": 398, "1.5b": 986, "7b": 4700, "14b": 9000, "32b": 20000, "72b": 47000},
        "qwen2.5-coder": {"1.5b": 986, "7b": 4700, "14b": 9000, "32b": 20000},
        "qwen2.5vl": {"7b": 6000},
        "qwen3": {"4b": 2500, "4b-instruct-2507-q8_0": 4300},
    },
    ALIKE: {
        "cogito": {"3b": 2200, "70b": 43000},
        "qwen2.5": {"3b": 1900},
        "qwen2.5-coder": {"0.5b": 398, "3b": 1900},
    },
}
"""By source, family and tag."""

SOURCES: Final = {
    f"{family}:{tag}": source
    for source, families in _MEGABYTES.items()
    for family, tags in families.items()
    for tag in tags
}
"""Where a size comes from, by name."""

SIZES: Final = {
    f"{family}:{tag}": amount * MEGABYTE
    for families in _MEGABYTES.values()
    for family, tags in families.items()
    for tag, amount in tags.items()
}
"""Bytes by name."""


def size_of(name: str) -> int | None:
    """Return the bytes of a model on disk, or None where nobody knows."""
    return SIZES.get(name.lower().removeprefix("registry.ollama.ai/").removeprefix("library/"))
