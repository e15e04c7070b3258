"""The page about a pass names the modules that a pool comes by, from the handler to its status, in their order."""

import re
import sys
from collections import Counter
from pathlib import Path
from types import FrameType

import pytest

from modelpool_operator.handlers.reconcile import Reconciler
from modelpool_operator.planning.changes import child_changes
from modelpool_operator.planning.objects.identity import ChildRef, Manifest, ref_of
from modelpool_operator.planning.observation.observed import Observed
from modelpool_operator.tests.cluster.api_server import ApiServer
from modelpool_operator.tests.handlers.test_reconcile import MODEL, REF, clock, put_pool, reconciler, server

__all__ = ["clock", "reconciler", "server"]

PAGE = Path(__file__).parents[4] / "docs" / "concepts" / "pass.md"
PACKAGE = "modelpool_operator."
ONCE = (
    ("planning.changes.plan", "make_plan"),
    ("planning.changes.ollama_volume", "volume_of"),
    ("planning.placement.pool_placement", "choose_sharing"),
    ("planning.placement.pool_placement", "offered_to"),
    ("planning.placement.pool_placement", "place_pool"),
    ("planning.placement.spec_checks", "objection_to"),
    ("planning.manifests.children", "children_of"),
    ("planning.reporting.status", "assess"),
    ("planning.reporting.model_states", "models_of"),
)
"""Questions about a pool. Those about a child are asked once for each."""
Trace = Counter[tuple[str, str]]


async def traced(reconciler: Reconciler) -> Trace:
    """The operator's functions that one pass calls, by module."""
    passed: Trace = Counter()

    def note(frame: FrameType, event: str, _: object) -> None:
        name = frame.f_globals.get("__name__", "")
        if event == "call" and name.startswith(PACKAGE) and ".tests." not in name:
            passed[name.removeprefix(PACKAGE), frame.f_code.co_name] += 1

    sys.setprofile(note)
    try:
        await reconciler.reconcile(REF)
    finally:
        sys.setprofile(None)
    return passed


def documented() -> list[str]:
    """What the tables of the page name."""
    return re.findall(r"^\| `((?:api|handlers|planning)\.[a-z_.]+)` \|", PAGE.read_text(), re.MULTILINE)


def modules(passed: Trace) -> list[str]:
    """What of the trace decides, in the order in which it was come by first."""
    found = dict.fromkeys(module for module, _ in passed)
    return [module for module in found if module.partition(".")[0] in ("api", "handlers", "planning")]


async def test_a_pass_comes_by_the_modules_that_the_page_names(server: ApiServer, reconciler: Reconciler) -> None:
    put_pool(server, MODEL)
    await reconciler.reconcile(REF)
    await reconciler.reconcile(REF)
    assert modules(await traced(reconciler)) == documented()


async def test_no_question_is_asked_twice_in_a_pass(
    server: ApiServer, reconciler: Reconciler, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[ChildRef] = []

    def change_of(wanted: Manifest, observed: Observed) -> child_changes.Change | None:
        asked.append(ref_of(wanted))
        return found(wanted, observed)

    found = child_changes.change_of
    monkeypatch.setattr(child_changes, "change_of", change_of)
    put_pool(server, MODEL)
    await reconciler.reconcile(REF)
    await reconciler.reconcile(REF)
    asked.clear()
    passed = await traced(reconciler)
    assert {question: passed[question] for question in ONCE} == dict.fromkeys(ONCE, 1)
    assert len(asked) == len(set(asked)) > 0
