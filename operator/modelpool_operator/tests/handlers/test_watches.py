"""What is watched and with what right: by looking at what kopf was told, and by calling the handlers."""

import asyncio
import itertools
from typing import Any

import kopf
import pytest

from modelpool_operator.api.names import ObjectRef
from modelpool_operator.cluster import kinds
from modelpool_operator.handlers import lifecycle, watches
from modelpool_operator.handlers.memo import Changes, Memo
from modelpool_operator.handlers.readiness import Readiness
from modelpool_operator.handlers.workqueue import WorkQueue


async def _nobody() -> kopf.ConnectionInfo:
    raise AssertionError("must not log in")


pool_changed: Any = watches.pool_changed
"""As kopf calls it: it gives more arguments than it takes, and its types demand them all."""


@pytest.fixture
def memo() -> Memo:
    return Memo(
        queue=WorkQueue(clock=lambda: 0.0, random=lambda: 0.0),
        readiness=Readiness(),
        changes=Changes(),
        log_in=_nobody,
        started=asyncio.Event(),
        stop=asyncio.Event(),
        stopped=asyncio.Event(),
    )


def pool_event(type_: str | None, **metadata: Any) -> dict[str, Any]:
    raw: Any = {"metadata": {"namespace": "llm", "name": "agentic", "uid": "u", "generation": 1, **metadata}}
    body = kopf.Body(raw)
    return {"event": {"type": type_, "object": body}, "body": body}


async def test_a_pool_wakes_itself_once(memo: Memo) -> None:
    memo.readiness.listed([ObjectRef("llm", "agentic")])
    await pool_changed(**pool_event(None), memo=memo)
    assert await memo.queue.get() == ObjectRef("llm", "agentic")
    memo.queue.succeeded(ObjectRef("llm", "agentic"))
    assert memo.readiness.problem() is None
    await pool_changed(**pool_event("MODIFIED"), memo=memo)
    assert len(memo.queue) == 0
    await pool_changed(**pool_event("DELETED"), memo=memo)
    assert len(memo.queue) == 1


def _resource(kind: kinds.Kind) -> kopf.Resource:
    group, _, version = kind.api_version.rpartition("/")
    return kopf.Resource(group=group, version=version, plural=kind.plural, preferred=True)


def test_pools_are_watched_whatever_their_labels() -> None:
    assert any(selector.check(_resource(kinds.POOLS)) for selector in watches.REGISTRY._watching.get_all_selectors())
    settings = kopf.OperatorSettings()
    lifecycle.configure(settings)
    assert settings.watching.label_selectors.collect(_resource(kinds.POOLS)) == []


def test_no_handler_makes_kopf_write_to_objects() -> None:
    """kopf persists for handlers of changes, daemons, timers and finalizers; of those there must be none."""
    for family in ("_changing", "_spawning", "_indexing", "_webhooks"):
        assert not list(getattr(watches.REGISTRY, family).get_all_handlers()), family


def test_watches_outlast_an_api_server_that_is_away_for_hours() -> None:
    settings = kopf.OperatorSettings()
    lifecycle.configure(settings)
    backoffs = settings.networking.error_backoffs
    assert isinstance(backoffs, lifecycle.Patience)
    for _ in range(2):  # kopf takes it anew for every request.
        assert sum(itertools.islice(backoffs, 1000)) > 8 * 3600
