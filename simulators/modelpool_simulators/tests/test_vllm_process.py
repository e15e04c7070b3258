"""The life of the simulated vLLM's process: silence until loaded, four ways to end."""

import asyncio
import json
import signal
import socket
from pathlib import Path
from typing import Any

from aiohttp import ClientConnectionError, ClientResponse

from . import processes

_SERVE = ("serve", "Qwen/Qwen3-8B-AWQ", "--host", "127.0.0.1", "--served-model-name", "m", "--max-model-len", "2048")
_LONG: dict[str, Any] = {
    "model": "m",
    "messages": [{"role": "user", "content": "x"}],
    "max_tokens": 1000,
    "ignore_eos": True,
}
_NOW = {"FAKE_VLLM_LOAD_SECONDS": "0"}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def _first_token(response: ClientResponse) -> None:
    """Read a stream up to its first content."""
    async for line in response.content:
        if b'"content":"Y' in line:
            return
    raise AssertionError("the stream ended without content")


async def test_nothing_listens_before_the_model_is_loaded() -> None:
    port = _free_port()
    async with processes.started("vllm", *_SERVE, "--port", str(port), FAKE_VLLM_LOAD_SECONDS="1") as engine:
        await engine.read_line()
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except ConnectionRefusedError:
            pass
        else:
            writer.close()
            raise AssertionError("something listens while the model loads")
        assert (await engine.listening()).endswith(str(port))


async def test_sigterm_aborts_what_is_under_way() -> None:
    async with processes.serving("vllm", *_SERVE, "--port", "0", **_NOW) as (engine, session):
        async with (
            session.post("/v1/chat/completions", json={**_LONG, "stream": True}) as stream,
            asyncio.TaskGroup() as tasks,
        ):
            whole = tasks.create_task(_post(session, _LONG), name="whole")
            await _first_token(stream)
            await _until_running(session, 2)
            engine.process.send_signal(signal.SIGTERM)
            rest = (await stream.content.read()).decode()
        assert '"finish_reason":"abort"' in rest
        assert rest.endswith("data: [DONE]\n\n")
        status, body = whole.result()
        assert (status, body["choices"][0]["finish_reason"]) == (200, "abort")
        assert await engine.ended() == 0


async def test_shutdown_timeout_lets_requests_finish_and_refuses_new_ones() -> None:
    flags = (*_SERVE, "--port", "0", "--shutdown-timeout", "30")
    async with processes.serving("vllm", *flags, **_NOW) as (engine, session):
        body = {**_LONG, "max_tokens": 60, "stream": True}
        async with session.post("/v1/chat/completions", json=body) as stream:
            await _first_token(stream)
            engine.process.send_signal(signal.SIGTERM)
            status, refusal = await _until_refused(session)
            async with session.get("/health") as health:
                assert health.status == 200
            rest = (await stream.content.read()).decode()
        assert (status, refusal["error"]["message"]) == (500, "cannot schedule new futures after shutdown")
        assert '"finish_reason":"length"' in rest
        assert rest.endswith("data: [DONE]\n\n")
        assert await engine.ended() == 0


async def test_a_killed_engine_breaks_streams_and_then_the_server_ends() -> None:
    async with processes.serving("vllm", *_SERVE, "--port", "0", **_NOW) as (engine, session):
        async with session.post("/v1/chat/completions", json={**_LONG, "stream": True}) as stream:
            await _first_token(stream)
            engine.process.send_signal(signal.SIGUSR1)
            rest = (await stream.content.read()).decode()
            status, refusal = await _post(session, _LONG)
        assert stream.status == 200
        assert rest.endswith("data: [DONE]\n\n")
        (broken,) = [line for line in rest.splitlines() if line.startswith('data: {"error"')]
        error = json.loads(broken.removeprefix("data: "))["error"]
        assert error == refusal["error"]
        assert error["message"].startswith("EngineCore encountered an issue.")
        assert status == 500
        assert await engine.ended() == 1
        try:
            await session.get("/health")
        except ClientConnectionError:
            return
        raise AssertionError("the server still listens")


async def test_a_refusal_to_start_ends_with_the_words_of_vllm(tmp_path: Path) -> None:
    flags = (*_SERVE[:-2], "--port", "0", "--gpu-memory-utilization", "0.2")
    environment = {"MODELPOOL_SIMULATED_CARDS": str(tmp_path), "FAKE_VLLM_PROFILE_SECONDS": "0"}
    async with processes.started("vllm", *flags, **_NOW, **environment) as engine:
        assert await engine.ended() == 1
        assert "ValueError: No available memory for the cache blocks." in engine.text
        assert engine.output[-1].endswith(
            "RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {}"
        )


async def test_sigterm_while_loading_ends_at_once() -> None:
    async with processes.started("vllm", *_SERVE, "--port", "0", FAKE_VLLM_LOAD_SECONDS="600") as engine:
        await engine.read_line()
        engine.process.send_signal(signal.SIGTERM)
        assert await engine.ended() == 0


async def test_wrong_settings_are_named() -> None:
    async with processes.started("vllm", *_SERVE, FAKE_VLLM_LOAD_SECONDS="soon") as engine:
        assert await engine.ended() == 1
        assert engine.output == ["modelpool-fake-vllm: FAKE_VLLM_LOAD_SECONDS must be a number, got 'soon'"]


async def _post(session: Any, body: dict[str, Any]) -> tuple[int, Any]:
    async with session.post("/v1/chat/completions", json=body) as response:
        return response.status, await response.json()


async def _until_running(session: Any, count: int) -> None:
    while True:
        async with session.get("/metrics") as response:
            exposed = await response.text()
        if f'vllm:num_requests_running{{engine="0",model_name="m"}} {float(count)}' in exposed:
            return


async def _until_refused(session: Any) -> tuple[int, Any]:
    while True:
        status, body = await _post(session, {**_LONG, "max_tokens": 1})
        if status != 200:
            return status, body
