"""Which of a pool's Ollama servers answers for which model."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelpool_operator.api.models import Engine
from modelpool_operator.api.pool import Sharing
from modelpool_operator.planning.engines.ollama import servers as ollama_servers
from modelpool_operator.planning.engines.ollama.servers import divide, need_of
from modelpool_operator.planning.manifests import routes
from modelpool_operator.planning.memory import ollama_library
from modelpool_operator.tests.planning.pools import ollama, placed, pool_of, spec_of, vllm

SHARE: dict[str, Any] = {"gpuMemory": "6Gi", "contextLength": 4096, "maxLoadedModels": 4}
SLICED, SHARED = Sharing.TIME_SLICING, (Sharing.TIME_SLICING, Sharing.VISIBLE_DEVICES, Sharing.DRA)

Case = tuple[tuple[dict[str, Any], ...], dict[str, Any], tuple[str, ...], tuple[str, ...], int]
STANDS_IN = vllm("gemma3:4b", 0.4)
CASES: dict[str, Case] = {
    "no share: one server on the CPU": ((STANDS_IN, ollama("cogito:8b")), {}, ("gemma3:4b", "cogito:8b"), (), 3),
    "a declared model keeps the card": ((STANDS_IN, ollama("cogito:8b")), SHARE, ("cogito:8b",), ("gemma3:4b",), 4),
    "no stand-in": ((vllm("a", 0.4, fallback={"enabled": False}), ollama("cogito:8b")), SHARE, ("cogito:8b",), (), 4),
    "a declared model that stands in, too": (
        (vllm("a", 0.4, fallback={"model": "cogito:8b"}), ollama("cogito:8b")),
        SHARE,
        ("cogito:8b",),
        (),
        4,
    ),
    "no declared model: the share is the stand-ins', as far as they fit": (
        (STANDS_IN, vllm("qwen3:14b", 0.3), vllm("nobody/knows", 0.1, fallback={"model": "nobody:knows"})),
        SHARE,
        ("gemma3:4b",),
        ("qwen3:14b", "nobody:knows"),
        4,
    ),
    "so many at once as fit": ((ollama("qwen3:0.6b"), ollama("qwen3:4b"), ollama("cogito:8b")), SHARE, (), (), 1),
    "two small ones fit": ((ollama("qwen3:0.6b"), ollama("gemma3:1b"), STANDS_IN), SHARE, (), ("gemma3:4b",), 4),
    "one that nobody knows is not counted": ((ollama("a"), ollama("cogito:8b")), SHARE, (), (), 4),
}


@pytest.mark.parametrize(("models", "server", "first", "beside", "loaded"), CASES.values(), ids=CASES.keys())
def test_who_holds_which(
    models: tuple[dict[str, Any], ...],
    server: dict[str, Any],
    first: tuple[str, ...],
    beside: tuple[str, ...],
    loaded: int,
) -> None:
    found = divide(spec_of(*models, ollama=server), SLICED)
    assert found.beside == beside
    assert not first or found.first == first
    assert found.loaded == loaded


@pytest.mark.parametrize("way", [Sharing.HAMI, Sharing.EXCLUSIVE])
def test_where_something_else_holds_ollama_to_its_share_one_server_has_all(way: Sharing) -> None:
    spec = spec_of(STANDS_IN, ollama("cogito:8b"), ollama=SHARE)
    assert divide(spec, way).first == ("gemma3:4b", "cogito:8b")
    assert divide(spec, way).beside == ()
    assert ollama_servers.notes_on(spec, way) == ()


NAMES = st.lists(st.sampled_from([*ollama_library.SIZES, "nobody:knows"]), max_size=6, unique=True)


@given(
    declared=NAMES,
    engines=NAMES,
    share=st.integers(1, 24),
    most=st.integers(1, 8),
    parallel=st.integers(1, 4),
    way=st.sampled_from(SHARED),
)
def test_what_is_loaded_at_once_fits_into_the_share(
    declared: list[str], engines: list[str], share: int, most: int, parallel: int, way: Sharing
) -> None:
    """For any models: each has one server, and what the one on the card may hold is within the share or told."""
    models = [*(vllm(f"vllm-{name}", 0.01, fallback={"model": name}) for name in engines), *map(ollama, declared)]
    server = {"gpuMemory": f"{share}Gi", "maxLoadedModels": most, "numParallel": parallel}
    spec = spec_of(*models, ollama=server)
    found = divide(spec, way)
    assert sorted((*found.first, *found.beside)) == sorted({*declared, *engines})
    assert 1 <= found.loaded <= most
    assert set(declared) <= set(found.first)
    told = " ".join(ollama_servers.notes_on(spec, way))
    needs = sorted((need for name in found.first if (need := need_of(spec, name)) is not None), reverse=True)
    unsure = any(name not in ollama_library.SIZES for name in found.first)
    if any(f"{name}: " in told for name in found.first):
        assert unsure or needs[0] > share << 30
    else:
        assert sum(needs[: found.loaded]) <= share << 30


def test_routes_lead_each_model_to_its_server() -> None:
    pool = pool_of(STANDS_IN, ollama("cogito:8b"), ollama=SHARE)
    placement = placed(STANDS_IN, ollama("cogito:8b"), ollama=SHARE)
    document = routes.routes_document(pool, placement, routes.in_cluster(pool, placement))
    ports = {
        model["name"]: [one["port"] for one in model["backends"] if one["engine"] == Engine.OLLAMA.value]
        for model in document["models"]
    }
    assert ports == {"gemma3:4b": [11435], "cogito:8b": [11434]}


def test_a_model_that_takes_more_than_the_share_is_told() -> None:
    found = placed(STANDS_IN, ollama("qwen2.5vl:7b"), ollama("mine"), ollama=SHARE).notes
    assert any(
        "qwen2.5vl:7b: takes about 6.49Gi on Ollama, more than `ollama.gpuMemory` 6.00Gi" in one for one in found
    )
    assert any("mine: its size on Ollama is not known" in one for one in found)
    assert not any("gemma3:4b: takes" in one for one in found)
    spec = spec_of(STANDS_IN, ollama("qwen2.5vl:7b"), ollama("mine"), ollama("cogito:8b"), ollama=SHARE)
    assert ollama_servers.unbounded(spec, SLICED) == ("qwen2.5vl:7b", "mine")
    assert ollama_servers.unbounded(spec, Sharing.AUTO) == ("qwen2.5vl:7b", "mine")
    assert ollama_servers.unbounded(spec, Sharing.HAMI) == ()
    (unused,) = ollama_servers.notes_on(spec_of(vllm("a", 0.4), ollama=SHARE), SLICED)
    assert unused.startswith("`ollama.gpuMemory` is used by nobody")
