"""Run a simulated engine inside the test, on a real socket of the loopback interface."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from aiohttp import ClientSession, web

from modelpool_simulators import cards, text
from modelpool_simulators.ollama import runners as runners_
from modelpool_simulators.ollama import server as ollama_server
from modelpool_simulators.ollama import settings as ollama_settings
from modelpool_simulators.ollama import store
from modelpool_simulators.ollama.api import state as ollama_state
from modelpool_simulators.vllm import flags as vllm_flags
from modelpool_simulators.vllm import server as vllm_server
from modelpool_simulators.vllm import settings as vllm_settings
from modelpool_simulators.vllm import startup
from modelpool_simulators.vllm.api import state as vllm_state

FAST = {
    "FAKE_VLLM_LOAD_SECONDS": "0",
    "FAKE_VLLM_PREFILL_TOKENS_PER_SECOND": "1e7",
    "FAKE_VLLM_DECODE_TOKENS_PER_SECOND": "1e6",
    "FAKE_OLLAMA_LOAD_SECONDS": "0",
    "FAKE_OLLAMA_PULL_SECONDS": "0",
    "FAKE_OLLAMA_PREFILL_TOKENS_PER_SECOND": "1e7",
    "FAKE_OLLAMA_DECODE_TOKENS_PER_SECOND": "1e6",
}
"""An environment in which nothing takes time."""


@contextlib.asynccontextmanager
async def vllm(
    *arguments: str, model: str = "/models/tiny-qwen3", **environment: str
) -> AsyncIterator[tuple[ClientSession, vllm_state.State]]:
    """Serve with these flags; yield a client and what is behind the server."""
    flags = vllm_flags.parse(["serve", model, *arguments])
    settings = vllm_settings.from_environment(FAST | environment)
    state = vllm_server.build_state(flags, settings, await startup.load(flags, settings, ()))
    async with asyncio.TaskGroup() as tasks, _listening(vllm_server.build_app(state)) as session:
        task = tasks.create_task(state.engine.run(), name="engine")
        try:
            yield session, state
        finally:
            task.cancel()


@contextlib.asynccontextmanager
async def ollama(**environment: str) -> AsyncIterator[tuple[ClientSession, ollama_state.State]]:
    """Serve with this environment; yield a client and what is behind the server."""
    settings = ollama_settings.from_environment(FAST | environment)
    kept = store.Store(settings.models)
    for name in settings.preloaded:
        kept.pulled(name)
    devices = cards.from_environment(environment, 1)
    async with asyncio.TaskGroup() as tasks:
        runners = runners_.Runners(settings, tasks, devices)
        state = ollama_state.State(settings=settings, store=kept, runners=runners, vocabulary=text.Vocabulary())
        async with _listening(ollama_server.build_app(state)) as session:
            task = tasks.create_task(runners.expire(), name="expire")
            try:
                yield session, state
            finally:
                task.cancel()
        runners.close()


@contextlib.asynccontextmanager
async def _listening(app: web.Application) -> AsyncIterator[ClientSession]:
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    try:
        async with ClientSession(f"http://{host}:{port}", auto_decompress=False) as session:
            yield session
    finally:
        await runner.cleanup()


async def until(condition: Callable[[], object], what: str, seconds: float = 30.0) -> None:
    """Let the loop run until the condition holds; fails with what was waited for."""
    try:
        async with asyncio.timeout(seconds):
            while not condition():
                await asyncio.sleep(0.001)
    except TimeoutError:
        raise AssertionError(f"waited {seconds} s for: {what}") from None
