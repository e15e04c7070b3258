"""What clients send that is not quite right, and engines answer that is not quite whole, at real sockets."""

import json
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest
from yarl import URL

from .scenes import CHAT, backend, document, scene
from .scripted import Received, engine

DIGEST = "sha256:" + "0" * 64
LINE = b'{"model":"qwen3:8b","message":{"role":"assistant","content":"x"},"done":false}\n'
EVENT = b'data: {"model":"qwen3:8b","choices":[{"index":0,"delta":{"content":"x"},"finish_reason":null}]}\n\n'


async def serves(request: Received) -> None:
    if request.path.startswith("/v1/") and request.json.get("stream"):
        await request.begin()
        await request.chunk(EVENT + EVENT.replace(b'"content":"x"', b"").replace(b"null}]", b'"stop"}]'))
        await request.chunk(b"data: [DONE]\n\n")
        await request.end()
    else:
        await request.answer(b'{"model":"qwen3:8b","message":{"role":"assistant","content":"x"},"done":true}')


@pytest.mark.parametrize(
    ("method", "path", "want"),
    [
        ("GET", "//api/tags", 200), ("GET", "/api/tags/", 200), ("GET", "/v1/models/", 200),
        ("GET", "//v1/models", 200), ("POST", "//api/chat/", 200), ("POST", "/v1//chat/completions", 200),
        ("GET", "/api/chat/", 405), ("POST", "//api/nope", 404),
    ],
)  # fmt: skip
@pytest.mark.parametrize("aside", [False, True])
async def test_slashes_too_many_change_nothing(tmp_path: Path, method: str, path: str, want: int, aside: bool) -> None:
    async with engine(serves) as vllm, scene(tmp_path, document(backend("vllm", vllm.url))) as gate:
        await gate.until_ready(True)
        headers = {"Upgrade": "none"} if aside else {}
        data = json.dumps(CHAT | {"stream": True}).encode() if method == "POST" else None
        async with gate.session.request(
            method, URL(gate.url + path, encoded=True), data=data, headers=headers
        ) as answer:
            assert (answer.status, answer.url.raw_path) == (want, path)


@pytest.mark.parametrize("opened", [False, True])
async def test_administration_has_one_spelling(tmp_path: Path, opened: bool) -> None:
    names = frozenset({"pull", "blobs", "delete"}) if opened else frozenset[str]()
    async with engine(serves, models=["qwen3:8b"]) as ollama:
        routes = document(backend("ollama", ollama.url))
        async with scene(tmp_path, routes, open_admin=names) as gate:
            await gate.until_ready(True)
            for path in ("//api/pull", "/api/pull/", "/api//pull", f"/api//blobs/{DIGEST}", f"/api/blobs/{DIGEST}/"):
                async with gate.post(path, {"model": "x"}) as response:
                    assert response.status == 404, path
            assert not ollama.received
            async with gate.post("/api/pull", {"model": "x"}) as response:
                assert response.status == (200 if opened else 403)


async def test_a_lasting_refusal_is_asked_for_once(tmp_path: Path) -> None:
    """By the clients of OpenAI and Anthropic, which ask again for whatever may pass."""
    asked: Any = [{"role": "user", "content": "hi"}]
    async with (
        engine(serves, models=["qwen3:8b"]) as ollama,
        scene(tmp_path, document(backend("ollama", ollama.url))) as gate,
    ):
        await gate.until_ready(True)
        async with anthropic.AsyncAnthropic(base_url=gate.url, api_key="none") as claude:
            with pytest.raises(anthropic.NotFoundError, match="does not offer /v1/messages/count_tokens"):
                await claude.messages.count_tokens(model="qwen3:8b", messages=asked)
        async with openai.AsyncOpenAI(base_url=gate.url + "/v1", api_key="none") as client:
            for path in ("/rerank", "/score"):
                with pytest.raises(openai.NotFoundError, match="does not offer"):
                    await client.post(path, body={"model": "qwen3:8b"}, cast_to=object)
        assert [line.status for line in gate.log.lines] == [404] * 3
        assert not ollama.received


async def test_systemone_is_ollamas(tmp_path: Path) -> None:
    """Of Ollama 0.35: neither translated nor streamed, and its client reads an error that is a text."""
    body = {
        "model": "alias",
        "state": "s",
        "questions": {"q": {"type": "noul", "instructions": "?"}},
        "keep_alive": "5m",
    }
    told = b'{"model":"qwen3:8b","answers":{"q":{"type":"noul","noul":0.5}},"usage":{"input_tokens":1}}'

    async def answers(request: Received) -> None:
        await request.answer(told)

    async with engine(answers, models=["qwen3:8b"]) as ollama, engine(answers) as vllm:
        routes = document(backend("ollama", ollama.url), aliases=["alias"])
        routes["models"] += document(backend("vllm", vllm.url, model="v"), name="v")["models"]
        async with scene(tmp_path, routes) as gate:
            await gate.until_ready(True)
            await gate.until_ready(True, model="v")
            async with gate.post("/v1/systemone", body) as response:
                assert await response.read() == told.replace(b"qwen3:8b", b"alias")
            (asked,) = ollama.received
            assert (asked.path, asked.json) == ("/v1/systemone", body | {"model": "qwen3:8b"})
            async with gate.post("/v1/systemone", body | {"model": "v"}) as response:
                assert response.status == 404
                found = json.loads(await response.read())
                assert found == {"error": "the engine that serves model 'v' does not offer /v1/systemone"}
            async with gate.post("/v1/systemone", body | {"model": "nope"}) as response:
                assert json.loads(await response.read()) == {"error": "model 'nope' not found"}
        assert not vllm.received


@pytest.mark.parametrize("alias", [False, True])
async def test_ollamas_own_end_passes_as_it_is(tmp_path: Path, alias: bool) -> None:
    """It ends an answer without `done` when a token came too often in a row. One that breaks off is told of."""
    breaks = False

    async def repeats(request: Received) -> None:
        await request.begin("application/x-ndjson")
        await request.chunk(LINE + LINE)
        if breaks:
            request.die()
        else:
            await request.end()

    async with (
        engine(repeats, models=["qwen3:8b"]) as ollama,
        scene(tmp_path, document(backend("ollama", ollama.url), aliases=["alias"])) as gate,
    ):
        await gate.until_ready(True)
        name = "alias" if alias else "qwen3:8b"
        want = (LINE + LINE).replace(b"qwen3:8b", name.encode())
        async with gate.post("/api/chat", CHAT | {"model": name}) as response:
            assert await response.read() == want
        breaks = True
        async with gate.post("/api/chat", CHAT | {"model": name}) as response:
            assert await response.read() == want + b'{"error":"the engine\'s answer broke off"}\n'


LOOSE = {
    "half a pair": (rb"\ud83d", b"", "\ufffd"),
    "no UTF-8": (b"\xff\xc3", b"", "\ufffd\ufffd"),
    "more behind": (b"hi", b'} {"model":"other"}', "hi"),
    "all of it": (b"\xe2\x82" + rb"\udc00", b"\xff\x00", "\ufffd\ufffd\ufffd"),
}


@pytest.mark.parametrize("kind", ["vllm", "ollama"])
@pytest.mark.parametrize("case", LOOSE)
async def test_ollamas_dialect_is_read_as_go_reads_it(tmp_path: Path, case: str, kind: str) -> None:
    text, behind, want = LOOSE[case]
    body = b'{"model":"alias","messages":[{"role":"user","content":"%b"}]}%b' % (text, behind)
    async with engine(serves, models=["qwen3:8b"]) as one:
        async with scene(tmp_path, document(backend(kind, one.url), aliases=["alias"])) as gate:
            await gate.until_ready(True)
            async with gate.post("/api/chat", body) as response:
                assert (response.status, b'"content":"x"' in await response.read()) == (200, True)
            async with gate.post("/api/show", b'{"model":"alias","x":"%b"}%b' % (text, behind)) as response:
                assert response.status == 200
            if behind:
                for path in ("/v1/chat/completions", "/v1/messages"):
                    async with gate.post(path, body) as response:
                        assert response.status == 400
        (asked,) = [request for request in one.received if request.path != "/api/show"]
        if kind == "vllm":
            assert asked.json["messages"] == [{"role": "user", "content": want}]
        else:
            assert b'"model":"qwen3:8b"' in asked.body


@pytest.mark.parametrize("stream", [True, False])
async def test_a_call_that_the_parser_lost_is_asked_for_again(tmp_path: Path, stream: bool) -> None:
    async def loses(request: Received) -> None:
        choice = {"index": 0, "finish_reason": "tool_calls"}
        if request.json["stream"]:
            await request.begin()
            end = json.dumps({"choices": [choice | {"delta": {"tool_calls": [{"index": 0, "function": {}}]}}]}).encode()
            await request.chunk(b"data: " + end + b"\n\ndata: [DONE]\n\n")
            await request.end()
        else:
            choice["message"] = {"role": "assistant", "content": None, "tool_calls": []}
            await request.answer(json.dumps({"choices": [choice]}).encode())

    async def calls(request: Received) -> None:
        message = {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "f", "arguments": {}}}]}
        line = json.dumps({"model": "qwen3:8b", "message": message, "done": True}).encode()
        kind = "application/x-ndjson" if request.json.get("stream", True) else "application/json"
        await request.answer(line.replace(b'"done": true', b'"done":true') + b"\n", kind=kind)

    async with engine(loses) as vllm, engine(calls, models=["qwen3:8b"]) as ollama:
        routes = document(backend("vllm", vllm.url), backend("ollama", ollama.url))
        async with scene(tmp_path, routes) as gate:
            await gate.until_ready(True, True)
            body = CHAT | {"tools": [{"type": "function"}], "stream": stream}
            async with gate.post("/api/chat", body) as response:
                assert response.headers["X-ModelPool-Backend"] == "ollama"
                assert json.loads(await response.read())["message"]["tool_calls"]
        assert [request.json["stream"] for request in vllm.received] == [stream]
