"""What passes through, and how: bytes, headers, names, errors."""

import asyncio
import json
from pathlib import Path

import pytest

from ..gateway.scenes import CHAT, backend, document, scene
from ..gateway.scripted import Received, engine

EVENT = b'data: {"id":"1","model":"qwen3:8b","choices":[{"delta":{"content":"\xe2\x80\xa8"}}]}\n\n'
DONE = b"data: [DONE]\n\n"
WHOLE = b'{"id":"1", "model":"qwen3:8b","choices":[{"message":{"content":"x"},"finish_reason":"stop"}],"new":1.0}'


async def answers(request: Received) -> None:
    """vLLM's manners: a stream when asked for one, else one document."""
    if not request.json.get("stream"):
        await request.answer(WHOLE, extra="X-Engine: yes\r\nConnection: keep-alive, X-Secret\r\nX-Secret: 1\r\n")
        return
    await request.begin()
    for data in (EVENT[:20], EVENT[20:], DONE):
        await request.chunk(data)
    await request.end()


async def test_one_document_passes_untouched(tmp_path: Path) -> None:
    async with engine(answers) as vllm, scene(tmp_path, document(backend("vllm", vllm.url))) as gate:
        await gate.until_ready(True)
        sent = b'{ "model":"qwen3:8b", "messages":[], "temperature": 1.0, "unknown": {"a":[1e3]} }'
        async with gate.post("/v1/chat/completions", sent) as response:
            assert (response.status, await response.read()) == (200, WHOLE)
            headers = response.headers
        assert vllm.received[0].body == sent
        assert {name: headers[name] for name in ("X-ModelPool-Backend", "X-ModelPool-Pool", "X-ModelPool-Route")} == {
            "X-ModelPool-Backend": "vllm",
            "X-ModelPool-Pool": "llm/agentic",
            "X-ModelPool-Route": "primary",
        }
        assert int(headers["X-ModelPool-Queue-Ms"]) >= 0
        assert headers["X-Engine"] == "yes"
        assert "X-Secret" not in headers
        assert headers["X-Request-Id"] == vllm.received[0].headers["x-request-id"]


async def test_a_stream_passes_untouched_and_unbuffered(tmp_path: Path) -> None:
    more = asyncio.Event()

    async def slow(request: Received) -> None:
        await request.begin()
        await request.chunk(EVENT)
        await more.wait()
        await request.chunk(DONE)
        await request.end()

    async with engine(slow) as vllm, scene(tmp_path, document(backend("vllm", vllm.url))) as gate:
        await gate.until_ready(True)
        async with gate.post("/v1/chat/completions", CHAT | {"stream": True}) as response:
            assert response.headers["X-Accel-Buffering"] == "no"
            assert response.headers["Content-Type"] == "text/event-stream"
            assert await response.content.readexactly(len(EVENT)) == EVENT
            more.set()
            assert await response.content.read() == DONE


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/api/chat"])
async def test_what_was_sent_of_a_stream_is_counted(tmp_path: Path, path: str) -> None:
    async def many(request: Received) -> None:
        await request.begin()
        for data in (EVENT, EVENT, EVENT[:30], EVENT[30:], *[EVENT] * 5, DONE):
            await request.chunk(data)
        await request.end()

    async with engine(many) as vllm, scene(tmp_path, document(backend("vllm", vllm.url))) as gate:
        await gate.until_ready(True)
        async with gate.post(path, CHAT | {"stream": True}) as response:
            told = await response.read()
        assert told.count(b"\n") > 8
        await gate.until_idle()
        assert gate.log.lines[-1].bytes == len(told)


SECRETS = ("Authorization", "X-Api-Key", "api-key", "Cookie", "X-Goog-Api-Key", "X-Forwarded-For", "Forwarded", "X-Hop")


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/api/chat", "/v1/messages"])
@pytest.mark.parametrize("door", [{}, {"Expect": "100-continue"}], ids=["front", "side"])
async def test_an_engine_gets_the_trace_and_no_credentials(tmp_path: Path, path: str, door: dict[str, str]) -> None:
    async with engine(answers) as vllm, scene(tmp_path, document(backend("vllm", vllm.url))) as gate:
        await gate.until_ready(True)
        told = {
            **dict.fromkeys(SECRETS, "secret"),
            **door,
            "Host": "gateway.internal",
            "X-Request-Id": "mine-1",
            "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "Connection": "keep-alive, X-Hop",
            "Accept-Encoding": "gzip",
        }
        async with gate.post(path, CHAT | {"max_tokens": 1}, headers=told) as response:
            assert response.headers["X-Request-Id"] == "mine-1"
        got = vllm.received[0].headers
        assert got["host"] == vllm.url.removeprefix("http://")
        assert (got["x-request-id"], got["traceparent"]) == ("mine-1", told["traceparent"])
        assert not {"accept-encoding", *map(str.lower, SECRETS)} & got.keys()
        assert "secret" not in str(got)


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/openai/v1/chat/completions", "/ollama/v1/chat/completions"])
async def test_openai_is_reached_below_its_prefixes(tmp_path: Path, path: str) -> None:
    async with engine(answers) as vllm, scene(tmp_path, document(backend("vllm", vllm.url))) as gate:
        await gate.until_ready(True)
        async with gate.post(path + "?key=secret", CHAT) as response:
            assert response.status == 200
        assert vllm.received[0].path == "/v1/chat/completions"


async def test_an_alias_is_served_and_echoed(tmp_path: Path) -> None:
    routes = document(backend("vllm", url := "http://x"), aliases=["gemma3:4b"])
    async with engine(answers) as vllm:
        routes["models"][0]["backends"][0]["url"] = vllm.url
        async with scene(tmp_path, routes) as gate:
            await gate.until_ready(True)
            async with gate.post("/v1/chat/completions", CHAT | {"model": "gemma3:4b"}) as response:
                assert await response.read() == WHOLE.replace(b'"qwen3:8b"', b'"gemma3:4b"')
            async with gate.post("/v1/chat/completions", CHAT | {"model": "gemma3:4b", "stream": True}) as response:
                assert await response.read() == EVENT.replace(b'"qwen3:8b"', b'"gemma3:4b"') + DONE
        assert [request.json["model"] for request in vllm.received] == ["qwen3:8b", "qwen3:8b"]
    assert url


async def test_ollama_asks_vllm_through_a_translation(tmp_path: Path) -> None:
    async def speaks(request: Received) -> None:
        assert request.path == "/v1/chat/completions"
        await request.begin()
        for delta, finish in (({"role": "assistant", "content": ""}, None), ({"content": "hel"}, None), ({}, "stop")):
            choice = {"index": 0, "delta": delta, "finish_reason": finish}
            await request.chunk(b"data: " + json.dumps({"id": "1", "choices": [choice]}).encode() + b"\n\n")
        await request.chunk(DONE)
        await request.end()

    async with engine(speaks) as vllm, scene(tmp_path, document(backend("vllm", vllm.url))) as gate:
        await gate.until_ready(True)
        async with gate.post("/api/chat", CHAT) as response:
            assert response.headers["Content-Type"] == "application/x-ndjson"
            lines = [json.loads(line) for line in (await response.read()).splitlines()]
        assert lines[0]["message"]["content"] == "hel"
        assert (lines[-1]["done"], lines[-1]["done_reason"], lines[-1]["model"]) == (True, "stop", "qwen3:8b")
        async with gate.post("/ollama/api/chat", CHAT | {"stream": False}) as response:
            assert json.loads(await response.read())["message"]["content"] == "hel"


async def test_a_document_larger_than_the_spool_passes_whole(tmp_path: Path) -> None:
    large = json.dumps({"x": "y" * 3_000_000}).encode()

    async def sends_much(request: Received) -> None:
        assert len(request.body) > 2_000_000
        await request.answer(large)

    async with engine(sends_much) as vllm, scene(tmp_path, document(backend("vllm", vllm.url))) as gate:
        await gate.until_ready(True)
        async with gate.post("/v1/embeddings", {"model": "qwen3:8b", "input": "z" * 2_000_000}) as response:
            assert await response.read() == large


async def test_an_engine_error_of_the_caller_is_passed_on_and_not_retried(tmp_path: Path) -> None:
    async def objects(request: Received) -> None:
        await request.answer(b'{"error":{"message":"too long","code":400}}', status=400)

    async with engine(objects) as vllm, engine(answers, models=["qwen3:8b"]) as ollama:
        routes = document(backend("vllm", vllm.url), backend("ollama", ollama.url))
        async with scene(tmp_path, routes) as gate:
            await gate.until_ready(True, True)
            async with gate.post("/v1/chat/completions", CHAT) as response:
                assert (response.status, await response.json()) == (
                    400,
                    {"error": {"message": "too long", "code": 400}},
                )
            async with gate.post("/api/chat", CHAT) as response:
                assert (response.status, await response.json()) == (400, {"error": "too long"})
        assert ollama.received == []


UNKNOWN = {"model": "nope", "messages": [{"role": "user", "content": "x"}]}
REFUSED = {
    "unknown model, Ollama": ("POST", "/api/chat", UNKNOWN, 404, {"error": "model 'nope' not found"}),
    "unknown model, OpenAI": ("POST", "/v1/chat/completions", UNKNOWN, 404, "does not exist"),
    "unknown model, Anthropic": ("POST", "/v1/messages", UNKNOWN, 404, "not_found_error"),
    "unknown model, show": ("POST", "/api/show", {"model": "nope"}, 404, "not found"),
    "no body": ("POST", "/api/chat", b"", 400, {"error": "missing request body"}),
    "no JSON": ("POST", "/v1/chat/completions", b"{", 400, "unexpected EOF"),
    "too large": ("POST", "/v1/chat/completions", {"model": "qwen3:8b", "x": "x" * 3000}, 413, "error"),
    "closed": ("POST", "/api/pull", {"model": "x"}, 403, "closed"),
    "closed DELETE": ("DELETE", "/api/delete", {"model": "x"}, 403, "closed"),
    "unknown path": ("GET", "/api/nope", None, 404, "404 page not found"),
    "wrong method": ("GET", "/api/chat", None, 405, "405 method not allowed"),
    "nobody ready": ("POST", "/v1/chat/completions", CHAT, 503, "not ready"),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED.keys())
async def test_refusals_speak_the_callers_dialect(tmp_path: Path, case: tuple[str, str, object, int, object]) -> None:
    method, path, body, status, want = case
    async with scene(tmp_path, document(backend("vllm", "http://127.0.0.1:9")), max_body_bytes=2048) as gate:
        data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        async with gate.session.request(method, gate.url + path, data=data) as response:
            text = await response.text()
            assert response.status == status
            assert json.loads(text) == want if isinstance(want, dict) else str(want) in text
            assert ("Retry-After" in response.headers) is (status == 503)
            assert response.headers["X-Request-Id"]


async def test_an_image_is_refused_by_name_when_the_model_is_blind(tmp_path: Path) -> None:
    async with engine(answers) as vllm:
        async with scene(tmp_path, document(backend("vllm", vllm.url), capabilities=["completion"])) as gate:
            await gate.until_ready(True)
            seen = {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:,"}}]}
            async with gate.post("/v1/chat/completions", CHAT | {"messages": [seen]}) as response:
                assert response.status == 400
                assert "does not support vision" in await response.text()
        assert vllm.received == []


@pytest.mark.parametrize("path", ["/", "/ollama", "/ollama/"])
async def test_the_root_is_a_sign_of_life_for_get_and_head(tmp_path: Path, path: str) -> None:
    async with scene(tmp_path, document(backend("vllm", "http://127.0.0.1:9"))) as gate:
        async with gate.get(path) as response:
            assert await response.text() == "Ollama is running"
        async with gate.session.head(gate.url + path) as response:
            assert (response.status, response.headers["Content-Length"]) == (200, "17")


async def test_an_opened_call_streams_to_ollama_and_back(tmp_path: Path) -> None:
    async def pulls(request: Received) -> None:
        assert (request.method, request.path, request.json) == ("POST", "/api/pull", {"model": "x"})
        await request.begin("application/x-ndjson")
        await request.chunk(b'{"status":"success"}\n')
        await request.end()

    async with engine(pulls, models=["qwen3:8b"]) as ollama:
        routes = document(backend("ollama", ollama.url))
        async with scene(tmp_path, routes, open_admin=frozenset({"pull"})) as gate:
            await gate.until_ready(True)
            async with gate.post("/api/pull", {"model": "x"}) as response:
                assert await response.read() == b'{"status":"success"}\n'
            async with gate.post("/api/push", {"model": "x"}) as response:
                assert response.status == 403
