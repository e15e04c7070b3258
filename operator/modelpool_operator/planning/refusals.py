"""Why a pool cannot be planned. A refusal is a value, not an exception: it is shown, and touches nothing that runs."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A plan that cannot be made."""

    reason: str
    """PascalCase, stable: the reason of the condition `Planned`."""
    message: str
    """A sentence for the user, with the numbers that led here."""
