"""The gateway as a program: an engine killed under load, an orderly end, wrong settings."""

import asyncio
import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from . import processes
from .processes import Program
from .scenes import CHAT, backend, document, until


@pytest.fixture
def world(tmp_path: Path) -> Iterator[tuple[Program, Program]]:
    """A vLLM slow enough to be caught at work, an Ollama that stands in for it, and the gateway."""
    slow = {"FAKE_VLLM_DECODE_TOKENS_PER_SECOND": "25", "FAKE_VLLM_BATCH_SLOWDOWN": "0"}
    with (
        processes.vllm(tmp_path, "qwen3:8b", "--max-num-seqs", "24", **slow) as vllm,
        processes.ollama(tmp_path, "qwen3:8b", OLLAMA_NUM_PARALLEL="8") as ollama,
        processes.gateway(
            tmp_path,
            document(
                backend("vllm", vllm.url, room=64), backend("ollama", ollama.url, room=8), pending=100, timeout=60
            ),
        ) as gate,
    ):
        yield vllm, gate


async def ask(session: aiohttp.ClientSession, path: str, *, stream: bool, seen: list[int]) -> tuple[str, str]:
    """How it went, and which engine it was."""
    body = CHAT | {"stream": stream, "max_tokens": 40, "options": {"num_predict": 40}}
    text, engine = b"", "nobody"
    try:
        async with session.post(path, json=body) as response:
            engine = response.headers.get("X-ModelPool-Backend", "nobody")
            async for chunk in response.content.iter_any():
                if not text:
                    seen.append(1)
                text += chunk
            if response.status != 200:
                return f"{response.status} {text.decode()}", engine
    except aiohttp.ClientPayloadError:
        return ("broken" if text else "cut off before anything"), engine
    ended = b"[DONE]" in text if path.startswith("/v1") and stream else b'"error"' not in text
    return ("whole" if ended and b'"error"' not in text else "broken"), engine


async def test_a_killed_engine_costs_no_request_that_had_not_begun(world: tuple[Program, Program]) -> None:
    vllm, gate = world
    seen: list[int] = []
    async with aiohttp.ClientSession(gate.url, timeout=aiohttp.ClientTimeout(total=90)) as session:
        async with asyncio.TaskGroup() as group:
            callers = {
                (path, stream, number): group.create_task(
                    ask(session, path, stream=stream, seen=seen), name=f"{path} {stream} {number}"
                )
                for number in range(13)
                for path in ("/v1/chat/completions", "/api/chat")
                for stream in (False, True)
            }
            await until(lambda: len(seen) >= 5, seen=lambda: seen)
            vllm.process.send_signal(signal.SIGKILL)
        outcomes = {key: task.result() for key, task in callers.items()}
    assert {outcome for (_, stream, _), outcome in outcomes.items() if not stream} == {("whole", "ollama")}, outcomes
    streams = [outcome for (_, stream, _), outcome in outcomes.items() if stream]
    assert set(streams) <= {("whole", "ollama"), ("broken", "vllm"), ("whole", "vllm")}, outcomes
    assert ("broken", "vllm") in streams


async def test_a_signal_ends_the_gateway_when_its_answers_are_whole(world: tuple[Program, Program]) -> None:
    _, gate = world
    seen: list[int] = []
    async with aiohttp.ClientSession(gate.url) as session, asyncio.TaskGroup() as group:
        asked = group.create_task(ask(session, "/api/chat", stream=True, seen=seen), name="ask")
        await until(lambda: seen, seen=lambda: gate.log.read_text())
        assert processes.get(gate.url + "/readyz")[0] == 200
        gate.process.send_signal(signal.SIGTERM)
        await until(
            lambda: processes.get(gate.url + "/readyz") == (503, "draining\n"),
            seen=lambda: processes.get(gate.url + "/readyz"),
        )
        assert processes.get(gate.url + "/healthz")[0] == 200
        assert await asked == ("whole", "vllm")
        assert await asyncio.to_thread(gate.process.wait, processes.DEADLINE) == 0, gate.log.read_text()
    lines = [json.loads(line) for line in gate.log.read_text().splitlines()]
    assert [line["status"] for line in lines if line.get("path") == "/api/chat"] == [200]


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "modelpool_sidecar", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_a_wrong_setting_ends_with_its_name(tmp_path: Path) -> None:
    ended = run("--routes-file", str(tmp_path / "x"), MODELPOOL_GATEWAY_DRAIN_DELAY="soon")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == "modelpool-sidecar: MODELPOOL_GATEWAY_DRAIN_DELAY must be seconds, got 'soon'\n"


def test_without_a_cluster_and_a_file_there_is_nothing_to_follow(tmp_path: Path) -> None:
    ended = run("--kubeconfig", str(tmp_path / "nowhere"), "--listen", "127.0.0.1:0", "--drain-delay", "0")
    assert ended.returncode == 1
    assert "could not find a cluster to follow" in ended.stderr.splitlines()[-1]


def test_a_taken_port_ends_with_its_number(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ended = run("--routes-file", str(tmp_path / "x"), "--listen", f"127.0.0.1:{port}")
    assert ended.returncode == 1
    assert f"could not listen on 127.0.0.1:{port}" in ended.stderr.splitlines()[-1]
