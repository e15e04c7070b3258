"""How much disk models of Ollama's library take, so that a pull that cannot end is not begun.

In decimal units, as `ollama list` and the library's pages show them, for the tag as it stands here: most are Q4_K_M.
Sizes are rounded there, and a tag may move on; a test compares them with what the models' dimensions say. What is not
here is pulled without a check.
"""

from typing import Final

MEGABYTE: Final = 10**6

_MEGABYTES: Final = {
    "cogito": {"3b": 2200, "8b": 4900, "14b": 9000, "32b": 20000, "70b": 43000},
    "deepseek-r1": {"1.5b": 1100, "7b": 4700, "8b": 5200, "14b": 9000, "32b": 20000, "70b": 43000},
    "gemma3": {"1b": 815, "4b": 3300, "12b": 8100, "27b": 17000},
    "gpt-oss": {"20b": 14000, "120b": 65000},
    "llama3.1": {"8b": 4900, "70b": 43000},
    "llama3.2": {"1b": 1300, "3b": 2000},
    "llama3.3": {"70b": 43000},
    "mistral": {"7b": 4400},
    "mistral-small": {"24b": 14000},
    "phi4": {"14b": 9100},
    "qwen2.5": {"0.5b": 398, "1.5b": 986, "3b": 1900, "7b": 4700, "14b": 9000, "32b": 20000, "72b": 47000},
    "qwen2.5-coder": {"0.5b": 398, "1.5b": 986, "3b": 1900, "7b": 4700, "14b": 9000, "32b": 20000},
    "qwen2.5vl": {"7b": 6000},
    "qwen3": {
        "0.6b": 523,
        "1.7b": 1400,
        "4b": 2500,
        "4b-instruct-2507-q8_0": 4300,
        "8b": 5200,
        "14b": 9300,
        "30b": 19000,
        "32b": 20000,
    },
}

SIZES: Final = {
    f"{family}:{tag}": amount * MEGABYTE for family, tags in _MEGABYTES.items() for tag, amount in tags.items()
}
"""Bytes by name."""


def size_of(name: str) -> int | None:
    """Return the bytes of a model on disk, or None where nobody knows."""
    return SIZES.get(name.lower().removeprefix("registry.ollama.ai/").removeprefix("library/"))
