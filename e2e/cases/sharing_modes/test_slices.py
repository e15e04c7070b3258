"""Engines in slices of a card, as HAMi enforces them, with the arguments that the operator gives them."""

from pathlib import Path
from typing import Any, Final

import pytest

from modelpool_operator.api.parsing import from_body
from modelpool_operator.planning import sharing
from modelpool_operator.planning.engines.vllm import arguments as vllm
from modelpool_operator.planning.observation.observed import Observed
from modelpool_operator.planning.placement.pool_placement import place_pool
from modelpool_operator.planning.sharing.hami import PERCENT_RESOURCE
from modelpool_operator.planning.sharing.shares import Placement
from modelpool_simulators import cards
from modelpool_simulators.quantities import GIB
from modelpool_simulators.vllm import flags, memory, settings, startup

CARD: Final = 24 * GIB
STATED: Final = "--kv-cache-memory-bytes"
MODELS: Final[dict[str, dict[str, Any]]] = {
    "a context": {"source": "hf://Qwen/Qwen3-8B-AWQ", "gpuMemoryFraction": 0.35, "contextLength": 4096},
    "the longest context": {"source": "hf://Qwen/Qwen3-8B-AWQ", "gpuMemoryFraction": 0.5},
    "windows": {"source": "hf://google/gemma-3-4b-it", "gpuMemoryFraction": 0.5, "contextLength": 8192},
    "a draft": {
        "source": "hf://Qwen/Qwen3-8B-AWQ",
        "gpuMemoryFraction": 0.5,
        "contextLength": 8192,
        "speculative": {"method": "draftModel", "model": "hf://Qwen/Qwen3-0.6B"},
    },
    "a cache that is stated": {
        "source": "hf://Qwen/Qwen3-8B-AWQ",
        "gpuMemoryFraction": 0.5,
        "contextLength": 4096,
        "kvCacheMemory": "1Gi",
    },
}


@pytest.mark.parametrize("fields", MODELS.values(), ids=MODELS.keys())
async def test_an_engine_starts_in_its_slice_and_keeps_to_it(fields: dict[str, Any], tmp_path: Path) -> None:
    spec = {"gpus": {"memory": "24Gi", "sharing": "hami"}, "models": [{"name": "a", "engine": "vllm", **fields}]}
    kind = {"apiVersion": "modelpool.dev/v1alpha1", "kind": "ModelPool"}
    pool = from_body({**kind, "metadata": {"namespace": "llm", "name": "pool"}, "spec": spec})
    placement = place_pool(pool, Observed())
    assert isinstance(placement, Placement), placement
    (share,) = (one for one in placement.shares if one.model == "a")
    access = sharing.mode_of(pool.spec).access(pool, share)
    arguments = list(vllm.arguments(pool.spec, pool.spec.models[0], share, access=access))
    slice_ = cards.Card(folder=tmp_path, index=0, memory=CARD * int(access.limits[PERCENT_RESOURCE]) // 100)
    quick = {"FAKE_VLLM_SLICED": "1", "FAKE_VLLM_LOAD_SECONDS": "0.01", "FAKE_VLLM_PROFILE_SECONDS": "0.01"}

    async def started(words: list[str]) -> startup.Loaded:
        return await startup.load(flags.parse(["serve", *words]), settings.from_environment(quick), (slice_,))

    loaded = await started(arguments)
    wanted = fields.get("contextLength", share.longest_context)
    assert loaded.max_model_len >= (wanted // 16 * 16 if "contextLength" not in fields else wanted)
    for holding in loaded.holdings:
        assert holding.bytes <= share.bytes + share.overhead
        holding.release()

    place = arguments.index(STATED)
    with pytest.raises(memory.StartupError, match="CUDA out of memory"):
        await started([*arguments[:place], *arguments[place + 2 :]])
