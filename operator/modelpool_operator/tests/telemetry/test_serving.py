"""Health and metrics over a real socket."""

import socket

import aiohttp
import pytest

from modelpool_operator.telemetry import serving
from modelpool_operator.telemetry.metrics import Metrics


async def _fetch(port: int, path: str, host: str = "127.0.0.1") -> tuple[int, str]:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://{host}:{port}{path}") as answer,
    ):
        return answer.status, await answer.text()


async def test_probes_say_what_is_wrong() -> None:
    problems: list[str | None] = ["not yet", None]
    app = serving.health(alive=lambda: None, ready=lambda: problems.pop(0))
    async with serving.serving(app, host="127.0.0.1", port=0, what="health") as port:
        assert await _fetch(port, "/healthz") == (200, "ok")
        assert await _fetch(port, "/readyz") == (503, "not yet")
        assert await _fetch(port, "/readyz") == (200, "ok")


async def test_metrics_are_shown_as_they_are_now() -> None:
    depth = [3]
    metrics = Metrics(queue_depth=lambda: depth[0], pools=lambda: 1)
    metrics.reconciles.labels("planned").inc()
    async with serving.serving(serving.metrics(metrics.registry), host="127.0.0.1", port=0, what="metrics") as port:
        status, text = await _fetch(port, "/metrics")
        assert status == 200
        assert 'modelpool_operator_reconciles_total{outcome="planned"} 1.0' in text
        assert "modelpool_operator_queue_depth 3.0" in text
        depth[0] = 4
        assert "modelpool_operator_queue_depth 4.0" in (await _fetch(port, "/metrics"))[1]


async def test_a_metric_of_every_name_that_the_documents_promise() -> None:
    families = {family.name for family in Metrics(queue_depth=lambda: 0, pools=lambda: 0).registry.collect()}
    assert families == {
        "modelpool_operator_reconciles",
        "modelpool_operator_reconcile_duration_seconds",
        "modelpool_operator_queue_depth",
        "modelpool_operator_writes",
        "modelpool_operator_api_errors",
        "modelpool_operator_pools",
    }


@pytest.mark.parametrize("both", [True, False])
async def test_all_addresses_are_those_of_both_families_where_the_machine_has_both(
    monkeypatch: pytest.MonkeyPatch, both: bool
) -> None:
    has = socket.has_dualstack_ipv6()
    monkeypatch.setattr(socket, "has_dualstack_ipv6", lambda: both and has)
    app = serving.health(alive=lambda: None, ready=lambda: None)
    async with serving.serving(app, host="::", port=0, what="health") as port:
        assert await _fetch(port, "/healthz") == (200, "ok")
        if both and has:
            assert await _fetch(port, "/healthz", host="[::1]") == (200, "ok")
