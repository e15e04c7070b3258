"""Which gateway is measured: that the compiled one is what really runs, and that without a compiler its sources do."""

import os
import sys
from pathlib import Path

import pytest

from modelpool_under_test.compiled import NoCompilerError

from .. import built, peers, starting
from ..built import COMPILED, INTERPRETED, Build
from ..load import Load


@pytest.mark.timeout(420)  # the gateway may have to be compiled first
@pytest.mark.skipif(sys.platform != "linux", reason="what a process has loaded is read as Linux has it")
@pytest.mark.parametrize("name", [peers.OURS, peers.INTERPRETED])
def test_what_is_started_is_what_is_said(name: str, callers: Load, tmp_path: Path) -> None:
    peer = next(one for one in peers.ALL if one.name == name)
    kind = built.measured().kind if name == peers.OURS else INTERPRETED
    with starting.running(peer, tmp_path, callers.url, None, os.environ) as target:
        assert built.kind_of(target.pids[0]) == kind


def test_without_a_compiler_it_is_interpreted_and_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(_: object) -> Path:
        raise NoCompilerError("no gcc here")

    monkeypatch.setattr(built, "compiled_tree", refuse)
    assert built.measured.__wrapped__() == Build(kind=INTERPRETED, tree=None)
    assert "no gcc here" in capsys.readouterr().err


def test_the_tree_comes_before_what_is_on_the_path_already(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    assert Build(kind=COMPILED, tree=Path("/tree")).environ() == {"PYTHONPATH": "/tree:/elsewhere"}
    assert Build(kind=INTERPRETED, tree=None).environ() == {}
