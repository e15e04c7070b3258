"""LoRA adapters from the pool to the client: one engine, three models, through both APIs of the gateway."""

from pathlib import Path
from typing import Any

import aiohttp
import pytest

from modelpool_cli import manifests
from modelpool_cli.local import pool as pools
from modelpool_cli.local import ports, simulation
from modelpool_cli.plan import report as reports
from modelpool_operator.planning.sharing.shares import Placement

POOL = Path(__file__).parent / "pool.yaml"
START_SECONDS = 90
NAMES = ("qwen3:8b", "qwen3:sql", "qwen3-law")


async def posted(session: aiohttp.ClientSession, url: str, **body: Any) -> tuple[str, dict[str, Any]]:
    """Return which engine answered, and the answer."""
    async with session.post(url, json={"messages": [{"role": "user", "content": "Hi"}], **body}) as response:
        answer: dict[str, Any] = await response.json()
        assert response.status == 200, answer
        return response.headers["X-ModelPool-Backend"], answer


@pytest.mark.timeout(240)
async def test_an_adapter_is_a_model_of_its_own_on_the_engine_of_its_base(tmp_path: Path) -> None:
    wanted = manifests.read_pool(POOL)
    placement = reports.decide_here(wanted)
    assert isinstance(placement, Placement)
    commands, listen = simulation.commands(tmp_path, wanted), (("127.0.0.1", ports.pick(1)[0]),)
    async with (
        pools.running(wanted, placement, tmp_path, commands, listen, lambda event: None) as local,
        aiohttp.ClientSession() as session,
    ):
        await local.until_serving(dict.fromkeys(NAMES, "vllm"), START_SECONDS)

        async with session.get(f"{local.url}/v1/models") as response:
            listed = {one["id"] for one in (await response.json())["data"]}
        assert set(NAMES) <= listed
        async with session.get(f"{local.url}/api/tags") as response:
            assert {one["name"] for one in (await response.json())["models"]} >= {"qwen3:sql"}

        for name in NAMES:
            backend, answer = await posted(session, f"{local.url}/v1/chat/completions", model=name, max_tokens=4)
            assert (backend, answer["model"]) == ("vllm", name)
            options = {"num_predict": 4}
            backend, answer = await posted(session, f"{local.url}/api/chat", model=name, stream=False, options=options)
            assert (backend, answer["model"], answer["done"]) == ("vllm", name, True)

        # One engine runs, and it was told of both adapters.
        (engine,) = (program for program in local.programs.values() if "serve" in program.argv)
        assert "qwen3:sql=example/qwen3-8b-sql" in engine.argv
        assert f"qwen3-law={tmp_path}/weights/tuned/law" in engine.argv
        assert engine.argv[engine.argv.index("--max-lora-rank") + 1] == "32"
