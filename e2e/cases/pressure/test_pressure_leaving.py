"""A caller that leaves stops the generation within 100 ms, by the engine's own count of running requests."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from pressure_world import MODEL, QUEUED, RUNNING, WAITING, Caller, metric, routes, said, until

from modelpool_sidecar.tests.gateway import processes
from modelpool_sidecar.tests.gateway.processes import Program

WITHIN = 0.1
"""Seconds. The machine may be busy with other tests, so the best of a few tries counts."""
TRIES = 6
ENDLESS = {"FAKE_VLLM_DECODE_TOKENS_PER_SECOND": "40", "FAKE_VLLM_SENTENCES": "100000"}
PREFILLING = {"FAKE_VLLM_PREFILL_TOKENS_PER_SECOND": "0.1"}
WAYS = {
    "stream": ("/v1/chat/completions", True, True),
    "translated stream": ("/api/chat", True, True),
    "one answer": ("/v1/chat/completions", False, True),
    "translated answer": ("/api/chat", False, True),
    "stream before its first byte": ("/v1/chat/completions", True, False),
    "translated stream before its first byte": ("/api/chat", True, False),
}


@asynccontextmanager
async def watching(vllm: Program) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        await until(lambda: metric(session, vllm.url, RUNNING, WAITING), 0)
        yield session


@pytest.fixture(scope="module")
def generating(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Program, Program]]:
    folder = tmp_path_factory.mktemp("generating")
    with (
        processes.vllm(folder, MODEL, **ENDLESS) as vllm,
        processes.gateway(folder, routes(vllm.url, room=2)) as gate,
    ):
        yield vllm, gate


@pytest.fixture(scope="module")
def prefilling(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Program, Program]]:
    folder = tmp_path_factory.mktemp("prefilling")
    with processes.vllm(folder, MODEL, **PREFILLING) as vllm, processes.gateway(folder, routes(vllm.url)) as gate:
        yield vllm, gate


@pytest.mark.parametrize("way", WAYS)
async def test_leaving_stops_the_engine(
    way: str, generating: tuple[Program, Program], prefilling: tuple[Program, Program]
) -> None:
    path, stream, begun = WAYS[way]
    vllm, gate = generating if begun else prefilling
    took = []
    async with watching(vllm) as session:
        for _ in range(TRIES):
            caller = await Caller.comes(gate.url, path, said("Tell me everything", stream=stream))
            await until(lambda: metric(session, vllm.url, RUNNING, WAITING), 1)
            if stream and begun:
                await caller.sees(b'"content":')
            caller.leaves()
            took.append(await until(lambda: metric(session, vllm.url, RUNNING, WAITING), 0))
    print(f"{way}: " + ", ".join(f"{seconds * 1000:.0f} ms" for seconds in took))
    assert min(took) < WITHIN, took


async def test_leaving_the_queue_frees_the_place(generating: tuple[Program, Program]) -> None:
    vllm, gate = generating
    took = []
    async with watching(vllm) as session:
        busy = [await Caller.comes(gate.url, "/v1/chat/completions", said("x", stream=True)) for _ in range(2)]
        await until(lambda: metric(session, vllm.url, RUNNING), 2)
        for _ in range(TRIES):
            caller = await Caller.comes(gate.url, "/api/chat", said("x"))
            await until(lambda: metric(session, gate.url, QUEUED), 1)
            caller.leaves()
            took.append(await until(lambda: metric(session, gate.url, QUEUED), 0))
            assert await metric(session, vllm.url, RUNNING, WAITING) == 2
        for one in busy:
            one.leaves()
        await until(lambda: metric(session, vllm.url, RUNNING), 0)
    print("queue: " + ", ".join(f"{seconds * 1000:.0f} ms" for seconds in took))
    assert min(took) < WITHIN, took
