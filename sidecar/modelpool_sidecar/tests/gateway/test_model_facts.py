"""What is told of models: of those on Ollama what it says itself, of the others what the routes know, else nothing."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ..dialects import recordings
from .scenes import CHAT, Scene, backend, document, scene
from .scripted import Behaviour, Engine, Received, engine

TAG: dict[str, Any] = recordings.load("ollama/03-tags").document["models"][0]
LOADED: dict[str, Any] = recordings.load("ollama/28-ps-loaded").document["models"][0]
KNOWN: dict[str, Any] = {
    "capabilities": ["completion", "tools"],
    "contextLength": 8192,
    "trainedContextLength": 40960,
    "embeddingLength": 4096,
    "family": "qwen3",
    "parameterSize": "8.2B",
    "quantization": "AWQ",
    "sizeBytes": 6 << 30,
    "memoryBytes": 8 << 30,
    "parameters": {"temperature": 0.6, "top_k": 20, "top_p": 0.95},
}


async def nothing(request: Received) -> None:
    raise AssertionError(f"nothing was to be asked, got {request.path}")


async def unfinished(request: Received) -> None:
    await request.gone.wait()


async def broken(request: Received) -> None:
    request.die()


def answers(body: bytes, status: int = 200) -> Behaviour:
    async def answer(request: Received) -> None:
        await request.answer(body, status=status)

    return answer


async def get(gate: Scene, path: str, **fields: Any) -> Any:
    async with gate.get(path, **fields) as response:
        assert response.status == 200
        return json.loads(await response.read())


async def shown(gate: Scene, model: str, **fields: Any) -> Any:
    async with gate.post("/api/show", {"model": model, **fields}) as response:
        assert response.status == 200
        return json.loads(await response.read())


def both(vllm: Engine, ollama: Engine) -> dict[str, Any]:
    """A model of vLLM's with a stand-in, and one of Ollama's under a name of the pool's."""
    routes = document(backend("vllm", vllm.url), backend("ollama", ollama.url), aliases=["qwen3"], **KNOWN)
    routes["models"] += document(backend("ollama", ollama.url, model="small:1b"), name="ours", aliases=["o"])["models"]
    return routes


async def test_a_model_of_ollamas_is_what_ollama_says(tmp_path: Path) -> None:
    async with engine(nothing) as vllm, engine(nothing, models=["qwen3:8b", "small:1b"]) as ollama:
        ollama.tags["small:1b"] = TAG | {"name": "small:1b", "model": "small:1b"}
        async with scene(tmp_path, both(vllm, ollama)) as gate:
            await gate.until_ready(True, True)
            await gate.until_ready(True, model="ours")
            models = {one["name"]: one for one in (await get(gate, "/api/tags"))["models"]}
            assert list(models) == ["qwen3:8b", "qwen3", "ours", "o"]
            assert models["ours"] == TAG | {"name": "ours", "model": "ours"}
            assert models["o"] == TAG | {"name": "o", "model": "o"}
            assert models["qwen3:8b"]["size"] == KNOWN["sizeBytes"]
            assert models["qwen3:8b"]["details"]["family"] == "qwen3"
            created = {one["id"]: one["created"] for one in (await get(gate, "/v1/models"))["data"]}
            assert (
                created["ours"] == created["o"] == recordings.load("ollama/07-v1-models").document["data"][0]["created"]
            )
            one = await get(gate, "/v1/models/ours")
            assert one["created"] == created["ours"]
            anthropic = {"anthropic-version": "2023-06-01"}
            assert (await get(gate, "/v1/models/ours", headers=anthropic))["created_at"].startswith(
                "2026-11-22T14:20:17"
            )


async def test_what_is_in_memory_each_engine_says(tmp_path: Path) -> None:
    async with (
        engine(nothing) as vllm,
        engine(nothing, models=["qwen3:8b", "small:1b"]) as ollama,
        scene(tmp_path, both(vllm, ollama)) as gate,
    ):
        await gate.until_ready(True, True)
        await gate.until_ready(True, model="ours")
        running = (await get(gate, "/api/ps"))["models"]
        assert [one["name"] for one in running] == ["qwen3:8b", "qwen3"], "Ollama holds nothing"
        assert all(one["expires_at"] > "2300" for one in running)

        held = [LOADED | {"name": name, "model": name} for name in ("small:1b", "qwen3:8b", "other:1b")]
        ollama.loaded = held
        names = {one["name"]: one for one in (await get(gate, "/api/ps"))["models"]}
        assert list(names) == ["qwen3:8b", "qwen3", "ours", "o"], "what is no model of the pool cannot be asked for"
        assert names["ours"] == LOADED | {"name": "ours", "model": "ours"}
        assert names["qwen3"]["expires_at"] > "2300"

        vllm.healthy = False
        await gate.until_ready(False, True)
        names = {one["name"]: one for one in (await get(gate, "/api/ps"))["models"]}
        assert names["qwen3"]["expires_at"] == LOADED["expires_at"], "the stand-in holds it"

        ollama.loaded = held[:1]
        assert [one["name"] for one in (await get(gate, "/api/ps"))["models"]] == ["ours", "o"]


@pytest.mark.parametrize("verbose", [True, False, None])
async def test_show_is_ollamas_own_answer(tmp_path: Path, verbose: bool | None) -> None:
    said = recordings.load("ollama/05-show").body
    kind = "application/json; charset=utf-8"

    async def answer(request: Received) -> None:
        await request.answer(said, kind=kind)

    async with engine(nothing) as vllm, engine(answer, models=["qwen3:8b", "small:1b"]) as ollama:
        async with scene(tmp_path, both(vllm, ollama)) as gate:
            await gate.until_ready(True, model="ours")
            async with gate.post("/api/show", {"name": "o", "verbose": verbose}) as response:
                assert response.status == 200
                assert response.headers["Content-Type"] == kind
                assert await response.read() == said
        (asked,) = ollama.received
        assert (asked.method, asked.path) == ("POST", "/api/show")
        assert asked.json == {"model": "small:1b", "verbose": verbose is True}


async def test_show_of_a_vllm_model_is_true(tmp_path: Path) -> None:
    async with (
        engine(nothing) as vllm,
        engine(nothing, models=["qwen3:8b"]) as ollama,
        scene(tmp_path, both(vllm, ollama)) as gate,
    ):
        await gate.until_ready(True, True)
        told = await shown(gate, "qwen3")
        assert told["details"]["family"] == "qwen3"
        assert told["model_info"] == {
            "general.architecture": "qwen3",
            "general.size_label": "8.2B",
            "qwen3.context_length": 8192,
            "qwen3.embedding_length": 4096,
        }
        assert ".Tools" in told["template"]
        assert ".Suffix" not in told["template"]
        assert "temperature                    0.6" in told["parameters"].splitlines()


@pytest.mark.parametrize(
    "behave",
    [
        broken,
        answers(b"[]"),
        answers(b"{"),
        answers(b'{"models":null}'),
        answers(b'{"models":[{"name":5},{}]}'),
        answers(b"[" * 100_000),
        answers(b'{"models":[{"name":"qwen3:8b","details":{"a":{"b":{}}}}]}'),
        answers(b'{"models":[{"name":"qwen3:8b","size":' + b"9" * 400 + b"}]}"),
        answers(b'{"models":[{"name":"qwen3:8b","details":{"family":"' + b"q" * 9000 + b'"}}]}'),
        answers(b'{"models":[{"name":"' + b"q" * (2 << 20) + b'"}]}'),
        answers(b'{"models":[{"name":"qwen3:8b","digest":"\xff"}]}'),
        answers(b"{}", status=500),
        answers(b'{"error":"model not found"}', status=404),
    ],
    ids=[
        "broken",
        "list",
        "half",
        "null",
        "nameless",
        "deep",
        "nested",
        "huge",
        "wordy",
        "endless",
        "no text",
        "failing",
        "not found",
    ],
)
async def test_an_ollama_that_does_not_say_is_told_of_from_the_routes(tmp_path: Path, behave: Behaviour) -> None:
    routes = document(backend("ollama", "http://127.0.0.1:1"), **KNOWN)
    async with engine(behave, models=["qwen3:8b"]) as ollama:
        routes["models"][0]["backends"][0]["url"] = ollama.url
        ollama.loaded = None
        async with scene(tmp_path, routes) as gate:
            await gate.until_ready(True)
            assert (await get(gate, "/api/ps"))["models"] == []


@pytest.mark.parametrize(
    "behave", [broken, answers(b"{}", status=500), answers(b'{"error":"model not found"}', status=404)]
)
async def test_where_ollama_does_not_show_a_model_the_routes_do(tmp_path: Path, behave: Behaviour) -> None:
    async with (
        engine(behave, models=["qwen3:8b"]) as ollama,
        scene(tmp_path, document(backend("ollama", ollama.url), **KNOWN)) as gate,
    ):
        await gate.until_ready(True)
        assert (await shown(gate, "qwen3:8b"))["details"]["parameter_size"] == "8.2B"


async def test_an_ollama_that_hangs_keeps_nobody_for_long(tmp_path: Path) -> None:
    async with engine(unfinished, models=["qwen3:8b"]) as ollama:
        ollama.loaded = None
        async with scene(tmp_path, document(backend("ollama", ollama.url), **KNOWN)) as gate:
            await gate.until_ready(True)
            assert (await get(gate, "/api/ps"))["models"] == []
            assert (await shown(gate, "qwen3:8b"))["details"]["parameter_size"] == "8.2B"
        assert [one.path for one in ollama.received] == ["/api/ps"], "who has kept callers waiting is not asked again"


async def test_signs_of_life_need_no_engine(tmp_path: Path) -> None:
    async with (
        engine(nothing, models=["qwen3:8b"]) as ollama,
        scene(tmp_path, document(backend("ollama", ollama.url), **KNOWN)) as gate,
    ):
        await gate.until_ready(True)
        ollama.hangs = True
        for path in ("/", "/api/version"):
            began = time.monotonic()
            async with gate.get(path) as response:
                assert response.status == 200
            assert time.monotonic() - began < 1.5, "less than the gateway waits for an engine"


async def test_a_long_description_goes_on_as_it_comes(tmp_path: Path) -> None:
    said = json.dumps({"details": {}, "model_info": {"tokenizer.ggml.tokens": ["word"] * 400_000}}).encode()
    async with (
        engine(answers(said), models=["qwen3:8b"]) as ollama,
        scene(tmp_path, document(backend("ollama", ollama.url))) as gate,
    ):
        await gate.until_ready(True)
        async with gate.post("/api/show", {"model": "qwen3:8b", "verbose": True}) as response:
            assert await response.read() == said


@pytest.mark.parametrize(
    "date", ["yesterday", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "1969-01-01T00:00:00Z", ""]
)
async def test_a_date_that_is_none_is_not_told(tmp_path: Path, date: str) -> None:
    async with engine(nothing, models=["qwen3:8b"]) as ollama:
        ollama.tags["qwen3:8b"] = {"modified_at": date}
        async with scene(tmp_path, document(backend("ollama", ollama.url))) as gate:
            await gate.until_ready(True)
            assert "created" not in (await get(gate, "/v1/models"))["data"][0]
            anthropic = {"anthropic-version": "2023-06-01"}
            assert (await get(gate, "/v1/models", headers=anthropic))["data"][0]["created_at"].startswith("1970")


async def test_without_a_date_none_is_told(tmp_path: Path) -> None:
    async with engine(nothing) as vllm:
        routes = document(backend("vllm", vllm.url))
        del routes["pool"]["created"]
        async with scene(tmp_path, routes) as gate:
            await gate.until_ready(True)
            for path in ("/api/tags", "/v1/models", "/api/ps"):
                assert "1970" not in json.dumps(await get(gate, path))
            assert "created" not in (await get(gate, "/v1/models"))["data"][0]
            assert "1970" not in json.dumps(await shown(gate, "qwen3:8b"))


@pytest.mark.parametrize("spelt", [" qwen3:8b", "qwen3:8b ", "\tQwen3:8B\n", "  library/qwen3:8b"])
@pytest.mark.parametrize("kind", ["vllm", "ollama"])
async def test_blanks_around_a_name_make_no_other(tmp_path: Path, spelt: str, kind: str) -> None:
    replies: dict[str, Callable[[Received], Any]] = {
        "vllm": answers(
            b'data: {"choices":[{"index":0,"delta":{"content":"x"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
        ),
        "ollama": answers(b'{"model":"qwen3:8b","message":{"role":"assistant","content":"x"},"done":true}'),
    }
    async with engine(replies[kind], models=["qwen3:8b"]) as one:
        async with scene(tmp_path, document(backend(kind, one.url))) as gate:
            await gate.until_ready(True)
            async with gate.post("/api/chat", {**CHAT, "model": spelt, "stream": False}) as response:
                assert response.status == 200
                assert (await response.json())["model"] == spelt, "as Ollama, which repeats it"
        assert one.received[0].json["model"] == "qwen3:8b"


async def test_a_model_samples_as_the_routes_say_and_only_in_ollamas_dialect(tmp_path: Path) -> None:
    said = b'data: {"choices":[{"index":0,"delta":{"content":"x"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'

    async def answer(request: Received) -> None:
        await request.answer(said, kind="text/event-stream")

    async with engine(answer) as vllm, scene(tmp_path, document(backend("vllm", vllm.url), **KNOWN)) as gate:
        await gate.until_ready(True)
        generate: dict[str, Any] = {"model": CHAT["model"], "prompt": "hi"}
        asked: list[tuple[str, dict[str, Any]]] = [
            ("/api/chat", CHAT),
            ("/api/generate", generate),
            ("/api/generate", generate | {"raw": True}),
        ]
        for path, body in asked:
            async with gate.post(path, body | {"options": {"top_k": 7}}) as response:
                assert response.status == 200, await response.read()
        async with gate.post("/api/chat", CHAT) as response:
            assert response.status == 200
        async with gate.post("/v1/chat/completions", CHAT | {"stream": True}) as response:
            assert response.status == 200
    *ollamas, bare, openais = (request.json for request in vllm.received)
    for sent in ollamas:
        assert (sent["temperature"], sent["top_k"], sent["top_p"]) == (0.6, 7, 0.95)
    assert (bare["temperature"], bare["top_k"], bare["top_p"]) == (0.6, 20, 0.95)
    assert not {"temperature", "top_k", "top_p"} & set(openais)
