"""Calls that change an engine: closed, each opened by its own name, and sent where they belong."""

import json
from pathlib import Path
from typing import Any

import pytest

from modelpool_sidecar.dialects.calls import ADMIN

from ..gateway.scenes import backend, document, scene
from ..gateway.scripted import Received, engine


async def obeys(request: Received) -> None:
    await request.answer(json.dumps({"path": request.path, "body": request.body.decode()}).encode())


def path_of(listed: str) -> str:
    return listed + "sha256:" + "0" * 64 if listed.endswith("/") else listed


@pytest.mark.parametrize(("method", "listed"), ADMIN)
async def test_every_call_is_closed_by_default_in_its_dialect(tmp_path: Path, method: str, listed: str) -> None:
    async with engine(obeys) as vllm, scene(tmp_path, document(backend("vllm", vllm.url))) as gate:
        await gate.until_ready(True)
        async with gate.session.request(method, gate.url + path_of(listed) + "?model=qwen3:8b") as response:
            assert response.status == 403
            error: Any = json.loads(await response.read())["error"] if method != "HEAD" else ""
        name, kind = ADMIN[method, listed]
        told = error if kind.value == "ollama" else error["message"]
        assert told == (f"{name} is closed at this gateway" if method != "HEAD" else "")
        assert not vllm.received


async def test_what_is_opened_for_vllm_goes_to_the_named_models_engine(tmp_path: Path) -> None:
    async with engine(obeys) as one, engine(obeys) as other:
        routes = document(backend("vllm", one.url), aliases=["alias"])
        routes["models"] += document(backend("vllm", other.url, model="other"), name="other")["models"]
        async with scene(tmp_path, routes, open_admin=frozenset({"sleep"})) as gate:
            await gate.until_ready(True)
            await gate.until_ready(True, model="other")
            async with gate.post("/sleep?level=1&model=alias", b'{"x":1}') as response:
                assert json.loads(await response.read()) == {"path": "/sleep?level=1", "body": '{"x":1}'}
                assert response.headers["X-ModelPool-Backend"] == "vllm"
            for query, status in (("", 400), ("?model=nope", 404)):
                async with gate.post("/sleep" + query, b"") as response:
                    assert (response.status, "message" in (await response.json())["error"]) == (status, True)
            async with gate.post("/wake_up?model=other", b"") as response:
                assert response.status == 403
        assert (len(one.received), len(other.received)) == (1, 0)


async def test_what_is_opened_for_ollama_goes_to_ollama(tmp_path: Path) -> None:
    async with engine(obeys) as vllm, engine(obeys, models=["qwen3:8b"]) as ollama:
        routes = document(backend("vllm", vllm.url), backend("ollama", ollama.url))
        async with scene(tmp_path, routes, open_admin=frozenset({"pull"})) as gate:
            await gate.until_ready(True, True)
            async with gate.post("/ollama/api/pull", {"model": "x"}) as response:
                assert json.loads(await response.read())["path"] == "/api/pull"
        assert (len(vllm.received), len(ollama.received)) == (0, 1)
