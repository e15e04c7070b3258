"""Whose fault a failed request is: what it may break, what it says about its engine, and what others notice of it."""

import asyncio
import contextlib
import itertools
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from modelpool_sidecar.routing.health import Failure, Outcome

from .scenes import CHAT, Scene, backend, document, scene, until
from .scripted import Behaviour, Received, engine

CHATS = "/v1/chat/completions"
ROLE = b'data: {"id":"1","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}\n\n'
WORD = b'data: {"id":"1","choices":[{"index":0,"delta":{"content":"half"},"finish_reason":null}]}\n\n'
FAULT = b'data: {"error": {"message": "out of luck", "code": 500}}\n\ndata: [DONE]\n\n'
CORE = b'{"error":{"message":"EngineCore encountered an issue.","type":"InternalServerError","code":500}}'
TOO_MANY = b'{"error":{"message":"slow down","code":429}}'
ANSWER = b'{"model":"qwen3:8b","message":{"content":"fine"},"choices":[],"done":true}'
POISON = "poison"


async def answers(request: Received) -> None:
    await request.answer(ANSWER)


async def hangs_up(request: Received) -> None:
    request.die()


async def hangs_up_after_its_head(request: Received) -> None:
    await request.begin()
    request.die()


async def says_nothing(request: Received) -> None:
    await asyncio.wait_for(request.gone.wait(), 30)


async def loses_its_core(request: Received) -> None:
    await request.answer(CORE, status=500)


async def ask(gate: Scene, *, path: str = CHATS, source: str = "a", word: str = "hi", **more: object) -> Any:
    body = CHAT | {"messages": [{"role": "user", "content": word}]} | more
    async with gate.post(path, body, headers={"X-Source": source}) as response:
        await response.read()
        return response


async def errors(gate: Scene, kind: str) -> float:
    text: str = await (await gate.get("/metrics")).text()
    lines = [line for line in text.splitlines() if "upstream_errors_total" in line and f'kind="{kind}"' in line]
    return sum(float(line.rpartition(" ")[2]) for line in lines)


@pytest.mark.parametrize("deadly", [hangs_up, hangs_up_after_its_head, says_nothing, loses_its_core])
async def test_a_request_that_breaks_engines_meets_two_of_them(tmp_path: Path, deadly: Behaviour) -> None:
    async with (
        engine(deadly) as one,
        engine(deadly) as two,
        engine(deadly, models=["qwen3:8b"]) as ollama,
        scene(
            tmp_path,
            document(backend("vllm", one.url), backend("vllm", two.url), backend("ollama", ollama.url)),
            read_timeout=0.5,
        ) as gate,
    ):
        await gate.until_ready(True, True, True)
        response = await ask(gate)
        assert response.status == (500 if deadly is loses_its_core else 502)
        assert [len(each.received) for each in (one, two, ollama)] == [1, 1, 0]
        assert [line.attempts for line in gate.log.lines] == [2]


async def test_callers_that_make_an_engine_hang_up_cost_others_nothing(tmp_path: Path) -> None:
    async def dislikes_poison(request: Received) -> None:
        if POISON in request.body.decode():
            request.die()
        else:
            await request.answer(ANSWER)

    async with engine(dislikes_poison) as vllm, scene(tmp_path, document(backend("vllm", vllm.url))) as gate:
        await gate.until_ready(True)
        ended = False

        async def poisons(number: int) -> None:
            while not ended:
                assert (await ask(gate, word=POISON, source=f"bad {number}")).status == 503

        async with asyncio.TaskGroup() as group:
            for number in range(4):
                group.create_task(poisons(number), name=f"bad {number}")
            statuses = [(await ask(gate, source="good")).status for _ in range(150)]
            ended = True
        assert statuses == [200] * 150


async def test_one_break_makes_a_suspect_that_goes_on_working(tmp_path: Path) -> None:
    turns = itertools.count()

    async def hangs_up_once(request: Received) -> None:
        await (hangs_up if next(turns) == 0 else answers)(request)

    async with (
        engine(hangs_up_once) as vllm,
        engine(answers, models=["qwen3:8b"]) as ollama,
        scene(tmp_path, document(backend("vllm", vllm.url), backend("ollama", ollama.url))) as gate,
    ):
        await gate.until_ready(True, True)
        suspected: list[str] = []
        gate.running.directory.on_suspicion(suspected.append)
        first = await ask(gate)
        assert (first.status, first.headers["X-ModelPool-Backend"]) == (200, "ollama")
        assert suspected == [vllm.url]
        assert gate.ready() == [True, True]
        second = await ask(gate)
        assert (second.status, second.headers["X-ModelPool-Backend"]) == (200, "vllm")
        directory = gate.running.directory
        await until(lambda: not directory.health.suspects, seen=lambda: directory.health.suspects)


async def test_the_last_engine_is_waited_for_while_it_restarts(tmp_path: Path) -> None:
    async with engine(answers) as vllm, scene(tmp_path, document(backend("vllm", vllm.url))) as gate:
        await gate.until_ready(True)
        vllm.healthy = False  # so that it is not taken back before its port opens
        gate.running.directory.ended(vllm.url, Outcome(Failure.REFUSED))
        assert gate.ready() == [False]
        async with asyncio.TaskGroup() as group:
            asked = [group.create_task(ask(gate), name=f"ask {number}") for number in range(3)]
            queues = gate.running.admission.in_flight.queues
            await until(lambda: sum(map(len, queues.values())) == 3, seen=lambda: queues)
            vllm.healthy = True
        assert [task.result().status for task in asked] == [200] * 3


async def test_an_engine_that_was_never_there_is_not_waited_for(tmp_path: Path) -> None:
    async with engine(answers) as vllm:
        vllm.healthy = False
        async with scene(tmp_path, document(backend("vllm", vllm.url))) as gate:
            async with asyncio.timeout(2):
                response = await ask(gate)
            assert (response.status, response.headers["Retry-After"]) == (503, "5")


async def breaks_in_the_middle(request: Received) -> None:
    await request.begin()
    await request.chunk(ROLE)
    await request.chunk(WORD)
    request.die()


async def fails_in_the_middle(request: Received) -> None:
    await request.begin()
    await request.chunk(ROLE)
    await request.chunk(WORD)
    await request.chunk(FAULT)
    await request.end()


@pytest.mark.parametrize("path", [CHATS, "/api/chat"])
@pytest.mark.parametrize(("failure", "kind"), [(breaks_in_the_middle, "closed"), (fails_in_the_middle, "fault")])
async def test_a_stream_that_fails_after_its_first_byte_is_heard_of(
    tmp_path: Path, failure: Behaviour, kind: str, path: str
) -> None:
    async with engine(failure) as vllm, scene(tmp_path, document(backend("vllm", vllm.url))) as gate:
        await gate.until_ready(True)
        suspected: list[str] = []
        gate.running.directory.on_suspicion(suspected.append)
        try:
            await ask(gate, path=path, stream=True)
        except aiohttp.ClientPayloadError:
            assert (path, kind) == (CHATS, "closed")
        await gate.until_idle()
        assert await errors(gate, kind) == 1
        assert suspected == [vllm.url]


NOT_FOUND = b"404 page not found"


async def test_only_a_model_that_is_not_found_is_a_model_that_is_not_pulled(tmp_path: Path) -> None:
    async def knows_no_such_path(request: Received) -> None:
        await request.answer(NOT_FOUND, status=404, kind="text/plain")

    async with (
        engine(knows_no_such_path, models=["qwen3:8b"]) as ollama,
        scene(tmp_path, document(backend("ollama", ollama.url))) as gate,
    ):
        await gate.until_ready(True)
        for path in (CHATS, "/api/chat"):
            async with gate.post(path, CHAT) as response:
                assert (response.status, await response.read()) == (404, NOT_FOUND)
            assert gate.ready() == [True]


@pytest.mark.parametrize("path", [CHATS, "/api/chat", "/v1/messages"])
@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("told", [7, None])
async def test_an_engine_that_has_no_time_is_passed_over_and_its_word_passed_on(
    tmp_path: Path, path: str, status: int, told: int | None
) -> None:
    async def has_no_time(request: Received) -> None:
        extra = "" if told is None else f"Retry-After: {told}\r\n"
        await request.answer(TOO_MANY, status=status, extra=extra)

    async with (
        engine(has_no_time) as one,
        engine(has_no_time) as two,
        scene(tmp_path, document(backend("vllm", one.url), backend("vllm", two.url))) as gate,
    ):
        await gate.until_ready(True, True)
        response = await ask(gate, path=path, max_tokens=5)
        assert (response.status, response.headers.getall("Retry-After")) == (status, [str(told or 2)])
        assert [len(each.received) for each in (one, two)] == [1, 1]
        two.behave = answers
        assert (await ask(gate)).status == 200
        assert gate.ready() == [True, True]


async def test_a_greedy_caller_leaves_the_door_open(tmp_path: Path) -> None:
    permits = asyncio.Semaphore(0)

    async def gated(request: Received) -> None:
        await permits.acquire()
        await request.answer(ANSWER)

    async with engine(gated) as vllm, scene(tmp_path, document(backend("vllm", vllm.url, room=1), pending=4)) as gate:
        await gate.until_ready(True)
        queues = gate.running.admission.in_flight.queues
        async with asyncio.TaskGroup() as group:
            greedy = [group.create_task(ask(gate, source="greedy"), name=f"greedy {number}") for number in range(12)]
            await until(lambda: len(gate.log.lines) == 7, seen=lambda: (gate.log.lines, queues))
            polite = [group.create_task(ask(gate, source="polite"), name=f"polite {number}") for number in range(2)]
            await until(lambda: len(gate.log.lines) == 9, seen=lambda: (gate.log.lines, queues))
            assert [len(queue) for queue in queues.values()] == [4]
            for _ in range(5):
                permits.release()
        assert [task.result().status for task in polite] == [200, 200]
        statuses = sorted(task.result().status for task in greedy)
        assert statuses == [200] * 3 + [503] * 9
        refused = [task.result() for task in greedy if task.result().status == 503]
        assert {one.headers["Retry-After"] for one in refused} == {"2"}


async def test_nothing_is_left_of_requests_that_broke(tmp_path: Path) -> None:
    behaviours = itertools.cycle([hangs_up, breaks_in_the_middle, hangs_up_after_its_head, answers])

    async def does_anything(request: Received) -> None:
        await next(behaviours)(request)

    async with (
        engine(does_anything) as vllm,
        engine(answers, models=["qwen3:8b"]) as ollama,
        scene(tmp_path, document(backend("vllm", vllm.url), backend("ollama", ollama.url))) as gate,
    ):
        await gate.until_ready(True, True)
        await ask(gate)
        await gate.until_idle()
        before = {task.get_name() for task in asyncio.all_tasks()}

        async def some(number: int) -> None:
            for _ in range(20):
                with contextlib.suppress(aiohttp.ClientPayloadError):
                    await ask(gate, path=(CHATS, "/api/chat")[number % 2], stream=number % 4 < 2)

        async with asyncio.TaskGroup() as group:
            for number in range(8):
                group.create_task(some(number), name=f"some {number}")
        await gate.until_idle()
        ours = {"source", "prober", "hangs", f"probe {vllm.url}", f"probe {ollama.url}"}
        assert ours <= before

        def left() -> list[str]:
            """Tasks of the gateway; those of the scripted engines end with their connections."""
            names = [task.get_name() for task in asyncio.all_tasks()]
            return [name for name in names if name == "request" or name.startswith("probe ") or name in ours]

        await until(lambda: sorted(left()) == sorted(ours), seen=left)
        directory = gate.running.directory
        await until(lambda: not directory.health.suspects, seen=lambda: directory.health.suspects)
