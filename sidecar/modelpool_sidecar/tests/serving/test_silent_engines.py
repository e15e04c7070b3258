"""An engine that hangs: who leaves it, who stays, and how it becomes known where nobody probes it."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from modelpool_sidecar.discovery import probes
from modelpool_sidecar.discovery.directory import Directory
from modelpool_sidecar.engines.registry import PROFILES
from modelpool_sidecar.http.client.pool import ConnectionPool
from modelpool_sidecar.http.client.request_sender import ClientRequest
from modelpool_sidecar.routing import table
from modelpool_sidecar.serving import silent_engines
from modelpool_sidecar.serving.admission import Admission
from modelpool_sidecar.tests.routing import worlds

from ..gateway.scenes import CHAT, Scene, backend, document, scene, until
from ..gateway.scripted import Engine, Received, engine

ROLE = b'data: {"id":"1","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}\n\n'
WORD = b'data: {"id":"1","choices":[{"index":0,"delta":{"content":"half"},"finish_reason":null}]}\n\n'
LAST = b'data: {"id":"1","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
CHATS = "/v1/chat/completions"


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "PROBE_TIMEOUT", 0.15)
    monkeypatch.setattr(silent_engines, "INTERVAL", 0.1)
    monkeypatch.setattr(silent_engines, "SILENT_SECONDS", 0.3)


async def ollama_answers(request: Received) -> None:
    if request.json.get("stream"):
        await request.begin()
        await request.chunk(WORD.replace(b"half", b"ollama"))
        await request.chunk(LAST)
        await request.end()
    else:
        await request.answer(b'{"model":"qwen3:8b","choices":[{"message":{"content":"ollama"}}]}')


def stops(vllm: Callable[[], Engine]) -> Callable[[Received], object]:
    """Says as much as the caller's name asks for, and goes on only when it is woken."""

    async def behave(request: Received) -> None:
        says = request.headers["user-agent"]
        if says != "nothing":
            await request.begin()
        if says in ("its role", "a word"):
            await request.chunk(ROLE)
        if says == "a word":
            await request.chunk(WORD)
        await until(lambda: not vllm().hangs or request.gone.is_set(), seen=lambda: request)
        if request.gone.is_set():
            return
        if says == "nothing":
            await request.begin()
        await request.chunk(WORD.replace(b"half", b"vllm"))
        await request.chunk(LAST)
        await request.end()

    return behave


async def ask(gate: Scene, path: str, says: str, seen: list[str]) -> str:
    text = ""
    async with gate.post(path, CHAT | {"stream": True}, headers={"User-Agent": says}) as response:
        async for chunk in response.content.iter_any():
            seen.append(says)
            text += chunk.decode()
    return text


ASKED = [*itertools.product((CHATS,), ("nothing", "its head", "a word")), ("/api/chat", "its role")]


@asynccontextmanager
async def hung(folder: Path, *, helped: bool, healthy: bool = True) -> AsyncIterator[tuple[Scene, Engine, list[str]]]:
    """A gateway whose engine stops while it has one request of each kind; who got what is told at the end."""
    made: list[Engine] = []
    got: list[str] = []
    async with (
        engine(stops(lambda: made[0])) as vllm,  # type: ignore[arg-type]
        engine(ollama_answers, models=["qwen3:8b"]) as ollama,
    ):
        made.append(vllm)
        backends = [backend("vllm", vllm.url)] + [backend("ollama", ollama.url)] * helped
        async with scene(folder, document(*backends)) as gate:
            await gate.until_ready(*[True] * len(backends))
            seen: list[str] = []
            vllm.hangs = True
            async with asyncio.TaskGroup() as group:
                asked = [
                    group.create_task(ask(gate, path, says, seen), name=f"{says} over {path}") for path, says in ASKED
                ]
                await until(lambda: len(vllm.received) == len(ASKED), seen=lambda: vllm.received)
                await until(lambda: "a word" in seen, seen=lambda: seen)
                yield gate, vllm, got
            got += ["ollama" if "ollama" in task.result() else "vllm" for task in asked]
    assert got == (["ollama", "ollama", "vllm", "ollama"] if helped else ["vllm"] * len(ASKED)), got


async def test_who_has_seen_nothing_goes_elsewhere(tmp_path: Path) -> None:
    async with hung(tmp_path, helped=True) as (gate, vllm, _):
        await gate.until_ready(False, True)
        await until(lambda: len(gate.log.lines) == 3, seen=lambda: gate.log.lines)
        assert [line.attempts for line in gate.log.lines] == [2] * 3
        vllm.hangs = False


async def ollama_chats(request: Received) -> None:
    await request.answer(b'{"model":"qwen3:8b","message":{"role":"assistant","content":"ollama"},"done":true}')


async def counts_for_ever(request: Received, vllm: Engine) -> None:
    """Refuses a conversation for its length, and hangs when it shall count it."""
    if request.path == "/tokenize":
        await until(lambda: not vllm.hangs or request.gone.is_set(), seen=lambda: request)
        return
    words = b"This model's maximum context length is 64 tokens. However, your prompt contains at least 65 input tokens"
    await request.answer(b'{"error":{"message":"%b","code":400}}' % words, status=400)


TRANSLATED = [
    *itertools.product((True,), ("nothing", "its head", "its role")),
    # Of a document the caller has nothing before all of it is here.
    *itertools.product((False,), ("nothing", "its head", "its role", "a word", "a refusal")),
]


@pytest.mark.parametrize(("stream", "says"), TRANSLATED)
async def test_a_translated_request_without_a_byte_goes_elsewhere(tmp_path: Path, stream: bool, says: str) -> None:
    made: list[Engine] = []
    behave = stops(lambda: made[0])

    async def hangs(request: Received) -> None:
        if says == "a refusal":
            await counts_for_ever(request, made[0])
        else:
            await behave(request)  # type: ignore[misc]

    said = [{"role": role, "content": "x"} for role in ("user", "assistant", "user")]
    async with (
        engine(hangs) as vllm,
        engine(ollama_chats, models=["qwen3:8b"]) as ollama,
        scene(tmp_path, document(backend("vllm", vllm.url), backend("ollama", ollama.url))) as gate,
    ):
        made.append(vllm)
        await gate.until_ready(True, True)
        vllm.hangs = True
        body = {"model": "qwen3:8b", "messages": said, "stream": stream}
        async with gate.post("/api/chat", body, headers={"User-Agent": says}) as response:
            told = await response.read()
        assert (response.status, b'"content":"ollama"' in told) == (200, True), told
        assert response.headers["X-ModelPool-Backend"] == "ollama"
        assert [line.attempts for line in gate.log.lines] == [2]
        assert vllm.url in gate.running.directory.health.silent
        vllm.hangs = False


async def test_who_has_no_other_place_stays(tmp_path: Path) -> None:
    async with hung(tmp_path, helped=False) as (gate, vllm, _):
        await gate.until_ready(False)
        directory = gate.running.directory
        await until(lambda: vllm.url in directory.health.silent, seen=lambda: directory.health.silent)
        await asyncio.sleep(5 * silent_engines.INTERVAL)  # would have been let go by now
        assert gate.log.lines == []
        vllm.hangs = False
        await gate.until_ready(True)


async def test_an_engine_that_says_no_ends_what_it_has_begun(tmp_path: Path) -> None:
    release = asyncio.Event()

    async def is_on_its_way_out(request: Received) -> None:
        await release.wait()
        await request.answer(b'{"model":"qwen3:8b","choices":[]}')

    async with (
        engine(is_on_its_way_out) as vllm,
        engine(ollama_answers, models=["qwen3:8b"]) as ollama,
        scene(tmp_path, document(backend("vllm", vllm.url), backend("ollama", ollama.url))) as gate,
    ):
        await gate.until_ready(True, True)
        async with asyncio.TaskGroup() as group:
            asked = group.create_task(one(gate), name="asked")
            await until(lambda: vllm.received, seen=lambda: vllm.received)
            vllm.healthy = False
            await gate.until_ready(False, True)
            await asyncio.sleep(5 * silent_engines.INTERVAL)  # would have been let go by now
            release.set()
        assert asked.result().headers["X-ModelPool-Backend"] == "vllm"
        assert ollama.received == []


async def one(gate: Scene) -> aiohttp.ClientResponse:
    async with gate.post(CHATS, CHAT) as response:
        await response.read()
        assert isinstance(response, aiohttp.ClientResponse)
        return response


async def test_a_hang_is_noticed_where_the_cluster_tells_who_is_ready() -> None:
    async def works(request: Received) -> None:
        await asyncio.wait_for(request.gone.wait(), 30)

    async with engine(works) as vllm:
        directory = Directory()
        admission = Admission(directory, PROFILES)
        asking, probing = (ConnectionPool(connect_timeout=5, read_timeout=30) for _ in range(2))
        prober = probes.Prober(directory, probing, PROFILES, everything=False)
        routes = worlds.document(worlds.model("m", worlds.entry("vllm", vllm.url)))
        service = table.service_of(routes.pool, routes.models[0].backends[0])
        directory.load([routes], {service: (table.Address(url=vllm.url, ready=True),)}, trusted=True)
        asked_after: list[str] = []
        directory.on_suspicion(asked_after.append)
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(prober.run(), name="prober"),
                group.create_task(
                    silent_engines.SilentEngines(directory, admission, asking, prober).run(), name="hangs"
                ),
                group.create_task(
                    asking.open(vllm.url, ClientRequest(method="POST", path="/x", body=b"{}")),
                    name="request",
                ),
            ]
            await until(lambda: len(asked_after) > 1, seen=lambda: asked_after)  # a busy one answers its probes
            await until(lambda: not directory.health.suspects, seen=lambda: directory.health.suspects)
            assert directory.table.models[0].ready
            vllm.hangs = True
            await until(
                lambda: vllm.url in directory.health.silent,
                seen=lambda: (directory.health.suspects, directory.health.silent),
            )
            assert not directory.table.models[0].ready
            vllm.hangs = False
            await until(lambda: directory.table.models[0].ready, seen=lambda: directory.table)
            for task in tasks:
                task.cancel()
        await asking.close()
        await probing.close()
