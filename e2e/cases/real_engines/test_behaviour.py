"""What only real engines show: a caller that leaves, an engine that dies, and what the gateway costs."""

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from modelpool_real_engines import calls, running
from modelpool_real_engines import scene as scenes
from modelpool_real_engines.running import Program
from modelpool_real_engines.scene import Scene

pytestmark = [pytest.mark.engines, pytest.mark.timeout(900)]

_ENDLESS = [{"role": "user", "content": "An endless story."}]
_TOKENS = 96
_ROUNDS = 3


def _chat(model: str, *, stream: bool, tokens: int = -1) -> dict[str, Any]:
    return {
        "model": model,
        "messages": _ENDLESS,
        "think": False,
        "stream": stream,
        "options": {"num_predict": tokens, "temperature": 0},
    }


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=300)) as one:
        yield one


async def _number(session: aiohttp.ClientSession, program: Program, metric: str) -> float:
    async with session.get(program.url + "/metrics") as response:
        text = await response.text()
    found = re.findall(rf"^{re.escape(metric)}(?:{{[^}}]*}})? (\S+)$", text, re.MULTILINE)
    assert found, text
    return sum(map(float, found))


async def _until_running(session: aiohttp.ClientSession, vllm: Program, wanted: float) -> float:
    began = time.monotonic()
    while (seen := await _number(session, vllm, "vllm:num_requests_running")) != wanted:
        assert time.monotonic() - began < 30, f"{seen} running, not {wanted}"
        await asyncio.sleep(0.01)
    return time.monotonic() - began


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "document"])
async def test_a_caller_that_leaves_ends_vllms_work(
    scene: Scene, session: aiohttp.ClientSession, facts: list[str], stream: bool
) -> None:
    async with asyncio.TaskGroup() as group:
        call = group.create_task(_read(session, scene.gateway, _chat(calls.CHAT, stream=stream)), name="caller")
        await _until_running(session, scene.vllm, 1)
        call.cancel()
        took = await _until_running(session, scene.vllm, 0)
    facts.append(f"caller leaves ({'stream' if stream else 'document'}): vLLM stops within {took:.2f} s")


async def _read(
    session: aiohttp.ClientSession, program: Program, body: dict[str, Any], path: str = "/api/chat"
) -> bytes:
    async with session.post(program.url + path, json=body) as response:
        return await response.read()


async def test_a_caller_that_leaves_ends_ollamas_work(
    scene: Scene, session: aiohttp.ClientSession, facts: list[str]
) -> None:
    """Ollama has no count of what runs: its runner is busy as long as it uses the processor."""
    async with asyncio.TaskGroup() as group:
        body = _chat(calls.ON_OLLAMA, stream=True)
        call = group.create_task(_first_and_on(session, scene.gateway, body), name="caller")
        await _until_busy(scene.ollama, busy=True)
        call.cancel()
        took = await _until_busy(scene.ollama, busy=False)
    facts.append(f"caller leaves: Ollama's runner is idle within {took:.2f} s")


async def _first_and_on(session: aiohttp.ClientSession, program: Program, body: dict[str, Any]) -> None:
    async with session.post(program.url + "/api/chat", json=body) as response:
        async for _ in response.content:
            pass


def _runner_ticks(program: Program) -> int:
    total = 0
    for folder in Path("/proc").iterdir():
        if not folder.name.isdecimal():
            continue
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[1]) == program.process.pid:
            total += int(fields[11]) + int(fields[12])
    return total


async def _until_busy(program: Program, *, busy: bool) -> float:
    """Whether the runners used the processor in a fifth of a second; the seconds until the last such span began."""
    began = time.monotonic()
    while True:
        before, at = _runner_ticks(program), time.monotonic()
        await asyncio.sleep(0.2)
        used = _runner_ticks(program) - before
        if (used > 1) is busy:
            return at - began
        assert time.monotonic() - began < 30, f"{used} ticks in 0.2 s"


async def _rate(program: Program, model: str, at_once: int, *, translated: bool) -> float:
    """Tokens a second, all callers together."""
    if translated:
        path, body = "/api/chat", _chat(model, stream=True, tokens=_TOKENS)
    else:
        path = "/v1/chat/completions"
        body = {"model": model, "messages": _ENDLESS, "stream": True, "temperature": 0, "max_tokens": _TOKENS,
                "chat_template_kwargs": {"enable_thinking": False}}  # fmt: skip
    async with aiohttp.ClientSession() as session:
        began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for number in range(at_once):
                group.create_task(_read(session, program, body, path), name=f"caller {number}")
        return at_once * _TOKENS / (time.monotonic() - began)


async def test_what_the_gateway_costs(scene: Scene, facts: list[str]) -> None:
    """Direct and through the gateway in turns, so that both meet the same load of the machine; the best of each."""
    for at_once in (1, 4, 16):
        rates: dict[str, float] = {}
        for turn in range(_ROUNDS + 1):
            for who, program, model, translated in (
                ("vllm", scene.vllm, calls.CHAT, False),
                ("vllm passed on", scene.gateway, calls.CHAT, False),
                ("vllm translated", scene.gateway, calls.CHAT, True),
                ("ollama", scene.ollama, calls.ON_OLLAMA, True),
                ("ollama passed on", scene.gateway, calls.ON_OLLAMA, True),
            ):
                rate = await _rate(program, model, at_once, translated=translated)
                rates[who] = max(rates.get(who, 0.0), rate if turn else 0.0)  # the first answers are slow
        told = ", ".join(f"{who} {rate:.0f}" for who, rate in rates.items())
        facts.append(
            f"{at_once:2} at once, tokens/s: {told}; passed on/direct {rates['vllm passed on'] / rates['vllm']:.2f}, "
            f"translated/direct {rates['vllm translated'] / rates['vllm']:.2f}, "
            f"vLLM translated/Ollama {rates['vllm translated'] / rates['ollama']:.2f}"
        )
        assert min(rates.values()) > 0


async def test_a_killed_vllm_is_replaced_by_ollama_and_back(
    scene: Scene, session: aiohttp.ClientSession, facts: list[str]
) -> None:
    """The last case of all, this file being the last: it ends the engine that the others use, and starts another."""
    body = _chat(calls.GUARDED, stream=False, tokens=8)
    assert (await _served(session, scene, body))[0] == ("vllm", "primary")
    scene.vllm.kill()
    served, took = await _served(session, scene, body)
    assert served == ("ollama", "fallback")
    facts.append(f"vLLM killed: the next request is answered by Ollama after {took:.2f} s")
    with scenes.restarted_vllm(scene) as again:
        restarted = await asyncio.to_thread(running.ready, again, "/health")
        began = time.monotonic()
        while (await _served(session, scene, body))[0] != ("vllm", "primary"):
            assert time.monotonic() - began < 60, "vLLM is back, and not used"
            await asyncio.sleep(0.05)
        facts.append(
            f"vLLM restarted in {restarted:.1f} s: used again {time.monotonic() - began:.2f} s after it was healthy"
        )


async def _served(session: aiohttp.ClientSession, scene: Scene, body: dict[str, Any]) -> tuple[tuple[str, str], float]:
    began = time.monotonic()
    async with session.post(scene.gateway.url + "/api/chat", json=body) as response:
        document = json.loads(await response.read())
        assert response.status == 200, document
        assert document["done"] is True, document
        served = response.headers["X-ModelPool-Backend"], response.headers["X-ModelPool-Route"]
    return served, time.monotonic() - began
