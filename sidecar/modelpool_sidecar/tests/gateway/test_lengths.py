"""Requests that an engine refuses for their length: put to it again in a form that fits, at nobody's cost."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from modelpool_sidecar.translation.fitting import TOKENIZE

from ..translation.counting_engine import CountingEngine, body_of
from .scenes import CHAT, Scene, backend, document, scene, until
from .scripted import Behaviour, Engine, Received, engine

CHATS, COMPLETIONS = "/v1/chat/completions", "/v1/completions"
EVENTS = (
    b'data: {"choices":[{"index":0,"delta":{"content":"hello"},"finish_reason":null}]}\n\n'
    b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
    b'data: {"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":1}}\n\ndata: [DONE]\n\n'
)
TURNS = [{"role": "user" if place % 2 == 0 else "assistant", "content": f"{place} " + "x" * 180} for place in range(81)]
LONG = CHAT | {"messages": [{"role": "system", "content": "be terse"}, *TURNS]}
WARNING = "X-ModelPool-Warning"


def counting(model: CountingEngine) -> Behaviour:
    """An engine with this model's context."""

    async def behave(request: Received) -> None:
        asked: dict[str, Any] = request.json
        if request.path == TOKENIZE:
            status, told = model.count(asked)
            await request.answer(told, status=status)
        elif words := model.refuses(asked):
            await request.answer(body_of(words), status=400)
        else:
            await request.begin()
            await request.chunk(EVENTS)
            await request.end()

    return behave


@asynccontextmanager
async def gated(
    folder: Path, *models: CountingEngine, fallback: Behaviour | None = None, room: int = 8
) -> AsyncIterator[tuple[Scene, list[Engine]]]:
    async with (
        engine(counting(models[0])) as one,
        engine(counting(models[-1])) as two,
        engine(fallback or counting(models[0]), models=["qwen3:8b"]) as ollama,
    ):
        used = [("vllm", one), ("vllm", two)][: len(models)] + ([("ollama", ollama)] if fallback else [])
        routes = document(*(backend(kind, each.url, room=room) for kind, each in used))
        async with scene(folder, routes) as gate:
            await gate.until_ready(*[True] * len(used))
            yield gate, [each for _, each in used]


async def answered(gate: Scene, path: str = "/api/chat", **body: Any) -> tuple[int, Any, dict[str, str]]:
    async with gate.post(path, LONG | {"stream": False} | body) as response:
        return response.status, await response.json(content_type=None), dict(response.headers)


async def metric(gate: Scene, name: str) -> dict[str, float]:
    async with gate.get("/metrics") as response:
        lines = (await response.text()).splitlines()
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if line.startswith(name)}


@pytest.mark.parametrize("stream", [True, False])
async def test_a_conversation_that_outgrew_the_context_is_answered_each_time(tmp_path: Path, stream: bool) -> None:
    model = CountingEngine(context=2048)
    async with gated(tmp_path, model) as (gate, _):
        for length in range(40, len(TURNS), 10):
            async with gate.post("/api/chat", CHAT | {"messages": TURNS[: length + 1], "stream": stream}) as response:
                lines = [json.loads(line) for line in (await response.read()).splitlines()]
                assert (response.status, lines[0]["message"]["content"]) == (200, "hello")
                assert lines[-1]["done"] is True
                kept = model.asked[-1]["messages"]
                assert kept == TURNS[: length + 1][-len(kept) :]
                assert kept[0]["role"] == "user"
                left_out = length + 1 - len(kept)
                assert response.headers[WARNING].startswith(f"{left_out} of {length + 1} messages were left out")


async def test_the_same_engine_is_asked_again_and_nobody_is_blamed(tmp_path: Path) -> None:
    models = CountingEngine(context=2048), CountingEngine(context=2048)
    async with gated(tmp_path, *models) as (gate, engines):
        for _ in range(8):
            status, _, _ = await answered(gate)
            assert status == 200
        for model, each in zip(models, engines, strict=True):
            paths = [one.path for one in each.received]
            assert len(model.asked) % 2 == 0  # each refusal was followed by the answer, there
            assert paths.count(CHATS) == len(model.asked)
        assert sum(len(model.asked) for model in models) == 16
        assert {line.attempts for line in gate.log.lines} == {1}
        directory = gate.running.directory
        assert (directory.health.breaks, directory.health.suspects) == ({}, frozenset())
        assert gate.ready() == [True, True]
        refits = await metric(gate, "modelpool_gateway_refits_total")
        assert list(refits.values()) == [8]
        assert 'how="shortened"' in next(iter(refits))
        assert not await metric(gate, "modelpool_gateway_upstream_errors_total")


async def test_a_request_that_fits_is_asked_once(tmp_path: Path) -> None:
    model = CountingEngine(context=2048)
    async with gated(tmp_path, model) as (gate, engines):
        status, _, headers = await answered(gate, messages=TURNS[:3])
        assert (status, WARNING in headers) == (200, False)
        assert [one.path for one in engines[0].received] == [CHATS]
        assert not await metric(gate, "modelpool_gateway_refits_total")


@pytest.mark.parametrize(("path", "extra"), [("/api/chat", {}), ("/api/generate", {"prompt": "x" * 900, "raw": True})])
async def test_a_bound_beyond_the_room_is_generated_until_the_context_is_full(
    tmp_path: Path, path: str, extra: dict[str, Any]
) -> None:
    model = CountingEngine(context=4096)
    body = extra | {"messages": TURNS[:11], "options": {"num_predict": 4000}}
    async with gated(tmp_path, model) as (gate, engines):
        status, _, headers = await answered(gate, path, **body)
        assert (status, "num_predict is 4000" in headers[WARNING]) == (200, True)
        assert [asked.get("max_tokens") for asked in model.asked] == [4000, None]
        assert TOKENIZE not in [one.path for one in engines[0].received]
        assert 'how="unbounded"' in next(iter(await metric(gate, "modelpool_gateway_refits_total")))


@pytest.mark.parametrize("path", [CHATS, "/v1/messages"])
async def test_other_dialects_go_on_refusing(tmp_path: Path, path: str) -> None:
    model = CountingEngine(context=2048)
    async with gated(tmp_path, model) as (gate, engines):
        status, told, _ = await answered(gate, path, max_tokens=5)
        assert (status, "maximum context length is 2048" in json.dumps(told)) == (400, True)
        assert len(engines[0].received) == 1


@pytest.mark.parametrize("body", [{"truncate": False}, {"messages": [{"role": "user", "content": "x" * 99_999}]}])
async def test_what_may_not_be_cut_is_refused_in_ollamas_words(tmp_path: Path, body: dict[str, Any]) -> None:
    async def stands_in(request: Received) -> None:
        raise AssertionError(request.path)

    async with gated(tmp_path, CountingEngine(context=2048), fallback=stands_in) as (gate, _):
        status, told, _ = await answered(gate, **body)
        assert status == 400
        assert json.loads(told["error"])["error"]["n_ctx"] == 2048
        assert json.loads(told["error"])["error"]["n_prompt_tokens"] > 2048


async def test_an_engine_that_dies_while_it_counts_is_left_for_another(tmp_path: Path) -> None:
    async def stands_in(request: Received) -> None:
        await request.answer(b'{"model":"qwen3:8b","message":{"role":"assistant","content":"other"},"done":true}')

    model = CountingEngine(context=2048)
    counts = counting(model)

    async def dies(request: Received) -> None:
        if request.path == TOKENIZE:
            request.die()
        else:
            await counts(request)

    async with gated(tmp_path, model, fallback=stands_in) as (gate, engines):
        engines[0].behave = dies
        status, told, headers = await answered(gate)
        assert (status, told["message"]["content"]) == (200, "other")
        assert headers["X-ModelPool-Backend"] == "ollama"
        assert gate.log.lines[-1].attempts == 2


async def test_a_caller_who_leaves_while_it_is_counted_leaves_nothing(tmp_path: Path) -> None:
    model = CountingEngine(context=2048)
    counts = counting(model)

    async def counts_for_ever(request: Received) -> None:
        if request.path == TOKENIZE:
            await asyncio.wait_for(request.gone.wait(), 20)
        else:
            await counts(request)

    async with gated(tmp_path, model) as (gate, engines):
        engines[0].behave = counts_for_ever
        async with asyncio.TaskGroup() as group:
            asking = group.create_task(answered(gate), name="asking")
            await until(lambda: any(one.path == TOKENIZE for one in engines[0].received), seen=lambda: engines)
            asking.cancel()
        await until(lambda: all(one.gone.is_set() for one in engines[0].received[1:]), seen=lambda: engines)
        await gate.until_idle()


async def test_a_large_conversation_is_fitted_off_the_loop(tmp_path: Path) -> None:
    said = [{**one, "content": one["content"] * 40} for one in TURNS]  # 600 KB
    async with gated(tmp_path, CountingEngine(context=16_000)) as (gate, _):
        status, _, headers = await answered(gate, messages=said)
        assert (status, "were left out" in headers[WARNING]) == (200, True)


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("path", ["/api/chat", CHATS])
async def test_a_schema_that_the_engine_refuses_is_not_dropped_for_another_engine(
    tmp_path: Path, stream: bool, path: str
) -> None:
    """vLLM finds it out when its stream has begun: the status is 200, and an event says 400."""
    error = {"error": {"message": 'bad grammar: Unsupported type "nonsense"', "type": "BadRequestError", "code": 400}}

    async def refuses(request: Received) -> None:
        if not request.json.get("stream"):
            await request.answer(json.dumps(error).encode(), status=400)
            return
        await request.begin()
        await request.chunk(b"data: " + json.dumps(error).encode() + b"\n\ndata: [DONE]\n\n")
        await request.end()

    async def stands_in(request: Received) -> None:
        raise AssertionError(request.path)

    async with gated(tmp_path, CountingEngine(context=2048), fallback=stands_in) as (gate, engines):
        engines[0].behave = refuses
        body = CHAT | {"stream": stream, "format": {"type": "nonsense"}}
        async with gate.post(path, body) as response:
            told = await response.read()
        assert b"nonsense" in told
        if path == "/api/chat":
            assert response.status == 400
            assert json.loads(told)["error"].startswith("invalid JSON schema in format")
        else:
            assert (response.status, b'"code": 400' in told) == (200 if stream else 400, True)
        directory = gate.running.directory
        assert (directory.health.suspects, len(gate.log.lines)) == (frozenset(), 1)
        assert gate.log.lines[0].attempts == 1


async def test_a_stop_of_our_own_lets_the_engine_go(tmp_path: Path) -> None:
    event = (
        b'data: {"choices":[{"index":0,"delta":{"content":"%b"},"finish_reason":null}],"usage":{"prompt_tokens":3}}\n\n'
    )

    async def talks_on(request: Received) -> None:
        assert "stop" not in request.json
        await request.begin()
        for word in (b"one ", b"tw", b"o EN", b"D three"):
            await request.chunk(event % word)
        await asyncio.wait_for(request.gone.wait(), 20)

    async with gated(tmp_path, CountingEngine(context=2048)) as (gate, engines):
        engines[0].behave = talks_on
        for stream in (True, False):
            stops = ["END", *(f"never {number}" for number in range(19))]
            async with gate.post("/api/chat", CHAT | {"stream": stream, "options": {"stop": stops}}) as response:
                lines = [json.loads(line) for line in (await response.read()).splitlines()]
            assert "".join(line["message"]["content"] for line in lines) == "one two "
            assert (lines[-1]["done"], lines[-1]["done_reason"], lines[-1]["prompt_eval_count"]) == (True, "stop", 3)
            await until(lambda: all(one.gone.is_set() for one in engines[0].received), seen=lambda: engines[0].received)
        assert gate.running.directory.health.breaks == {}
