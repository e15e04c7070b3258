"""The soak, short: what `make soak` holds over many requests; and that its requests are what they should be."""

import json
import sys
from collections import Counter
from pathlib import Path

import pytest

from ..built import INTERPRETED, Build
from ..soak import fates, scenes
from ..soak.__main__ import SCENES
from ..soak.fates import Fate


def test_aborts_are_as_many_as_were_asked_for_and_of_all_kinds() -> None:
    asked = [fates.asked(number, 50) for number in range(20_000)]
    assert sum(one.fate is not Fate.FINE for one in asked) == 1000
    kinds = Counter((one.path, one.fate) for one in asked)
    assert {fate for _, fate in kinds} == set(Fate)
    assert len(kinds) == 2 * len(Fate)
    assert {fates.read(one.body)[1] for one in asked} == set(Fate)
    assert len({fates.read(one.body)[0] for one in asked}) == len(asked)


@pytest.mark.timeout(240)
@pytest.mark.skipif(sys.platform != "linux", reason="what another process holds is read as Linux has it")
@pytest.mark.parametrize("engines", SCENES, ids="+".join)
def test_no_request_is_refused_while_an_engine_lives(tmp_path: Path, engines: tuple[str, ...]) -> None:
    verdict = scenes.soaked(tmp_path, engines, 1200, 100, Build(kind=INTERPRETED, tree=None))
    assert verdict["passes"], json.dumps(verdict)
    assert (verdict["requests"], verdict["aborted"], verdict["refused"]) == (1200, 120, 0)
