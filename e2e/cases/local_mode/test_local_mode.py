"""A pool on one machine: `modelpool local up` and `modelpool demo` as users run them, an engine killed under load."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from modelpool_cli import manifests
from modelpool_cli.local import pool as pools
from modelpool_cli.local import ports, simulation
from modelpool_cli.local.processes import Ended, Started
from modelpool_cli.plan import report as reports
from modelpool_operator.api.models import Engine
from modelpool_operator.planning.sharing.shares import Placement

EXAMPLES = Path(__file__).parents[3] / "examples"
START_SECONDS = 90


def processes_naming(text: str) -> dict[int, str]:
    """Return the running processes whose command line or environment names `text`."""
    found = {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdecimal() or int(folder.name) == os.getpid():
            continue
        try:
            command = (folder / "cmdline").read_bytes()
            environment = (folder / "environ").read_bytes()
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
        if text.encode() in command or text.encode() in environment:
            found[int(folder.name)] = command.replace(b"\0", b" ").decode()
    return found


async def wait_for_lines(output: asyncio.StreamReader, patterns: set[str]) -> str:
    """Read a process's output until every pattern has matched a line, and return it."""
    seen = ""
    try:
        async with asyncio.timeout(START_SECONDS):
            while line := (await output.readline()).decode():
                seen += line
                patterns = {pattern for pattern in patterns if not re.search(pattern, line)}
                if not patterns:
                    return seen
    except TimeoutError:
        pass
    pytest.fail(f"waited in vain for {patterns}, saw:\n{seen}")


@pytest.mark.timeout(240)
async def test_up_answers_until_ctrl_c_and_leaves_no_process(tmp_path: Path) -> None:
    port = ports.pick(1)[0]
    command = [sys.executable, "-m", "modelpool_cli", "local", "up", str(EXAMPLES / "consolidated.yaml"), "--simulate"]
    process = await asyncio.create_subprocess_exec(
        *command,
        *("--folder", str(tmp_path), "--listen", f"127.0.0.1:{port}"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    assert process.stdout is not None
    try:
        seen = await wait_for_lines(process.stdout, {r"^qwen3:8b: vllm", r"^qwen2\.5-vl:7b: vllm"})
        assert f"OpenAI at http://127.0.0.1:{port}/v1" in seen
        assert processes_naming(str(tmp_path))
        os.killpg(process.pid, signal.SIGINT)
        async with asyncio.timeout(60):
            rest = (await process.stdout.read()).decode()
            await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, rest
    assert rest.endswith("Stopped.\n")
    assert processes_naming(str(tmp_path)) == {}


@pytest.mark.timeout(60)
def test_up_says_which_port_is_taken(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "modelpool_cli", "local", "up", str(EXAMPLES / "consolidated.yaml"), "--simulate"]
    with ports.held() as port:
        done = subprocess.run(
            [*command, "--folder", str(tmp_path), "--listen", f"127.0.0.1:{port}"], capture_output=True, text=True
        )
    assert done.returncode == 1
    assert f"port {port} of 127.0.0.1 is taken by another program: choose others with --listen" in done.stdout


@pytest.mark.timeout(300)
def test_the_demonstration_asks_every_model_through_both_clients() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "modelpool_cli", "demo", str(EXAMPLES / "single-gpu-24gb.yaml")],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    answers = re.findall(r"^(\S+) +(ollama|openai) +(vllm|ollama) +(primary|fallback)", done.stdout, re.MULTILINE)
    vllm = ("gemma3:4b", "qwen3:8b", "cogito:8b")
    on_ollama = ("qwen3:4b-instruct-2507-q8_0", "qwen2.5-vl:7b")
    clients = ("ollama", "openai")
    assert answers == [
        *((model, client, "vllm", "primary") for model in vllm for client in clients),
        *((model, client, "ollama", "primary") for model in on_ollama for client in clients),
        *(("gemma3:4b", client, "ollama", "fallback") for client in clients),
        *(("gemma3:4b", client, "vllm", "primary") for client in clients),
    ]


@asynccontextmanager
async def local_pool(example: str, folder: Path) -> AsyncIterator[pools.LocalPool]:
    wanted = manifests.read_pool(EXAMPLES / example)
    placement = reports.decide_here(wanted)
    assert isinstance(placement, Placement)
    events: list[Started | Ended] = []
    listen = (("127.0.0.1", ports.pick(1)[0]),)
    commands = simulation.commands(folder, wanted)
    async with pools.running(wanted, placement, folder, commands, listen, events.append) as local:
        stand_ins = {model.name: "ollama" for model in wanted.spec.models}
        await local.until_serving(stand_ins, START_SECONDS)
        await local.until_serving({model.name: model.engine.value for model in wanted.spec.models}, START_SECONDS)
        yield local


@pytest.mark.timeout(300)
async def test_an_engine_killed_under_load_costs_no_request(tmp_path: Path) -> None:
    """Whole answers are never lost; a stream that has begun cannot be taken back, and ends with an error."""
    async with local_pool("consolidated.yaml", tmp_path) as local, aiohttp.ClientSession() as session:
        finished: list[tuple[str, int, dict[str, Any]]] = []
        streams: list[str] = []
        killed = asyncio.Event()

        async def whole(number: int) -> None:
            for turn in range(4):
                body = {
                    "model": "qwen3:8b",
                    "messages": [{"role": "user", "content": f"Caller {number}, turn {turn}"}],
                    "stream": False,
                    "options": {"num_predict": 24},
                }
                async with session.post(f"{local.url}/api/chat", json=body) as response:
                    backend = response.headers["X-ModelPool-Backend"]
                    finished.append((backend, response.status, await response.json()))

        async def streamed(number: int) -> None:
            body = {"model": "qwen3:8b", "prompt": f"Caller {number}", "options": {"num_predict": 200}}
            async with session.post(f"{local.url}/api/generate", json=body) as response:
                assert response.status == 200
                lines = (await response.read()).splitlines()
            last = json.loads(lines[-1])
            streams.append("error" if "error" in last else "done" if last["done"] else f"cut off after {last}")

        async def killer() -> None:
            async with asyncio.timeout(60):
                while not any(backend == Engine.VLLM.value for backend, _, _ in finished):
                    await asyncio.sleep(0.01)
            local.supervisor.kill("qwen3:8b")
            killed.set()

        async with asyncio.timeout(200), asyncio.TaskGroup() as group:
            for number in range(12):
                group.create_task(whole(number))
            for number in range(4):
                group.create_task(streamed(number))
            group.create_task(killer())

    assert killed.is_set()
    assert [(status, answer["done"]) for _, status, answer in finished] == [(200, True)] * 48
    backends = {backend for backend, _, _ in finished}
    assert backends == {"vllm", "ollama"}
    assert len(streams) == 4
    assert set(streams) <= {"done", "error"}
