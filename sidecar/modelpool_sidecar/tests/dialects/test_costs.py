"""No body is much more work than its bytes. `hostile_bodies` prints what each costs."""

import pytest

from .hostile_bodies import BODIES, Hostile, cost

SIZE = 8 * 1024 * 1024
MOST_MS = 2500.0
"""Of the processor, on a busy machine. The worst takes a fifth of it on an idle one; without bounds it was 10 s."""


@pytest.mark.parametrize("hostile", BODIES, ids=lambda one: one.name)
def test_what_a_hostile_body_costs(hostile: Hostile) -> None:
    found = cost(hostile, SIZE)
    assert sum(found.values()) < MOST_MS, found
