"""Calls that fail by the client's own doing: what it sends, and why no gateway can answer it as it should.

A test of such a call must fail; when a newer version of the client does better, its line here goes.
"""

from typing import Final

FAULTS: Final[dict[tuple[str, str, str], str]] = {}
"""By client, call and engine (`*`: of both): what the client sends."""


def fault(client: str, call: str, engine: str) -> str:
    """What the client does wrong in this call; nothing when it does not."""
    return FAULTS.get((client, call, engine)) or FAULTS.get((client, call, "*"), "")
