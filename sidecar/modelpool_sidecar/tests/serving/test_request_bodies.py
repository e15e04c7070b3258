"""Large bodies: bounded by what they hold, and worked on where they keep nobody waiting."""

import gc
import json
import threading
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from modelpool_sidecar.dialects import calls, json_structure
from modelpool_sidecar.dialects.calls import Call
from modelpool_sidecar.http.limits import Limit, Limits
from modelpool_sidecar.serving import request_bodies
from modelpool_sidecar.serving.attempt import Attempt
from modelpool_sidecar.serving.request_bodies import RequestBodies
from modelpool_sidecar.translation import Backend, Exchange, Translation

from ..compiled import patches_what_is_compiled
from ..gateway.scenes import CHAT, backend, document, scene
from ..gateway.scripted import Received, engine
from ..gateway.test_limits import DIALECTS, gates, told


def large(**more: Any) -> bytes:
    """Neither small nor light."""
    return json.dumps(CHAT | {"x": ["y" * 10] * 20_000} | more).encode()


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_body_that_holds_too_much(tmp_path: Path, dialect: str) -> None:
    async with gates(tmp_path, max_body_values=1000) as (gate, vllm):
        body = json.dumps(CHAT | {"context": [1] * 1000}).encode()
        async with gate.post(DIALECTS[dialect], body) as response:
            assert response.status == 400
            assert told(await response.read(), dialect) == "the request body holds more than 1000 values"
        assert not vllm.received
        async with gate.get("/metrics") as response:
            assert 'modelpool_gateway_limits_reached_total{limit="body_values"} 1.0' in await response.text()
        async with gate.post(DIALECTS[dialect], json.dumps(CHAT | {"x": "[1,2,3]," * 1000}).encode()) as response:
            assert response.status == 200


async def test_what_ollama_shows_is_bounded_too(tmp_path: Path) -> None:
    body = {"model": "qwen3:8b", "x": [1] * 1000}
    async with gates(tmp_path, max_body_values=1000) as (gate, _), gate.post("/api/show", body) as response:
        assert response.status == 400
        assert told(await response.read(), "ollama") == "the request body holds more than 1000 values"


@pytest.mark.parametrize("path", [*DIALECTS.values(), "/api/generate"])
async def test_a_large_body_arrives_whole(tmp_path: Path, path: str) -> None:
    async with gates(tmp_path) as (gate, vllm):
        said = "z" * 300_000
        async with gate.post(path, large(prompt=said, messages=[{"role": "user", "content": said}])) as response:
            assert response.status == 200
        assert len(vllm.received[0].body) > 300_000


async def test_a_large_body_gets_the_engines_name(tmp_path: Path) -> None:
    async with gates(tmp_path) as (gate, vllm):
        for name in ("QWEN3:8B", "qwen3:8b"):
            async with gate.post("/v1/chat/completions", large(model=name)) as response:
                assert response.status == 200
        assert [one.body for one in vllm.received] == [large(model="qwen3:8b")] * 2


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_long_name_is_not_told_back(tmp_path: Path, dialect: str) -> None:
    async with gates(tmp_path) as (gate, vllm):
        for length, status in ((1000, 404), (1025, 400), (2_000_000, 400)):
            async with gate.post(DIALECTS[dialect], CHAT | {"model": "m" * length}) as response:
                assert response.status == status
                assert len(told(await response.read(), dialect)) < 1200
        assert max(len(line.error) for line in gate.log.lines) <= 1100
        assert not vllm.received


@pytest.mark.parametrize("path", ["/api/chat", "/v1/chat/completions"])
async def test_a_request_that_failed_keeps_no_body(tmp_path: Path, path: str) -> None:
    async def fails(request: Received) -> None:
        status = 200 if request.json.get("stream") else 500
        await request.answer(b"{}", status=status)

    async with engine(fails) as vllm, scene(tmp_path, document(backend("vllm", vllm.url))) as gate:
        await gate.until_ready(True)
        gc.collect()
        gc.disable()
        try:
            async with gate.post(path, large()) as response:
                assert response.status == 500
            await gate.until_idle()
            assert not [one for one in gc.get_objects() if isinstance(one, Attempt)]
        finally:
            gc.enable()


@pytest.mark.parametrize(
    ("more", "light"),
    [
        ({}, True),
        ({"x": "y, z: " * 2000}, True),
        ({"x": "y" * 400_000}, True),
        ({"x": "y" * 600_000}, False),
        ({"x": "y," * 100_000}, False),  # punctuation is counted as if it parted values
        ({"x": [1] * 60_000}, False),
    ],
)
async def test_light_is_what_is_small_or_mostly_text(more: dict[str, Any], light: bool) -> None:
    bodies = RequestBodies(Limits())
    try:
        assert bodies.is_light(json.dumps(CHAT | more).encode()) == light
    finally:
        bodies.close()


def call(path: str) -> Call:
    found = calls.resolve("POST", path)
    assert isinstance(found, Call)
    return found


OLLAMA_CHAT = call("/api/chat")


@patches_what_is_compiled
async def test_only_large_bodies_leave_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    bodies = RequestBodies(Limits())
    where: list[str] = []

    def noted(work: Any, *given: Any, **named: Any) -> Any:
        where.append(threading.current_thread().name)
        return work(*given, **named)

    for module, name in ((json_structure, "has_more_values"), (request_bodies, "translate")):
        monkeypatch.setattr(module, name, partial(noted, getattr(module, name)))
    try:
        assert (await bodies.read(json.dumps(CHAT).encode(), "", OLLAMA_CHAT)).facts.model == "qwen3:8b"
        assert not where
        body = await bodies.read(large(), "", OLLAMA_CHAT)
        made = await bodies.translated(Translation.CHAT, body, Backend(model="other"), epoch_ns=0)
        assert body.facts.model == "qwen3:8b"
        assert isinstance(made, Exchange)
        assert where == ["large bodies_0"] * 2
    finally:
        bodies.close()


async def test_a_refusal_is_counted_once() -> None:
    limits = Limits(max_body_values=10)
    bodies = RequestBodies(limits)
    try:
        with pytest.raises(Exception, match="more than 10 values"):
            await bodies.read(b"[" * 11, "", call("/v1/chat/completions"))
    finally:
        bodies.close()
    assert limits.counts[Limit.BODY_VALUES.value] == 1
