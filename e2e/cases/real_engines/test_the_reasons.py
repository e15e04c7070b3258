"""The last case: no reason for a difference outlives the difference."""

import pytest

from modelpool_real_engines.ledger import Ledger

pytestmark = pytest.mark.engines


def test_every_explanation_is_needed(ledger: Ledger) -> None:
    if len(ledger.entries) < 400:
        pytest.skip("only part of the calls were made")
    assert not ledger.unused(), "\n".join(one.title for one in ledger.unused())
