"""Queues over real sockets: bounds, deadlines, turns, and what a change of the table does to those who wait."""

import asyncio
from pathlib import Path
from typing import Any

from .scenes import CHAT, Scene, backend, document, put, scene, until
from .scripted import Engine, Received, engine

ANSWER = b'{"model":"qwen3:8b","message":{"content":"ollama"},"choices":[],"done":true}'


class Gated:
    """An engine that answers one request each time it is told to."""

    def __init__(self) -> None:
        self.permits = asyncio.Semaphore(0)

    async def __call__(self, request: Received) -> None:
        await self.permits.acquire()
        await request.answer(ANSWER)


async def quick(request: Received) -> None:
    await request.answer(ANSWER)


async def ask(gate: Scene, *, source: str = "a", model: str = "qwen3:8b") -> Any:
    async with gate.post(
        "/v1/chat/completions", CHAT | {"model": model}, headers={"X-Source": source, "User-Agent": source}
    ) as response:
        await response.read()
        return response


async def until_arrived(gate: Scene, engine: Engine, count: int) -> None:
    await until(lambda: len(engine.received) + waiting(gate) == count, seen=lambda: (engine.received, waiting(gate)))


def waiting(gate: Scene) -> int:
    return sum(len(queue) for queue in gate.running.admission.in_flight.queues.values())


async def test_a_request_waits_for_a_slot_and_says_how_long(tmp_path: Path) -> None:
    gated = Gated()
    async with engine(gated) as vllm, scene(tmp_path, document(backend("vllm", vllm.url, room=1))) as gate:
        await gate.until_ready(True)
        async with asyncio.TaskGroup() as group:
            asked = [group.create_task(ask(gate), name=f"ask {number}") for number in range(3)]
            await until(lambda: waiting(gate) == 2, seen=lambda: waiting(gate))
            await until_arrived(gate, vllm, 3)
            view = await (await gate.get("/modelpool/routes")).json()
            shown = view["pools"][0]["models"][0]["backends"][0]
            assert (shown["queueDepth"], shown["endpoints"][0]["inFlight"]) == (2, 1)
            metrics = await (await gate.get("/metrics")).text()
            assert 'queue_depth{backend="vllm",pool="llm/agentic"} 2.0' in metrics
            for _ in asked:
                gated.permits.release()
        answers = [task.result() for task in asked]
        assert [answer.status for answer in answers] == [200] * 3
        assert [answer.headers["X-ModelPool-Route"] for answer in answers] == ["primary"] * 3
        assert any(int(answer.headers["X-ModelPool-Queue-Ms"]) > 0 for answer in answers)


async def test_callers_take_turns(tmp_path: Path) -> None:
    gated = Gated()
    async with engine(gated) as vllm, scene(tmp_path, document(backend("vllm", vllm.url, room=1))) as gate:
        await gate.until_ready(True)
        async with asyncio.TaskGroup() as group:
            for number, source in enumerate(["greedy"] * 4 + ["modest"]):
                group.create_task(ask(gate, source=source), name=f"ask {number}")
                await until_arrived(gate, vllm, number + 1)
            for _ in range(5):
                gated.permits.release()
        order = [request.headers["user-agent"] for request in vllm.received]
        assert order.index("modest") <= 2, order


async def test_a_full_queue_spills_to_the_fallback_and_then_refuses(tmp_path: Path) -> None:
    slow_vllm, slow_ollama = Gated(), Gated()
    async with engine(slow_vllm) as vllm, engine(slow_ollama, models=["qwen3:8b"]) as ollama:
        routes = document(backend("vllm", vllm.url, room=1), backend("ollama", ollama.url, room=1), pending=1)
        async with scene(tmp_path, routes) as gate:
            await gate.until_ready(True, True)
            async with asyncio.TaskGroup() as group:
                asked = [group.create_task(ask(gate), name=f"ask {number}") for number in range(4)]
                await until(lambda: waiting(gate) == 2, seen=lambda: waiting(gate))
                refused = await ask(gate)
                assert (refused.status, refused.headers["Retry-After"]) == (503, "2")
                for gated in (slow_vllm, slow_ollama) * 2:
                    gated.permits.release()
            routes_taken = sorted(task.result().headers["X-ModelPool-Route"] for task in asked)
            assert routes_taken == ["fallback", "fallback", "primary", "primary"]


async def test_a_wait_ends_at_its_deadline(tmp_path: Path) -> None:
    gated = Gated()
    async with (
        engine(gated) as vllm,
        scene(tmp_path, document(backend("vllm", vllm.url, room=1), timeout=0.2)) as gate,
    ):
        await gate.until_ready(True)
        async with asyncio.TaskGroup() as group:
            group.create_task(ask(gate), name="holds the slot")
            await until(lambda: vllm.received, seen=lambda: gate.log.lines)
            refused = await ask(gate)
            assert (refused.status, refused.headers["Retry-After"]) == (503, "5")
            gated.permits.release()


async def test_those_who_wait_for_an_engine_that_dies_go_to_the_fallback(tmp_path: Path) -> None:
    async def dies_when_told(request: Received) -> None:
        await until(lambda: not vllm.healthy or request.gone.is_set(), seen=lambda: request)
        request.die()

    async with engine(dies_when_told) as vllm, engine(quick, models=["qwen3:8b"]) as ollama:
        routes = document(backend("vllm", vllm.url, room=1), backend("ollama", ollama.url, room=1))
        async with scene(tmp_path, routes) as gate:
            await gate.until_ready(True, True)
            async with asyncio.TaskGroup() as group:
                asked = [group.create_task(ask(gate), name=f"ask {number}") for number in range(4)]
                await until_arrived(gate, vllm, 4)
                vllm.healthy = False
            assert [task.result().headers["X-ModelPool-Backend"] for task in asked] == ["ollama"] * 4


async def test_those_who_wait_go_on_when_the_table_gives_room(tmp_path: Path) -> None:
    gated = Gated()
    async with engine(gated) as vllm, scene(tmp_path, document(backend("vllm", vllm.url, room=1))) as gate:
        await gate.until_ready(True)
        async with asyncio.TaskGroup() as group:
            for number in range(3):
                group.create_task(ask(gate), name=f"ask {number}")
            await until(lambda: waiting(gate) == 2, seen=lambda: waiting(gate))
            put(gate.routes, document(backend("vllm", vllm.url, room=3)))
            await until(lambda: len(vllm.received) == 3, seen=lambda: (len(vllm.received), waiting(gate)))
            for _ in range(3):
                gated.permits.release()


async def test_one_ollama_serves_one_model_before_it_swaps(tmp_path: Path) -> None:
    gated = Gated()
    async with engine(gated, models=["a", "b"]) as ollama:
        routes = document(backend("ollama", ollama.url, model="a", room=1), name="a", pending=20)
        routes["models"].append({"name": "b", "backends": [backend("ollama", ollama.url, model="b", room=1)]})
        async with scene(tmp_path, routes) as gate:
            await gate.until_ready(True, model="a")
            await gate.until_ready(True, model="b")
            async with asyncio.TaskGroup() as group:
                for number, model in enumerate("ababab"):
                    group.create_task(ask(gate, model=model), name=f"ask {number}")
                    await until_arrived(gate, ollama, number + 1)
                for _ in range(6):
                    gated.permits.release()
            assert [request.json["model"] for request in ollama.received] == list("aaabbb")
