"""What the demonstration does: plan, start everything simulated, ask all, kill an engine, ask, wait for it, ask."""

import asyncio
import json
import signal
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console

from modelpool_cli import manifests
from modelpool_cli.demo import table as answers_table
from modelpool_cli.demo.ask import Answer, Client, ask
from modelpool_cli.local import pool as pools
from modelpool_cli.local import ports, simulation
from modelpool_cli.local.pool import LocalPool
from modelpool_cli.local.processes import Ended, Started
from modelpool_cli.plan import report as reports
from modelpool_cli.plan import table as plan_table
from modelpool_operator.api.models import Engine, Model
from modelpool_operator.api.pool import ModelPool
from modelpool_operator.planning.engines.ollama import models as ollama
from modelpool_operator.planning.memory.refusals import Refusal

FAILED = 1
START_SECONDS = 90.0
"""Until every engine must answer; two busy cores need a tenth of it."""


class UnexpectedAnswerError(Exception):
    """The gateway answered from another engine than it should have."""


async def run(path: Path, *, keep: bool, console: Console) -> int:
    """Show the main job and return the exit status.

    Raises:
        manifests.BadFileError: the file holds no valid ModelPool.
        UnexpectedAnswerError, TimeoutError: the system did not do what the demonstration says it does.
    """
    wanted = manifests.read_pool(path)
    verdict = reports.decide_here(wanted)
    console.rule("The plan", align="left")
    plan_table.show(reports.report(wanted, verdict), console, flags=False)
    if isinstance(verdict, Refusal):
        return FAILED
    with tempfile.TemporaryDirectory(prefix="modelpool-demo-", ignore_cleanup_errors=False) as folder:
        commands = simulation.commands(Path(folder), wanted)
        listen = ((ports.LOOPBACK, ports.pick(1)[0]),)
        pools.check(wanted, commands, listen)
        console.rule("Everything starts, simulated", align="left")
        async with pools.running(wanted, verdict, Path(folder), commands, listen, _quiet) as local:
            chapters = await _chapters(wanted, local, console)
            console.rule("Who answered", align="left")
            console.print(answers_table.draw(chapters))
            if keep:
                await _stay(wanted, local, console)
    return 0


async def _chapters(wanted: ModelPool, local: LocalPool, console: Console) -> list[tuple[str, list[Answer]]]:
    began = time.perf_counter()
    models = wanted.spec.models
    await local.until_serving({model.name: model.engine.value for model in models}, START_SECONDS)
    victim = next((model for model in models if ollama.fallback_name(wanted.spec, model)), None)
    if victim is not None:
        await local.until_serving({victim.name: Engine.OLLAMA.value}, START_SECONDS)
    console.print(f"{len(models)} models answer after {time.perf_counter() - began:.1f} s, gateway at {local.url}")
    chapters = [("All models", await _ask_all(local, models, {}))]
    if victim is None:
        return chapters
    console.rule(f"The engine of {victim.name} is killed", align="left")
    pid = local.supervisor.kill(victim.name)
    local.supervisor.drop(victim.name)
    fallen = await _ask_all(local, [victim], {victim.name: Engine.OLLAMA})
    console.print(f"Process {pid} is gone; nobody noticed: Ollama answers for {victim.name}")
    began = time.perf_counter()
    local.supervisor.start(local.programs[victim.name])
    await local.until_serving({victim.name: Engine.VLLM.value}, START_SECONDS)
    console.print(f"vLLM is back after {time.perf_counter() - began:.1f} s")
    back = await _ask_all(local, [victim], {})
    return [*chapters, (f"{victim.name}'s engine killed", fallen), ("and back", back)]


async def _ask_all(local: LocalPool, models: Iterable[Model], instead: dict[str, Engine]) -> list[Answer]:
    answers = []
    for model in models:
        expected = instead.get(model.name, model.engine).value
        for client in Client:
            answer = await ask(local.url, model.name, client)
            if answer.backend != expected:
                raise UnexpectedAnswerError(
                    f"{model.name} must be answered by {expected}, got {answer.backend} ({answer.route})"
                )
            answers.append(answer)
    return answers


async def _stay(wanted: ModelPool, local: LocalPool, console: Console) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    name = wanted.spec.models[0].name
    question = json.dumps({"model": name, "messages": [{"role": "user", "content": "Hi"}]})
    console.rule("It stays up; Ctrl-C stops it", align="left")
    for path, body in (
        ("/api/chat", f" -d '{question}'"),
        ("/v1/chat/completions", f" -H 'Content-Type: application/json' -d '{question}'"),
        ("/api/tags", ""),
        ("/modelpool/routes", ""),
    ):
        console.print(f"  curl {local.url}{path}{body}", soft_wrap=True, markup=False)
    await stop.wait()


def _quiet(event: Started | Ended) -> None:
    """The story is told by what the gateway sees, not by processes."""
