"""The demand that the gateway shows, over real sockets: the document that an operator decides replicas by."""

import asyncio
import json
from pathlib import Path
from typing import Any

from .scenes import Scene, backend, document, put, scene, until
from .scripted import engine
from .test_waiting import Gated, ask, waiting


async def shown(gate: Scene) -> dict[str, Any]:
    async with gate.get("/modelpool/demand") as answer:
        assert answer.status == 200
        told: dict[str, Any] = json.loads(await answer.read())
        return told


async def test_every_model_is_shown_with_what_is_asked_of_it(tmp_path: Path) -> None:
    gated = Gated()
    async with engine(gated) as vllm, scene(tmp_path, document(backend("vllm", vllm.url, room=1))) as gate:
        await gate.until_ready(True)
        before = await shown(gate)
        nobody = {"inFlight": 0, "pending": 0, "secondsSinceLastRequest": None}
        model = {"pool": {"namespace": "llm", "name": "agentic"}, "model": "qwen3:8b"}
        assert (before["version"], before["models"]) == (1, [{**model, **nobody}])
        async with asyncio.TaskGroup() as group:
            for number in range(3):
                group.create_task(ask(gate), name=f"ask {number}")
            await until(lambda: waiting(gate) == 2, seen=lambda: waiting(gate))
            (busy,) = (await shown(gate))["models"]
            assert (busy["inFlight"], busy["pending"]) == (1, 2)
            for _ in range(3):
                gated.permits.release()
        after = await shown(gate)
        (quiet,) = after["models"]
        assert (quiet["inFlight"], quiet["pending"]) == (0, 0)
        assert 0 <= quiet["secondsSinceLastRequest"] < after["upSeconds"]
        assert before["upSeconds"] < after["upSeconds"]


async def test_a_request_is_held_until_its_engine_has_started(tmp_path: Path) -> None:
    """As when a model was scaled to zero: its Service has no address until somebody asks."""
    gated = Gated()
    async with engine(gated) as vllm:
        asleep = backend("vllm", "http://127.0.0.1:9", startsOnDemand=True)
        async with scene(tmp_path, document(asleep)) as gate, asyncio.TaskGroup() as group:
            asked = group.create_task(ask(gate), name="ask")
            await until(lambda: waiting(gate) == 1, seen=lambda: waiting(gate))
            gated.permits.release()
            put(gate.routes, document(backend("vllm", vllm.url, startsOnDemand=True)))
            answer = await asked
        assert (answer.status, answer.headers["X-ModelPool-Route"]) == (200, "primary")
