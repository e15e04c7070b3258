"""Local mode: the file, and finding out whether the engines it names are there."""

import asyncio
import os
import threading
from pathlib import Path

import pytest

from modelpool_sidecar.discovery.sources.file import POLL_INTERVAL

from ..gateway.scenes import CHAT, Scene, backend, document, put, scene, until
from ..gateway.scripted import Received, engine


async def answers(request: Received) -> None:
    await request.answer(b'{"choices":[]}')


def names(gate: Scene) -> list[str]:
    return [model.name for model in gate.running.directory.table.models]


async def test_a_changed_file_is_taken_over(tmp_path: Path) -> None:
    async with engine(answers) as vllm, scene(tmp_path, document(backend("vllm", vllm.url))) as gate:
        await gate.until_ready(True)
        put(gate.routes, document(backend("vllm", vllm.url), name="other"))
        await until(lambda: names(gate) == ["other"], seen=lambda: names(gate))
        assert gate.ready("other") == [True]
        async with gate.post("/v1/chat/completions", CHAT) as response:
            assert response.status == 404
        async with gate.post("/v1/chat/completions", CHAT | {"model": "other"}) as response:
            assert response.status == 200


async def test_a_wrong_file_changes_nothing(tmp_path: Path) -> None:
    async with engine(answers) as vllm, scene(tmp_path, document(backend("vllm", vllm.url))) as gate:
        later = [document(backend("vllm", vllm.url)), document(backend("vllm", vllm.url), name="more")]
        later[1]["pool"]["name"] = "second"
        for wrong in ({"version": 2}, document({"engine": "vllm", "service": "x", "port": 1, "model": "x"})):
            put(gate.routes, wrong)
            await gate.until_ready(True)
        gate.routes.unlink()
        await gate.until_ready(True)
        put(gate.routes, later)
        await until(lambda: names(gate) == ["qwen3:8b", "more"], seen=lambda: names(gate))


async def test_an_engine_is_ready_when_it_says_so_and_not_before(tmp_path: Path) -> None:
    async with engine(answers) as vllm, engine(answers) as ollama:
        vllm.healthy = False
        async with scene(tmp_path, document(backend("vllm", vllm.url), backend("ollama", ollama.url))) as gate:
            assert gate.ready() == [False, False]
            ollama.models = ["qwen3:8b"]
            await gate.until_ready(False, True)
            vllm.healthy = True
            await gate.until_ready(True, True)
            vllm.healthy = False
            await gate.until_ready(False, True)
            ollama.models = []
            await gate.until_ready(False, False)


async def test_what_is_no_file_stops_nothing(tmp_path: Path) -> None:
    """A pipe that nobody writes to would be waited for."""
    async with engine(answers) as vllm, scene(tmp_path, document(backend("vllm", vllm.url))) as gate:
        await gate.until_ready(True)
        gate.routes.unlink()
        os.mkfifo(gate.routes)
        loop = asyncio.get_running_loop()
        unstuck = threading.Timer(10, lambda: gate.routes.open("w").close())  # or a failure would never end
        unstuck.start()
        began = loop.time()
        await asyncio.sleep(5 * POLL_INTERVAL)
        unstuck.cancel()
        assert loop.time() - began < 5
        assert gate.ready() == [True]
        gate.routes.unlink()
        put(gate.routes, document(backend("vllm", vllm.url), name="other"))
        await until(lambda: names(gate) == ["other"], seen=lambda: names(gate))


async def test_a_wrong_file_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before, ten times a second, however large it was."""
    reads = 0
    read = Path.read_bytes

    def counted(path: Path) -> bytes:
        nonlocal reads
        reads += 1
        return read(path)

    async with scene(tmp_path, document()) as gate:
        monkeypatch.setattr(Path, "read_bytes", counted)
        put(gate.routes, {"version": 2})
        await until(lambda: reads, seen=lambda: reads)
        await asyncio.sleep(5 * POLL_INTERVAL)
        assert reads == 1
        put(gate.routes, document(name="other"))
        await until(lambda: names(gate) == ["other"], seen=lambda: names(gate))
