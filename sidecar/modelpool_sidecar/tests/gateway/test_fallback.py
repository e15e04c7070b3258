"""Until the first byte a failing engine costs an attempt; after it, the caller sees the break.

Dimensions: how the engine fails x what the caller asked for (document, stream, translated document, translated
stream). The fallback is an Ollama that always answers.
"""

import asyncio
import itertools
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp
import pytest

from modelpool_sidecar.routing.health import Failure, Outcome

from .scenes import CHAT, Scene, backend, document, scene, until
from .scripted import Received, engine

ROLE = b'data: {"id":"1","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}\n\n'
WORD = b'data: {"id":"1","choices":[{"index":0,"delta":{"content":"half"},"finish_reason":null}]}\n\n'
ERROR = b'data: {"error": {"message": "EngineCore encountered an issue.", "code": 500}}\n\ndata: [DONE]\n\n'
DRAINING = b'{"error":{"message":"cannot schedule new futures after shutdown","type":"InternalServerError","code":500}}'
ABORTED = b'{"id":"1","model":"qwen3:8b","choices":[{"index":0,"message":{"content":"ha"},"finish_reason":"abort"}]}'


async def ollama_answers(request: Received) -> None:
    """Says `ollama` in every dialect it has."""
    stream = request.json.get("stream", request.path.startswith("/api"))
    if request.path.startswith("/api"):
        line = (
            b'{"model":"qwen3:8b","message":{"role":"assistant","content":"ollama"},"done":true,"done_reason":"stop"}\n'
        )
        await request.answer(line, kind="application/x-ndjson" if stream else "application/json")
    elif stream:
        event = b'data: {"model":"qwen3:8b","choices":[{"delta":{"content":"ollama"},"finish_reason":"stop"}]}\n\n'
        await request.answer(event + b"data: [DONE]\n\n", kind="text/event-stream")
    else:
        await request.answer(b'{"model":"qwen3:8b","choices":[{"message":{"content":"ollama"}}]}')


async def dies_at_once(request: Received) -> None:
    request.die()


async def dies_after_its_head(request: Received) -> None:
    await request.begin("text/event-stream" if request.json.get("stream") else "application/json")
    request.die()


async def dies_in_a_document(request: Received) -> None:
    if request.json.get("stream"):
        request.die()
        return
    await request.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 999\r\n\r\n{")
    request.die()


async def drains(request: Received) -> None:
    await request.answer(DRAINING, status=500)


async def is_overloaded(request: Received) -> None:
    await request.answer(b'{"error":{"message":"busy","code":503}}', status=503)


async def loses_its_core(request: Received) -> None:
    if request.json.get("stream"):
        await request.begin()
        await request.chunk(ERROR)
        await request.end()
    else:
        await request.answer(DRAINING, status=500)


async def is_stopped(request: Received) -> None:
    if request.json.get("stream"):
        request.die()
    else:
        await request.answer(ABORTED)


FAILURES: dict[str, Callable[[Received], Awaitable[None]]] = {
    one.__name__: one
    for one in (
        dies_at_once, dies_after_its_head, dies_in_a_document, drains, is_overloaded, loses_its_core, is_stopped,
    )
}  # fmt: skip
CALLS = {
    "document": ("/v1/chat/completions", False),
    "stream": ("/v1/chat/completions", True),
    "translated document": ("/api/chat", False),
    "translated stream": ("/api/chat", True),
    "legacy completion": ("/v1/completions", True),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES.keys())
async def test_before_the_first_byte_another_engine_answers(
    tmp_path: Path, failure: Callable[[Received], Awaitable[None]], call: tuple[str, bool]
) -> None:
    path, stream = call
    async with (
        engine(failure) as vllm,
        engine(ollama_answers, models=["qwen3:8b"]) as ollama,
        scene(tmp_path, document(backend("vllm", vllm.url), backend("ollama", ollama.url))) as gate,
    ):
        await gate.until_ready(True, True)
        async with gate.post(path, CHAT | {"stream": stream, "prompt": "x"}) as response:
            text = await response.text()
            assert response.status == 200
            assert "ollama" in text
            assert "half" not in text
            assert (response.headers["X-ModelPool-Route"], response.headers["X-ModelPool-Backend"]) == (
                "fallback",
                "ollama",
            )
        assert (len(vllm.received), len(ollama.received)) == (1, 1)
        metrics = await (await gate.get("/metrics")).text()
        assert 'fallbacks_total{model="qwen3:8b",pool="llm/agentic",reason="failed"} 1.0' in metrics


async def test_a_closed_port_is_passed_over_at_once_and_remembered(tmp_path: Path) -> None:
    async with (
        engine(ollama_answers, models=["qwen3:8b"]) as ollama,
        engine(drains) as vllm,
        scene(tmp_path, document(backend("vllm", vllm.url), backend("ollama", ollama.url))) as gate,
    ):
        await gate.until_ready(True, True)
        vllm.healthy = False
        gate.running.directory.ended(vllm.url, Outcome(Failure.REFUSED))
        assert gate.ready() == [False, True]
        async with gate.post("/api/chat", CHAT) as response:
            assert response.headers["X-ModelPool-Route"] == "fallback"
        assert vllm.received == []
        vllm.healthy = True
        await gate.until_ready(True, True)


async def test_the_engines_own_words_are_passed_on_when_nobody_else_can_help(tmp_path: Path) -> None:
    async with engine(is_overloaded) as vllm, scene(tmp_path, document(backend("vllm", vllm.url))) as gate:
        await gate.until_ready(True)
        async with gate.post("/v1/chat/completions", CHAT) as response:
            assert (response.status, response.headers["Retry-After"]) == (503, "2")
            assert (await response.json())["error"]["message"] == "busy"
        async with gate.post("/api/chat", CHAT) as response:
            assert (response.status, response.headers["Retry-After"]) == (503, "2")
            assert "error" in await response.json()


async def test_a_model_that_is_not_pulled_yet_is_unavailable_and_not_unknown(tmp_path: Path) -> None:
    async def lacks(request: Received) -> None:
        await request.answer(b'{"error":"model \'qwen3:8b\' not found"}', status=404)

    async with (
        engine(lacks, models=["qwen3:8b"]) as ollama,
        scene(tmp_path, document(backend("ollama", ollama.url))) as gate,
    ):
        await gate.until_ready(True)
        ollama.models = []
        async with gate.post("/api/chat", CHAT) as response:
            assert (response.status, response.headers["Retry-After"]) == (503, "5")
        assert gate.ready() == [False]
        ollama.models, ollama.behave = ["qwen3:8b"], ollama_answers
        await gate.until_ready(True)
        async with gate.post("/api/chat", CHAT) as response:
            assert response.status == 200


async def test_a_connection_that_went_stale_is_no_failure_of_the_engine(tmp_path: Path) -> None:
    used: set[object] = set()

    async def closes_used_connections(request: Received) -> None:
        if request.writer in used:
            request.die()
            return
        used.add(request.writer)
        await request.answer(b'{"choices":[]}')

    async with engine(closes_used_connections) as vllm, scene(tmp_path, document(backend("vllm", vllm.url))) as gate:
        await gate.until_ready(True)
        for _ in range(3):
            async with gate.post("/v1/chat/completions", CHAT) as response:
                assert (response.status, response.headers["X-ModelPool-Route"]) == (200, "primary")
        assert len(vllm.received) == 5
        assert gate.ready() == [True]


async def breaks_in_the_middle(request: Received) -> None:
    await request.begin()
    await request.chunk(ROLE)
    await request.chunk(WORD)
    request.die()


async def ends_in_the_middle(request: Received) -> None:
    await request.begin()
    await request.chunk(ROLE)
    await request.chunk(WORD)
    await request.end()


@pytest.mark.parametrize("failure", [breaks_in_the_middle, ends_in_the_middle])
async def test_a_stream_that_breaks_in_the_middle_breaks_visibly(
    tmp_path: Path, failure: Callable[[Received], Awaitable[None]]
) -> None:
    async with engine(failure) as vllm, engine(ollama_answers, models=["qwen3:8b"]) as ollama:
        async with scene(tmp_path, document(backend("vllm", vllm.url), backend("ollama", ollama.url))) as gate:
            await gate.until_ready(True, True)
            got = b""
            with pytest.raises(aiohttp.ClientPayloadError):
                async with gate.post("/v1/chat/completions", CHAT | {"stream": True}) as response:
                    async for chunk in response.content.iter_any():
                        got += chunk
            assert got.startswith(ROLE + WORD)
            assert "error" in json.loads(got.removeprefix(ROLE + WORD).removeprefix(b"data: "))
            assert b"[DONE]" not in got
        assert ollama.received == []


async def test_a_translated_stream_that_breaks_ends_with_an_error_line(tmp_path: Path) -> None:
    async with (
        engine(breaks_in_the_middle) as vllm,
        engine(ollama_answers, models=["qwen3:8b"]) as ollama,
        scene(tmp_path, document(backend("vllm", vllm.url), backend("ollama", ollama.url))) as gate,
    ):
        await gate.until_ready(True, True)
        async with gate.post("/api/chat", CHAT) as response:
            lines = [json.loads(line) for line in (await response.read()).splitlines()]
        assert lines[0]["message"]["content"] == "half"
        assert set(lines[-1]) == {"error"}


async def ask(gate: Scene, path: str, *, stream: bool, seen: list[str]) -> str:
    """What one caller got: who answered, or that it broke after the caller had seen something, noted in `seen`."""
    text = ""
    try:
        headers = {"User-Agent": "wants a stream" if stream else "wants a document"}
        async with gate.post(path, CHAT | {"stream": stream}, headers=headers) as response:
            async for chunk in response.content.iter_any():
                if not text:
                    seen.append(path)
                text += chunk.decode()
            if response.status != 200:
                return f"{response.status} {text}"
    except aiohttp.ClientPayloadError:
        return "broken" if "half" in text else f"cut off: {text}"
    return "broken" if "half" in text and '"error"' in text else "ollama" if "ollama" in text else text


async def test_an_engine_that_dies_under_load_costs_no_request_that_had_not_begun(tmp_path: Path) -> None:
    begun, turns = 0, itertools.count()

    async def works(request: Received) -> None:
        """Streams begin and go on; documents take their time; half of the streams have not begun."""
        nonlocal begun
        if request.headers["user-agent"] == "wants a stream" and next(turns) % 2:
            await request.begin()
            await request.chunk(ROLE)
            await request.chunk(WORD)
            begun += 1
        await asyncio.wait_for(request.gone.wait(), 30)

    async with engine(works) as vllm, engine(ollama_answers, models=["qwen3:8b"]) as ollama:
        routes = document(backend("vllm", vllm.url, room=100), backend("ollama", ollama.url, room=4), pending=100)
        async with scene(tmp_path, routes) as gate:
            await gate.until_ready(True, True)
            seen: list[str] = []
            async with asyncio.TaskGroup() as group:
                callers = [
                    group.create_task(ask(gate, path, stream=number % 4 < 2, seen=seen), name=f"caller {number}")
                    for number in range(60)
                    for path in [("/v1/chat/completions", "/api/chat")[number % 2]]
                ]
                await until(lambda: len(vllm.received) == 60, seen=lambda: len(vllm.received))
                await until(lambda: len(seen) == begun == 15, seen=lambda: (len(seen), begun))
                for request in vllm.received:
                    request.die()
            outcomes = [caller.result() for caller in callers]
            assert (outcomes.count("broken"), outcomes.count("ollama")) == (begun, 60 - begun), outcomes
