"""The simulated Ollama as processes: the server, the commands, what stays on disk."""

import asyncio
import signal
from pathlib import Path

from aiohttp import ClientPayloadError

from . import processes

_QUICK = {"OLLAMA_HOST": "127.0.0.1:0", "FAKE_OLLAMA_LOAD_SECONDS": "0", "FAKE_OLLAMA_PULL_SECONDS": "0.1"}


async def _run(server: processes.Engine, *arguments: str) -> tuple[int, list[str]]:
    async with processes.started("ollama", *arguments, OLLAMA_HOST=server.address) as command:
        return await command.ended(), command.output


async def test_models_are_pulled_listed_shown_and_removed(tmp_path: Path) -> None:
    async with processes.serving("ollama", "serve", **_QUICK, OLLAMA_MODELS=str(tmp_path)) as (server, _):
        status, said = await _run(server, "pull", "qwen3:8b")
        assert (status, said[0], said[-1]) == (0, "pulling manifest", "success")
        assert any(line.endswith(": 100%") for line in said)
        status, said = await _run(server, "list")
        assert (status, said[1].split()[0]) == (0, "qwen3:8b")
        status, said = await _run(server, "show", "qwen3:8b")
        assert (status, "    thinking" in said) == (0, True)
        assert (await _run(server, "ps"))[0] == 0
        assert await _run(server, "rm", "qwen3:8b") == (0, ["deleted 'qwen3:8b'"])
        assert await _run(server, "rm", "qwen3:8b") == (1, ["Error: model 'qwen3:8b' not found"])


async def test_a_failed_pull_ends_with_status_1() -> None:
    async with processes.serving("ollama", "serve", **_QUICK, FAKE_OLLAMA_PULL_FAILS="nope") as (server, _):
        assert await _run(server, "pull", "nope") == (
            1,
            ["pulling manifest", "Error: pull model manifest: file does not exist"],
        )


async def test_commands_say_when_no_server_is_there() -> None:
    async with processes.started("ollama", "list", OLLAMA_HOST="127.0.0.1:1") as command:
        assert await command.ended() == 1
        assert command.output[0].startswith("Error: could not connect to ollama server at 127.0.0.1:1")


async def test_pulled_models_outlive_the_process(tmp_path: Path) -> None:
    for want in (0, 1):
        async with processes.serving("ollama", "serve", **_QUICK, OLLAMA_MODELS=str(tmp_path)) as (server, session):
            async with session.get("/api/tags") as response:
                assert len((await response.json())["models"]) == want
            assert (await _run(server, "pull", "cogito:8b"))[0] == 0


async def test_sigterm_cuts_streams_and_ends_at_once() -> None:
    slow = {"FAKE_OLLAMA_DECODE_TOKENS_PER_SECOND": "20", "FAKE_OLLAMA_PRELOADED": "a:1b"}
    async with processes.serving("ollama", "serve", **_QUICK, **slow) as (server, session):
        async with session.post("/api/generate", json={"model": "a:1b", "prompt": "hi"}) as stream:
            await stream.content.readline()
            server.process.send_signal(signal.SIGTERM)
            started = asyncio.get_running_loop().time()
            try:
                await stream.content.read()
            except ClientPayloadError:
                pass
            else:
                raise AssertionError("the stream came to a regular end")
        assert await server.ended() == 0
        assert asyncio.get_running_loop().time() - started < 5
