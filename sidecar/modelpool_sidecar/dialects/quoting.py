"""How much of what somebody sent is repeated to them, or written into a log."""

from typing import Final

LONGEST_QUOTE: Final = 200
"""Characters of what a caller sent that are told back to it, and of names in a log."""
LONGEST_NAME: Final = 1024
"""Characters of a model's name. No registry has longer ones."""


def cut(text: str, longest: int = LONGEST_QUOTE) -> str:
    """A text for a message or a log: not longer than this, and one can see that something is missing."""
    return text if len(text) <= longest else f"{text[:longest]}… ({len(text)} characters)"
