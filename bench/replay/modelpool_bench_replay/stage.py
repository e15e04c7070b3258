"""The processes of a scenario: the simulated Ollama alone, or a pool as `modelpool local up --simulate` starts it."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import aiohttp

from modelpool_bench_replay.pipeline import Pipeline
from modelpool_bench_replay.speeds import Pace
from modelpool_cli import manifests
from modelpool_cli.local import pool as pools
from modelpool_cli.local import ports, simulation
from modelpool_cli.local.processes import Ended, Program, Started, Supervisor
from modelpool_cli.plan import report
from modelpool_operator.planning.memory.refusals import Refusal
from modelpool_simulators import cards as simulated
from modelpool_simulators import quantities, timeslices

START_SECONDS: Final = 120.0
"""Real seconds until everything must answer."""
TURN_SECONDS: Final = 0.004
"""Real seconds of work that engines compute between two looks at their sockets."""
CATCH_UP_SECONDS: Final = 1.0
"""Real seconds by which engines may hurry when the machine kept them waiting."""
HAND_OUT_SECONDS: Final = 0.1
"""Real seconds between the chunks that an engine sends the gateway; the client takes whole answers."""
MEMORY: Final = "23.65Gi"
"""What PyTorch finds on the card that the published speeds are of."""
CONTEXT: Final = 42_100


class StageError(Exception):
    """The scenario cannot be set up. The text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What answers, and what can be seen of it."""

    urls: tuple[str, ...]
    folders: tuple[Path, ...]
    """Each holds the account of one card."""
    backend: str
    """What answers behind the gateway; empty without one."""

    def worked(self) -> float:
        """Return the seconds of work that the cards have done so far, in real time."""
        return sum(timeslices.worked(card.path) for card in self._cards())

    def resident(self) -> int:
        """Return the bytes that engines hold on the cards now."""
        return sum(sum(card.holders().values()) for card in self._cards())

    def loads(self) -> int:
        """Return how many models Ollama has loaded so far."""
        return sum(log.read_text().count(" loading ") for log in (self.folders[0] / "logs").glob("ollama*.log"))

    def _cards(self) -> tuple[simulated.Card, ...]:
        return tuple(
            simulated.Card(folder=folder / "cards", index=0, memory=quantities.parse(MEMORY)) for folder in self.folders
        )


def _simulation(folder: Path, speeds: Mapping[str, Pace], compression: float) -> dict[str, str]:
    path = folder / "speeds.json"
    told = {
        "compression": compression,
        "turn_seconds": TURN_SECONDS,
        "catch_up_seconds": CATCH_UP_SECONDS,
        "hand_out_seconds": HAND_OUT_SECONDS,
    }
    path.write_text(json.dumps({**told, "models": speeds}))
    return {"MODELPOOL_SIMULATED_SPEEDS": str(path), "MODELPOOL_SIMULATED_CARD_MEMORY": MEMORY}


@asynccontextmanager
async def ollama(
    folder: Path, pipeline: Pipeline, speeds: Mapping[str, Pace], *, compression: float
) -> AsyncIterator[Stage]:
    """Run the recorded Ollama: one request at a time for each model, so many models in memory as the recording had."""
    (port,) = ports.pick(1)
    (folder / "logs").mkdir()
    program = Program(
        name="ollama",
        argv=(sys.executable, "-m", "modelpool_simulators.ollama", "serve"),
        log=folder / "logs" / "ollama.log",
        env={
            **_simulation(folder, speeds, compression),
            "MODELPOOL_SIMULATED_CARDS": str(folder / "cards"),
            "NVIDIA_VISIBLE_DEVICES": "0",
            "CUDA_VISIBLE_DEVICES": "0",
            "OLLAMA_HOST": f"{ports.LOOPBACK}:{port}",
            "OLLAMA_CONTEXT_LENGTH": str(CONTEXT),
            "OLLAMA_KEEP_ALIVE": "1h",
            "OLLAMA_NUM_PARALLEL": "1",
            "OLLAMA_MAX_LOADED_MODELS": str(pipeline.recorded.loaded_models),
            "FAKE_OLLAMA_PRELOADED": ",".join(pipeline.models()),
            "FAKE_OLLAMA_LOAD_SECONDS": str(pipeline.recorded.switch_seconds / compression),
            "FAKE_OLLAMA_TRAINED_CONTEXT": str(CONTEXT),
            "FAKE_OLLAMA_SENTENCES": "1000000",
            # The recording says how many models were in memory, and not with which contexts: so many must fit.
            "FAKE_OLLAMA_CACHE_PER_TOKEN": "0",
        },
    )
    async with Supervisor(_quiet, os.environ) as supervisor:
        supervisor.start(program)
        url = f"http://{ports.LOOPBACK}:{port}"
        await _answering(f"{url}/api/version")
        yield Stage(urls=(url,), folders=(folder,), backend="")


@asynccontextmanager
async def pool(
    path: Path, folder: Path, speeds: Mapping[str, Pace], *, copies: int, compression: float
) -> AsyncIterator[Stage]:
    """Run a pool with its gateway, so many times; raises StageError when the planner refuses it, TimeoutError when it
    is not up.
    """
    folders = tuple(folder / f"{number}" for number in range(copies))
    async with AsyncExitStack() as stack:
        urls = [await stack.enter_async_context(_copy(path, one, speeds, compression)) for one in folders]
        yield Stage(urls=tuple(urls), folders=folders, backend="vllm")


@asynccontextmanager
async def _copy(path: Path, folder: Path, speeds: Mapping[str, Pace], compression: float) -> AsyncIterator[str]:
    """Run one pool; yield its gateway's address."""
    _make(folder)
    wanted = manifests.read_pool(path)
    verdict = report.decide_here(wanted)
    if isinstance(verdict, Refusal):
        raise StageError(f"{path.name} does not fit: {verdict.message}")
    commands = simulation.commands(folder, wanted)
    commands = replace(
        commands,
        env={
            **commands.env,
            **_simulation(folder, speeds, compression),
            "FAKE_VLLM_LOAD_SECONDS": "0.2",
            "FAKE_VLLM_PROFILE_SECONDS": "0.1",
            "FAKE_VLLM_CONTEXT_LENGTH": "131072",
            "FAKE_VLLM_SENTENCES": "1000000",
        },
    )
    listen = ((ports.LOOPBACK, ports.pick(1)[0]),)
    async with pools.running(wanted, verdict, folder, commands, listen, _quiet) as local:
        await local.until_serving({model.name: model.engine.value for model in wanted.spec.models}, START_SECONDS)
        yield local.url


def _make(folder: Path) -> None:
    folder.mkdir()


async def _answering(url: str) -> None:
    """Wait until a server answers; raises TimeoutError."""
    async with asyncio.timeout(START_SECONDS), aiohttp.ClientSession() as session:
        while True:
            try:
                async with session.get(url):
                    return
            except aiohttp.ClientConnectionError:
                await asyncio.sleep(0.05)


def _quiet(event: Started | Ended) -> None:
    """What runs is seen by what answers."""
