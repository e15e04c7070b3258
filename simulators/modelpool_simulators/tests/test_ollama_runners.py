"""Models in memory: loading, swapping, keeping alive, queueing, dying."""

import asyncio
import json
from typing import Any

import pytest
from aiohttp import ClientSession

from modelpool_simulators.ollama.api.state import State

from . import serving

_TWO = {"FAKE_OLLAMA_PRELOADED": "a:1b,b:1b", "FAKE_OLLAMA_REPLY": "Hello there!"}
_THREE = {**_TWO, "FAKE_OLLAMA_PRELOADED": "a:1b,b:1b,c:1b"}


async def _chat(session: ClientSession, model: str, **fields: Any) -> tuple[int, Any]:
    body = {"model": model, "messages": [{"role": "user", "content": "hi"}], "stream": False, **fields}
    async with session.post("/api/chat", json=body) as response:
        return response.status, await response.json()


async def _loaded(session: ClientSession) -> set[str]:
    async with session.get("/api/ps") as response:
        return {model["name"] for model in (await response.json())["models"]}


async def test_a_swap_puts_out_the_model_that_was_idle_longest() -> None:
    async with serving.ollama(**_THREE, OLLAMA_MAX_LOADED_MODELS="2") as (session, _):
        for model in ("a:1b", "b:1b", "a:1b", "c:1b"):
            await _chat(session, model)
        assert await _loaded(session) == {"a:1b", "c:1b"}


async def test_loading_takes_its_time_once() -> None:
    async with serving.ollama(**_TWO, FAKE_OLLAMA_LOAD_SECONDS="0.2") as (session, _):
        _, cold = await _chat(session, "a:1b")
        _, warm = await _chat(session, "a:1b")
    assert cold["load_duration"] >= 200_000_000
    assert warm["load_duration"] < cold["load_duration"]


async def test_a_busy_model_is_waited_for() -> None:
    slow = {"OLLAMA_MAX_LOADED_MODELS": "1", "FAKE_OLLAMA_DECODE_TOKENS_PER_SECOND": "20"}
    async with serving.ollama(**_TWO, **slow) as (session, state), asyncio.TaskGroup() as tasks:
        first = tasks.create_task(_chat(session, "a:1b"), name="first")
        await serving.until(lambda: _running(state), "the first model answers")
        status, _ = await _chat(session, "b:1b")
        assert status == 200
        assert first.done()
        assert await _loaded(session) == {"b:1b"}


async def test_one_request_at_a_time_per_model() -> None:
    async with (
        serving.ollama(**_TWO, FAKE_OLLAMA_DECODE_TOKENS_PER_SECOND="100") as (session, state),
        asyncio.TaskGroup() as tasks,
    ):
        asking = [tasks.create_task(_chat(session, "a:1b"), name=f"client {number}") for number in range(3)]
        await serving.until(lambda: _running(state) and _waiting(state) == 2, "two requests wait behind one")
        assert [status for status, _ in await asyncio.gather(*asking)] == [200] * 3


async def test_parallel_slots_are_used() -> None:
    several = {"OLLAMA_NUM_PARALLEL": "3", "FAKE_OLLAMA_DECODE_TOKENS_PER_SECOND": "50"}
    async with serving.ollama(**_TWO, **several) as (session, state), asyncio.TaskGroup() as tasks:
        for number in range(3):
            tasks.create_task(_chat(session, "a:1b"), name=f"client {number}")
        await serving.until(lambda: _running(state) == 3, "three requests run")


async def test_too_many_waiting_loads_are_refused() -> None:
    full = {"OLLAMA_MAX_LOADED_MODELS": "1", "OLLAMA_MAX_QUEUE": "1", "FAKE_OLLAMA_LOAD_SECONDS": "600"}
    async with serving.ollama(**_THREE, **full) as (session, state), asyncio.TaskGroup() as tasks:
        loading = [tasks.create_task(_chat(session, model), name=model) for model in ("a:1b", "b:1b")]
        await serving.until(lambda: state.runners.pending == 2, "one model loads and one request waits")
        assert await _chat(session, "c:1b") == (
            503,
            {"error": "server busy, please try again.  maximum pending requests exceeded"},
        )
        for task in loading:
            task.cancel()


@pytest.mark.parametrize("keep_alive", ["50ms", 0.05])
async def test_idle_models_are_put_out(keep_alive: object) -> None:
    async with serving.ollama(**_TWO) as (session, state):
        await _chat(session, "a:1b", keep_alive=keep_alive)
        await serving.until(lambda: not state.runners.loaded(), "the model is put out")


async def test_keep_alive_zero_puts_out_right_after() -> None:
    async with serving.ollama(**_TWO) as (session, state):
        await _chat(session, "a:1b", keep_alive=0)
        await serving.until(lambda: not state.runners.loaded(), "the model is put out")


async def test_negative_keep_alive_is_for_ever() -> None:
    async with serving.ollama(**_TWO) as (session, _):
        await _chat(session, "a:1b", keep_alive=-1)
        async with session.get("/api/ps") as response:
            (model,) = (await response.json())["models"]
    assert model["expires_at"] > "2300"


async def test_another_context_loads_again() -> None:
    async with serving.ollama(**_TWO) as (session, state):
        await _chat(session, "a:1b")
        (before,) = state.runners.loaded()
        await _chat(session, "a:1b", options={"num_ctx": 512})
        (after,) = state.runners.loaded()
    assert (before.context, after.context) == (4096, 512)


async def test_a_client_that_leaves_frees_the_slot() -> None:
    slow = {"FAKE_OLLAMA_DECODE_TOKENS_PER_SECOND": "5"}
    async with serving.ollama(**_TWO, **slow) as (session, state), asyncio.TaskGroup() as tasks:
        asking = tasks.create_task(_chat(session, "a:1b"), name="client")
        await serving.until(lambda: _running(state), "the request runs")
        asking.cancel()
        await serving.until(lambda: not _running(state), "the request is gone", seconds=5)


async def test_a_dead_runner_breaks_streams_and_is_replaced() -> None:
    body: dict[str, Any] = {"model": "a:1b", "messages": [{"role": "user", "content": "hi"}]}
    async with serving.ollama(**_TWO, FAKE_OLLAMA_DIE_AFTER_TOKENS="2") as (session, _):
        async with session.post("/api/chat", json=body) as response:
            lines = (await response.text()).splitlines()
        async with session.post("/v1/chat/completions", json={**body, "stream": True}) as response:
            events = (await response.text()).strip().split("\n\n")
        status, whole = await _chat(session, "a:1b")
        short = await _chat(session, "a:1b", options={"num_predict": 1})
    error = "an error was encountered while running the model: unexpected EOF"
    assert json.loads(lines[-1]) == {"error": error}
    last = json.loads(events[-1].removeprefix("data: "))
    assert (last["model"], last["choices"][0]["delta"]) == ("", {"content": ""})
    assert (status, whole) == (500, {"error": error})
    assert short[0] == 200


def _running(state: State) -> int:
    return sum(len(runner.engine.batch.running) for runner in state.runners.loaded())


def _waiting(state: State) -> int:
    return sum(len(runner.engine.batch.waiting) for runner in state.runners.loaded())
