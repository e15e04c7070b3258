"""Pages and lists that are asked for again and again are made as often as they change, or as is affordable."""

import asyncio
import dataclasses
import json
from collections.abc import Iterable
from pathlib import Path

import pytest

from modelpool_sidecar.dialects import model_cards
from modelpool_sidecar.dialects.answer import Answer
from modelpool_sidecar.dialects.calls import Call, resolve
from modelpool_sidecar.dialects.dialect import Dialect
from modelpool_sidecar.dialects.errors import Refusal
from modelpool_sidecar.dialects.model_cards import ModelCard
from modelpool_sidecar.engines.registry import PROFILES
from modelpool_sidecar.routing.table import RoutingTable
from modelpool_sidecar.serving.models import Models
from modelpool_sidecar.serving.page_cache import PageCache

from ..gateway.scenes import Scene, backend, document, put, scene, until


def test_a_page_is_made_for_a_tenth_of_the_time() -> None:
    now, spent, made = 0, 0, 0

    def make() -> Answer:
        nonlocal now, spent, made
        made += 1
        now, spent = now + 50, spent + 30  # others ran in between
        return Answer(body=b"%d" % made)

    costly = PageCache(lambda: now, lambda: spent)
    assert costly.page("/a", make).body == b"1"
    now += 9 * 30 - 1
    assert costly.page("/a", make).body == b"1"
    assert costly.page("/b", make).body == b"2"
    assert costly.page("/a", make).body == b"3"


def call(path: str) -> Call:
    found = resolve("GET", path)
    assert isinstance(found, Call)
    return found


@pytest.mark.parametrize("path", ["/api/tags", "/v1/models", "/api/ps"])
def test_a_list_is_made_once_for_a_table(path: str) -> None:
    catalogue, table, second = Models(PROFILES), RoutingTable(), 1_000_000_000
    first = catalogue.answer(call(path), table, "", epoch_ns=5 * second)
    assert catalogue.answer(call(path), table, "", epoch_ns=5 * second + 1) is first
    later = catalogue.answer(call(path), table, "", epoch_ns=6 * second)
    assert (later is first) is (path != "/api/ps")
    assert catalogue.answer(call(path), RoutingTable(), "", epoch_ns=5 * second) is not first


def test_lists_of_different_dialects_are_not_mixed_up() -> None:
    catalogue, table = Models(PROFILES), RoutingTable()
    told = []
    for path, dialect in (
        ("/api/tags", Dialect.OLLAMA),
        ("/v1/models", Dialect.OPENAI),
        ("/v1/models", Dialect.ANTHROPIC),
    ):
        asked = call(path)
        asked = dataclasses.replace(asked, dialect=dialect)
        answer = catalogue.answer(asked, table, "", epoch_ns=0)
        assert not isinstance(answer, Refusal)
        told.append(set(json.loads(answer.body)))
    assert told == [{"models"}, {"object", "data"}, {"data", "has_more", "first_id", "last_id"}]


async def test_a_list_changes_with_the_table_and_is_made_for_nobody_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    tags = model_cards.tags

    def counted(cards: Iterable[ModelCard]) -> Answer:
        made.append(1)
        return tags(cards)

    monkeypatch.setattr(model_cards, "tags", counted)
    async with scene(tmp_path, document(backend("vllm", "http://127.0.0.1:1"))) as gate:
        for _ in range(20):
            async with gate.get("/api/tags") as response:
                assert [one["name"] for one in (await response.json())["models"]] == ["qwen3:8b"]
            async with gate.session.head(gate.url + "/api/tags") as response:
                assert int(response.headers["Content-Length"]) > 100
        assert len(made) <= 3, made  # the table may change while the engine is looked for
        put(gate.routes, document(backend("vllm", "http://127.0.0.1:1"), name="other"))
        await until(lambda: gate.running.directory.table.find("other"), seen=lambda: gate.running.directory.table)
        async with gate.get("/api/tags") as response:
            assert [one["name"] for one in (await response.json())["models"]] == ["other"]


async def test_many_that_do_not_read_hold_one_list(tmp_path: Path) -> None:
    """They have the same bytes, and none has a second one before it has read the first."""
    models = [document(backend("vllm", "http://127.0.0.1:1"), name=f"model-{n}")["models"][0] for n in range(3000)]
    async with scene(tmp_path, document() | {"models": models}) as gate:
        writers = []
        for _ in range(20):
            _, writer = await asyncio.open_connection(*gate.running.listening[0], limit=1024)
            writer.write(b"GET /api/tags HTTP/1.1\r\nHost: localhost\r\n\r\n" * 100)
            writers.append(writer)
        await until(lambda: len(gate.log.lines) >= 20, seen=lambda: len(gate.log.lines))
        async with gate.get("/healthz") as response:
            assert response.status == 200
        assert len(gate.log.lines) < 20 * 20
        for writer in writers:
            writer.transport.abort()


async def test_names_that_are_no_models_make_no_series(tmp_path: Path) -> None:
    """A caller cannot make the metrics grow by what it asks for, or by how it calls itself."""
    asked = 0
    paths = ("/v1/chat/completions", "/api/chat", "/nothing/{}", "/v1/models/{}")

    async def ask(gate: Scene, number: int) -> None:
        nonlocal asked
        name = f"m{number}"
        told = {"X-Source": name, "Authorization": f"Bearer {name}", "User-Agent": f"{name}/1"}
        for path in paths:
            asked += 1
            async with gate.post(path.format(name), {"model": name, "messages": []}, headers=told) as response:
                assert response.status in {404, 405}

    async def series(gate: Scene) -> set[str]:
        """Once all that was asked is counted: the page may be a moment old."""
        async with asyncio.timeout(20):
            while True:
                async with gate.get("/metrics") as response:
                    lines = [line for line in (await response.text()).splitlines() if not line.startswith("#")]
                counts = [line for line in lines if line.startswith("modelpool_gateway_requests_total")]
                if sum(float(line.rpartition(" ")[2]) for line in counts) == asked:
                    return {line.rpartition(" ")[0] for line in lines}
                await asyncio.sleep(0.01)

    async with scene(tmp_path, document(backend("vllm", "http://127.0.0.1:9"))) as gate:
        await ask(gate, 0)
        before = await series(gate)
        for number in range(1, 50):
            await ask(gate, number)
        assert await series(gate) == before
