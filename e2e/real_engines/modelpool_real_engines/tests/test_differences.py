"""The table of known differences, its page, and the sum of a run."""

import re
from pathlib import Path

from modelpool_real_engines import differences
from modelpool_real_engines.differences import KNOWN, Pair
from modelpool_real_engines.ledger import Entry, Ledger
from modelpool_real_engines.shapes import Difference

PAGE = Path(__file__).parents[4] / "docs" / "reference" / "differences.md"


def test_the_page_is_made_from_the_table() -> None:
    assert PAGE.read_text() == differences.page(), (
        "run: python -m modelpool_real_engines page > docs/reference/differences.md"
    )


def test_each_explanation_is_whole() -> None:
    for one in KNOWN:
        re.compile(one.calls)
        re.compile(one.where)
        assert one.reason.endswith("."), one
        assert "|" not in one.title + one.reason, one
    assert len({one.title for one in KNOWN}) == len(KNOWN)


def test_a_run_is_summed_up_in_its_last_line() -> None:
    ledger = Ledger()
    unknown = Difference(where="status", reference="200", gateway="418")
    ledger.add(Entry(pair=Pair.VLLM, call="chat", found=()))
    ledger.add(Entry(pair=Pair.VLLM, call="tea", found=(unknown,)))
    told = list(ledger.lines())
    assert told[-1] == "calls=2 same=1 differing=1"
    assert any("tea" in line and line.endswith("DIFFERS") for line in told)
    assert ledger.entries[1].unexplained() == (unknown,)
    assert len(ledger.unused()) == len(KNOWN)
