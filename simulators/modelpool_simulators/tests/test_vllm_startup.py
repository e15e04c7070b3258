"""Start-up on a shared card: fractions, neighbours, races, and the words of every refusal.

One after the other is fine, at the same time is not. The layouts are those the operator plans for 24 GiB.
"""

import asyncio
import errno
import os
from pathlib import Path

import pytest

from modelpool_simulators import cards, catalog
from modelpool_simulators.quantities import GIB
from modelpool_simulators.vllm import flags, memory, settings, startup

_QUICK = {"FAKE_VLLM_LOAD_SECONDS": "0.05", "FAKE_VLLM_PROFILE_SECONDS": "0.05"}
_QWEN = ("Qwen/Qwen3-8B-AWQ", "--max-model-len", "8192", "--gpu-memory-utilization")


@pytest.fixture()
def card(tmp_path: Path) -> cards.Card:
    return cards.Card(folder=tmp_path, index=0, memory=24 * GIB)


async def _start(card: cards.Card | tuple[cards.Card, ...], *arguments: str, **environment: str) -> startup.Loaded:
    devices = (card,) if isinstance(card, cards.Card) else card
    given = settings.from_environment(_QUICK | environment)
    return await startup.load(flags.parse(["serve", *arguments]), given, devices)


async def test_the_planned_three_fit_one_card_in_turn(card: cards.Card) -> None:
    gemma = await _start(
        card, "gaunernst/gemma-3-4b-it-int4-awq", "--gpu-memory-utilization", "0.25", "--max-model-len", "auto"
    )
    qwen = await _start(card, *_QWEN, "0.35")
    cogito = await _start(
        card,
        "deepcogito/cogito-v1-preview-llama-8B",
        "--gpu-memory-utilization",
        "0.30",
        "--max-model-len",
        "4096",
        FAKE_VLLM_WEIGHTS="5.4Gi",
    )
    assert gemma.max_model_len > 60_000
    assert 8192 <= qwen.cache_tokens < 14_000
    assert cogito.max_model_len == 4096
    assert card.free() == pytest.approx(2.4 * GIB - 3 * catalog.CONTEXT_OVERHEAD, abs=8)


async def test_the_share_is_the_fraction_and_the_context_comes_on_top(card: cards.Card) -> None:
    await _start(card, *_QWEN, "0.5")
    assert 24 * GIB - card.free() == 12 * GIB + catalog.CONTEXT_OVERHEAD


async def test_a_full_card_is_refused_at_the_gate(card: cards.Card) -> None:
    await _start(card, *_QWEN, "0.6")
    with pytest.raises(memory.StartupError) as caught:
        await _start(card, *_QWEN, "0.4")
    assert str(caught.value) == (
        "ValueError: Free memory on device cuda:0 (8.6/24.0 GiB) on startup is less than desired GPU memory "
        "utilization (0.4, 9.6 GiB). Decrease GPU memory utilization or reduce GPU memory used by other processes."
    )
    assert card.free() == 24 * GIB - int(24 * GIB * 0.6) - catalog.CONTEXT_OVERHEAD - 1


async def test_two_that_profile_at_the_same_time_break_each_other(card: cards.Card) -> None:
    both = await asyncio.gather(_start(card, *_QWEN, "0.45"), _start(card, *_QWEN, "0.45"), return_exceptions=True)
    failures = [one for one in both if isinstance(one, memory.StartupError)]
    assert failures, both
    assert "No available memory for the cache blocks" in str(failures[0])


async def test_a_neighbour_that_frees_memory_breaks_the_profiling(card: cards.Card) -> None:
    neighbour = card.hold("neighbour")
    neighbour.resize(8 * GIB)
    async with asyncio.TaskGroup() as tasks:
        starting = tasks.create_task(_expect_failure(card))
        while card.holders().get("model", 0) < catalog.CONTEXT_OVERHEAD + GIB:
            await asyncio.sleep(0.001)
        neighbour.release()
    assert starting.result().startswith(
        "AssertionError: Error in memory profiling. Initial free memory 15.5 GiB, current free memory"
    )


async def _expect_failure(card: cards.Card) -> str:
    with pytest.raises(memory.StartupError) as caught:
        await _start(
            card,
            "Qwen/Qwen3-4B-AWQ",
            "--served-model-name",
            "model",
            "--gpu-memory-utilization",
            "0.4",
            FAKE_VLLM_LOAD_SECONDS="0.5",
        )
    return str(caught.value)


async def test_a_share_without_room_for_a_cache_says_so(card: cards.Card) -> None:
    with pytest.raises(memory.StartupError, match="No available memory for the cache blocks"):
        await _start(card, *_QWEN, "0.25")


async def test_a_context_that_does_not_fit_names_the_one_that_does(card: cards.Card) -> None:
    with pytest.raises(memory.StartupError) as caught:
        await _start(card, "Qwen/Qwen3-8B-AWQ", "--gpu-memory-utilization", "0.35")
    assert "To serve at least one request with the model's max seq len (40960)" in str(caught.value)
    assert "the estimated maximum model length is 12" in str(caught.value)


async def test_auto_takes_the_longest_context_that_fits(card: cards.Card) -> None:
    loaded = await _start(card, "Qwen/Qwen3-8B-AWQ", "--gpu-memory-utilization", "0.35", "--max-model-len", "auto")
    assert loaded.max_model_len <= loaded.cache_tokens < loaded.max_model_len + 16


async def test_in_a_slice_measuring_graphs_fails_and_a_stated_cache_is_not_measured(card: cards.Card) -> None:
    with pytest.raises(memory.StartupError, match="CUDA out of memory"):
        await _start(card, *_QWEN, "0.92", FAKE_VLLM_SLICED="1")
    eager = await _start(card, *_QWEN, "0.45", "--enforce-eager", FAKE_VLLM_SLICED="1")
    stated = await _start(card, *_QWEN, "0.45", "--kv-cache-memory-bytes", str(2 * GIB), FAKE_VLLM_SLICED="1")
    assert eager.cache_bytes == pytest.approx(4.5 * GIB, rel=0.1)
    assert stated.cache_bytes == 2 * GIB


_GEMMA = ("google/gemma-3-4b-it", "--gpu-memory-utilization", "0.9", "--max-model-len", "8192")
_KIB = 1024


@pytest.mark.parametrize(
    ("memory_gib", "arguments", "kept"),
    [(24, (), 3088), (24, ("--max-num-batched-tokens", "8192"), 8208), (80, (), 8208), (24, ("-tp", "2"), 3088)],
    ids=["a step of 2048", "a step of 8192", "a large card", "two cards"],
)
async def test_a_sliding_layer_keeps_its_window_and_one_step(
    tmp_path: Path, memory_gib: int, arguments: tuple[str, ...], kept: int
) -> None:
    count = 2 if "-tp" in arguments else 1
    devices = tuple(cards.Card(folder=tmp_path, index=index, memory=memory_gib * GIB) for index in range(count))
    needed = (20 * 8192 + 120 * kept) * _KIB // count
    limits = ("--kv-cache-memory-bytes", str(needed - 1))
    with pytest.raises(memory.StartupError, match=rf"{round(needed / GIB, 2)} GiB KV cache is needed"):
        await _start(devices, *_GEMMA, *arguments, *limits)
    loaded = await _start(devices, *_GEMMA, *arguments, "--kv-cache-memory-bytes", str(needed))
    assert loaded.cache_tokens == loaded.max_model_len == 8192


def test_heads_are_divided_down_to_one_for_each_card() -> None:
    given = settings.from_environment({})
    sizes = []
    for cards_used in ("1", "4", "8"):
        parsed = flags.parse(["serve", "Qwen/Qwen2.5-VL-7B-Instruct", "-tp", cards_used])
        sizes.append(startup._needs(parsed, given, catalog.look_up(parsed.model), 24 * GIB).cache_per_token)
    assert sizes == [56 * _KIB, 14 * _KIB, 14 * _KIB]


async def test_weights_beyond_the_card_end_in_out_of_memory(card: cards.Card) -> None:
    with pytest.raises(memory.StartupError, match=r"torch\.OutOfMemoryError: CUDA out of memory"):
        await _start(card, *_QWEN, "0.9", FAKE_VLLM_WEIGHTS="30Gi")
    assert card.free() == 24 * GIB


async def test_fixed_cache_bytes_are_not_measured(card: cards.Card) -> None:
    both = await asyncio.gather(
        _start(card, *_QWEN, "0.4", "--kv-cache-memory-bytes", "2G"),
        _start(card, *_QWEN, "0.4", "--kv-cache-memory-bytes", "2G"),
    )
    assert [one.cache_bytes for one in both] == [2 * GIB] * 2


async def test_tensor_parallel_shares_the_weights(tmp_path: Path) -> None:
    devices = tuple(cards.Card(folder=tmp_path, index=index, memory=12 * GIB) for index in range(2))
    await _start(devices, *_QWEN, "0.5", "--tensor-parallel-size", "2")
    assert [card.free() for card in devices] == [12 * GIB - 6 * GIB - catalog.CONTEXT_OVERHEAD] * 2


async def test_a_context_beyond_the_model_is_refused_before_anything_is_loaded() -> None:
    with pytest.raises(
        memory.StartupError, match=r"User-specified max_model_len \(100000\) is greater than the derived"
    ):
        await _start((), "Qwen/Qwen3-8B-AWQ", "--max-model-len", "100000")


async def test_a_context_may_be_stretched_beyond_the_model() -> None:
    stretched = ("--hf-overrides", '{"max_position_embeddings": 65536}')
    loaded = await _start((), "Qwen/Qwen3-8B-AWQ", "--max-model-len", "65536", *stretched)
    assert loaded.max_model_len == 65536
    with pytest.raises(memory.StartupError, match=r"\(65537\) is greater"):
        await _start((), "Qwen/Qwen3-8B-AWQ", "--max-model-len", "65537", *stretched)


async def test_weights_are_fetched_once(card: cards.Card, tmp_path: Path) -> None:
    environment = {"FAKE_VLLM_DOWNLOAD": "1Mi", "HF_HOME": str(tmp_path / "hub")}
    arguments = (*_QWEN, "0.35")
    await _start(card, *arguments, **environment)
    (weights,) = (path for path in (tmp_path / "hub").rglob("*") if path.is_file())
    assert weights.stat().st_size == 1 << 20
    weights.write_bytes(b"")
    await _start(card, *arguments, **environment)
    assert weights.stat().st_size == 0


async def test_a_full_volume_is_told_in_the_systems_words(
    card: cards.Card, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Path, source: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "rename", full)
    with pytest.raises(memory.StartupError, match=r"^OSError: \[Errno 28\] No space left on device$"):
        await _start(card, *_QWEN, "0.35", FAKE_VLLM_DOWNLOAD="1Ki", HF_HOME=str(tmp_path / "hub"))
