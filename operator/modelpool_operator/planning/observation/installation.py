"""What the operator's own installation means for every pool: where its gateways are, and whether engines have keys."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """Of one pool, as far as plans depend on it. Without any of it engines are open, as those of a file's pool are."""

    gateways: str | None = None
    """The namespace of the gateways; None where the operator was told of none."""
    key_mark: str | None = None
    """Which release key the engines' keys are made of; None: engines have no keys."""
    key_asked_for: str | None = None
    """While nobody knows the release key: the Secret that the pool's engines ask for, or none that there is."""
