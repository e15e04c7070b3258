"""What is watched and with what right: by looking at what kopf was told, and by calling the handlers."""

import asyncio
import itertools
from typing import Any

import kopf
import pytest

from modelpool_operator.api import names
from modelpool_operator.api.names import ObjectRef
from modelpool_operator.cluster import kinds
from modelpool_operator.handlers import lifecycle, watches
from modelpool_operator.handlers.memo import Changes, Memo
from modelpool_operator.handlers.readiness import Readiness
from modelpool_operator.handlers.workqueue import WorkQueue
from modelpool_operator.planning.manifests import OPTIONAL_KINDS


async def _nobody() -> kopf.ConnectionInfo:
    raise AssertionError("must not log in")


pool_changed: Any = watches.pool_changed
child_changed: Any = watches.child_changed
"""As kopf calls them: it gives more arguments than they take, and its types demand them all."""


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


async def test_a_child_wakes_the_pool_of_its_label(memo: Memo) -> None:
    body = kopf.Body({"metadata": {"namespace": "llm", "name": "x", "labels": {names.POOL_LABEL: "agentic"}}})
    await child_changed(body=body, memo=memo)
    assert await memo.queue.get() == ObjectRef("llm", "agentic")


async def test_what_belongs_to_no_pool_wakes_nobody(memo: Memo) -> None:
    await child_changed(body=kopf.Body({"metadata": {"namespace": "llm", "name": "x"}}), memo=memo)
    assert len(memo.queue) == 0


def _resource(kind: kinds.Kind) -> kopf.Resource:
    group, _, version = kind.api_version.rpartition("/")
    return kopf.Resource(group=group, version=version, plural=kind.plural, preferred=True)


OWNED = [kind for kind in (*kinds.CHILDREN, kinds.PODS) if kind.kind not in OPTIONAL_KINDS]
"""A kind that an older cluster does not serve cannot be watched there; its pods tell what becomes of it."""


@pytest.mark.parametrize("kind", OWNED, ids=lambda kind: kind.plural)
def test_every_kind_that_we_own_is_watched_by_our_label_alone(kind: kinds.Kind) -> None:
    settings = kopf.OperatorSettings()
    lifecycle.configure(settings)
    resource = _resource(kind)
    assert any(selector.check(resource) for selector in watches.REGISTRY._watching.get_all_selectors())
    (selector,) = settings.watching.label_selectors.collect(resource)
    assert selector == "app.kubernetes.io/managed-by=modelpool-operator,modelpool.dev/pool"


def test_pools_are_watched_whatever_their_labels() -> None:
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
