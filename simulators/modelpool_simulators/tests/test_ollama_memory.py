"""What the simulated Ollama takes of a card, beside neighbours that come and go."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aiohttp import ClientSession

from modelpool_simulators import cards
from modelpool_simulators.ollama import memory
from modelpool_simulators.quantities import GIB

from . import serving

_CARD = 12 * GIB


def _environment(folder: Path, **more: str) -> dict[str, str]:
    shown = {"MODELPOOL_SIMULATED_CARDS": str(folder), "MODELPOOL_SIMULATED_CARD_MEMORY": "12Gi"}
    return {**shown, "FAKE_OLLAMA_PRELOADED": "gemma3:4b,cogito:8b", "FAKE_OLLAMA_REPLY": "Hello", **more}


def _card(folder: Path, neighbour: int) -> tuple[cards.Card, cards.Holding]:
    card = cards.Card(folder=folder, index=0, memory=_CARD)
    holding = card.hold("neighbour")
    holding.resize(neighbour)
    return card, holding


async def _ask(session: ClientSession, model: str) -> None:
    body: dict[str, Any] = {"model": model, "messages": [{"role": "user", "content": "hi"}], "stream": False}
    async with session.post("/api/chat", json=body) as response:
        assert response.status == 200, await response.text()


async def test_a_model_takes_its_weights_its_cache_and_a_context(tmp_path: Path) -> None:
    async with serving.ollama(**_environment(tmp_path)) as (session, state):
        await _ask(session, "cogito:8b")
        (runner,) = state.runners.loaded()
        card, neighbour = _card(tmp_path, 0)
        cache = runner.context * runner.model.known.cache_per_token
        taken = memory.need_of(runner.model, cache) + memory.MINIMUM
        assert _CARD - card.free() == taken > runner.model.size
        async with session.get("/api/ps") as response:
            assert (await response.json())["models"][0]["size_vram"] == taken
    assert card.free() == _CARD
    neighbour.release()


async def test_beside_neighbours_another_model_takes_the_place_of_the_first(tmp_path: Path) -> None:
    card, neighbour = _card(tmp_path, 5 * GIB)
    async with serving.ollama(**_environment(tmp_path)) as (session, _):
        await _ask(session, "cogito:8b")
        await _ask(session, "gemma3:4b")
        assert card.holders().keys() == {"neighbour", "ollama gemma3:4b"}
    neighbour.release()


async def test_what_a_neighbour_gives_back_is_taken_whatever_is_to_be_left_free(tmp_path: Path) -> None:
    card, neighbour = _card(tmp_path, 5 * GIB)
    async with serving.ollama(**_environment(tmp_path, OLLAMA_GPU_OVERHEAD=str(GIB // 4))) as (session, _):
        await _ask(session, "cogito:8b")
        neighbour.release()
        await _ask(session, "gemma3:4b")
        assert card.holders().keys() == {"ollama cogito:8b", "ollama gemma3:4b"}
        assert card.free() < 5 * GIB


async def test_alone_a_model_takes_what_is_free_and_leaves_what_it_is_told(tmp_path: Path) -> None:
    card, neighbour = _card(tmp_path, 9 * GIB)
    async with serving.ollama(**_environment(tmp_path, OLLAMA_GPU_OVERHEAD=str(GIB))) as (session, _):
        await _ask(session, "cogito:8b")
        assert card.free() == GIB
    neighbour.release()


async def test_without_room_it_runs_on_the_cpu(tmp_path: Path) -> None:
    card, neighbour = _card(tmp_path, _CARD)
    async with serving.ollama(**_environment(tmp_path)) as (session, state):
        await _ask(session, "cogito:8b")
        (runner,) = state.runners.loaded()
        assert runner.holding is None
        assert card.holders() == {"neighbour": _CARD}
    neighbour.release()


async def test_two_servers_of_one_folder_know_the_same_models(tmp_path: Path) -> None:
    folder = {"OLLAMA_MODELS": str(tmp_path)}
    async with serving.ollama(**folder) as (first, _), serving.ollama(**folder) as (second, _):
        async with first.post("/api/pull", json={"model": "cogito:8b", "stream": False}) as response:
            assert (await response.json())["status"] == "success"
        await _ask(second, "cogito:8b")
