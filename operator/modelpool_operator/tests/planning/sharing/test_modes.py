"""What a pod asks for in each mode, and what a mode makes of a share."""

from typing import Any

import pytest

from modelpool_operator.api.pool import ModelPool, Sharing
from modelpool_operator.api.quantity import GIB, gib
from modelpool_operator.planning import sharing
from modelpool_operator.planning.manifests.children import children_of
from modelpool_operator.planning.objects.identity import Manifest
from modelpool_operator.planning.observation.observed import Observed
from modelpool_operator.planning.placement.pool_placement import place_pool
from modelpool_operator.planning.sharing.shares import Placement
from modelpool_operator.tests.planning.pools import ollama, placed, pool_of, refused, settled, vllm


def children(pool: ModelPool) -> dict[tuple[str, str], Manifest]:
    placement = place_pool(pool, Observed())
    assert isinstance(placement, Placement), placement
    made = children_of(pool, placement, None)
    return {(child["kind"], child["metadata"]["name"]): child for child in made}


def pod_of(mode: str, *models: dict[str, Any], gpus: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    """Return the pod template of the first model."""
    pool = pool_of(*models, gpus={"sharing": mode, **(gpus or {})}, **spec)
    found: dict[str, Any] = children(pool)["Deployment", f"agentic-{models[0]['name']}"]["spec"]["template"]
    return found


def container_of(pod: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = pod["spec"]["containers"][0]
    return found


def told(pod: dict[str, Any], flag: str) -> str:
    arguments = container_of(pod)["args"]
    return str(arguments[arguments.index(flag) + 1])


def test_every_value_of_the_api_has_its_mode() -> None:
    assert set(sharing.MODES) == set(Sharing) - {Sharing.AUTO}


class TestExclusive:
    def test_a_model_asks_for_one_card_of_its_own_for_each_part(self) -> None:
        pod = pod_of("exclusive", vllm("a", 0.9, tensorParallelSize=2), gpus={"count": 2})
        assert container_of(pod)["resources"] == {"limits": {"nvidia.com/gpu": "2"}}

    def test_no_card_is_shared_however_little_a_model_takes(self) -> None:
        found = placed(vllm("a", 0.1), vllm("b", 0.1), gpus={"sharing": "exclusive", "count": 2})
        assert {share.model: share.gpus for share in found.shares} == {"a": (0,), "b": (1,)}

    def test_the_whole_card_is_what_its_context_leaves(self) -> None:
        found = placed(vllm("a", 1.0), gpus={"sharing": "exclusive"})
        (share,) = found.shares
        assert share.bytes + share.overhead + 24 * GIB // 50 == 24 * GIB
        assert share.fraction == 0.9591
        assert found.notes[-1] == (
            "a: is given 23.02Gi (0.9591 of 24.00Gi), which is what a card has beside the engine's context"
        )

    def test_a_reserve_that_leaves_nothing_is_refused_with_its_sum(self) -> None:
        found = refused(vllm("a", 1.0), gpus={"sharing": "exclusive", "reserve": "23.8Gi"})
        assert found.reason == "CardOverfull"
        assert "23.80Gi reserve" in found.message


class TestHami:
    def test_a_model_asks_for_a_slice_that_holds_its_context(self) -> None:
        pod = pod_of("hami", vllm("a", 0.35))
        limits = {"nvidia.com/gpu": "1", "nvidia.com/gpumem-percentage": "38"}
        assert container_of(pod)["resources"] == {"limits": limits}
        assert pod["metadata"]["annotations"]["hami.io/gpu-scheduler-policy"] == "binpack"

    def test_the_engine_takes_its_share_of_the_slice(self) -> None:
        fraction = float(told(pod_of("hami", vllm("a", 0.35)), "--gpu-memory-utilization"))
        assert fraction == 0.921
        assert 0.38 * 24 * fraction == pytest.approx(0.35 * 24, abs=0.01)

    def test_the_engine_is_told_the_size_of_its_cache_where_the_plan_knows_it(self) -> None:
        known = {"source": "hf://Qwen/Qwen3-8B-AWQ"}
        found = int(told(pod_of("hami", vllm("a", 0.5, **known)), "--kv-cache-memory-bytes"))
        assert found == pytest.approx((12 - 5.68 - 1.20) * 1024**3, rel=0.01)
        stated = pod_of("hami", vllm("a", 0.5, kvCacheMemory="2Gi", **known))
        assert told(stated, "--kv-cache-memory-bytes") == str(2 * 1024**3)
        for way, fields in (("timeSlicing", known), ("hami", {})):
            assert "--kv-cache-memory-bytes" not in container_of(pod_of(way, vllm("a", 0.5, **fields)))["args"]

    def test_a_cache_that_nobody_can_count_is_told(self) -> None:
        unknown = "measures what CUDA graphs take, which may run out of memory in a slice; set `kvCacheMemory`"
        gpus = {"sharing": "hami"}
        assert any(unknown in note for note in placed(vllm("a", 0.5), gpus=gpus).notes)
        for fields in ({"kvCacheMemory": "2Gi"}, {"args": ["--enforce-eager"]}):
            assert not any(unknown in note for note in placed(vllm("a", 0.5, **fields), gpus=gpus).notes)
        assert not any(unknown in note for note in placed(vllm("a", 0.5)).notes)

    def test_the_user_may_limit_cores(self) -> None:
        cores = {"resources": {"limits": {"nvidia.com/gpucores": 30}}}
        limits = container_of(pod_of("hami", vllm("a", 0.35), vllm=cores))["resources"]["limits"]
        assert limits["nvidia.com/gpucores"] == 30

    @pytest.mark.parametrize("width", [1, 2])
    def test_a_wide_engine_reduces_without_shared_handles(self, width: int) -> None:
        pod = pod_of("hami", vllm("a", 0.5, tensorParallelSize=width), gpus={"count": 2})
        assert ("--disable-custom-all-reduce" in container_of(pod)["args"]) is (width > 1)
        assert container_of(pod)["resources"]["limits"]["nvidia.com/gpu"] == str(width)

    def test_percents_of_a_card_never_add_up_to_more_than_the_card(self) -> None:
        models = tuple(vllm(f"m{number}", 0.121) for number in range(7))
        assert placed(*models).cards[0].free > 0
        found = refused(*models, gpus={"sharing": "hami"})
        assert found.message.endswith("2.91Gi m6 + 4.87Gi for 7 CUDA contexts and whole percents)")

    def test_ollama_keeps_to_its_slice_without_being_told(self) -> None:
        pool = pool_of(ollama("a"), gpus={"sharing": "hami"}, ollama={"gpuMemory": "6Gi"})
        pod = children(pool)["Deployment", "agentic-ollama"]["spec"]["template"]
        assert container_of(pod)["resources"]["limits"]["nvidia.com/gpumem-percentage"] == "28"
        assert "OLLAMA_GPU_OVERHEAD" not in {one["name"] for one in container_of(pod)["env"]}


class TestDra:
    def test_one_claim_for_each_card_in_use(self) -> None:
        pool = pool_of(vllm("a", 0.4), vllm("b", 0.4), vllm("c", 0.4), gpus={"sharing": "dra", "count": 3})
        found = [name for kind, name in children(pool) if kind == "ResourceClaim"]
        assert found == ["agentic-gpu-0", "agentic-gpu-1", "agentic-gpu-2"]
        pool = pool_of(vllm("a", 0.4, gpu=1), gpus={"sharing": "dra", "count": 3})
        assert [name for kind, name in children(pool) if kind == "ResourceClaim"] == ["agentic-gpu-1"]

    def test_a_claim_is_the_pools_and_asks_for_any_card(self) -> None:
        pool = pool_of(vllm("a", 0.4), gpus={"sharing": "dra"})
        claim = children(pool)["ResourceClaim", "agentic-gpu-0"]
        assert claim["metadata"]["ownerReferences"][0]["uid"] == pool.uid
        (request,) = claim["spec"]["devices"]["requests"]
        assert request == {"name": "gpu", "exactly": {"deviceClassName": "gpu.nvidia.com"}}

    def test_pods_of_one_card_name_one_claim(self) -> None:
        models = (vllm("a", 0.4, gpu=1), vllm("b", 0.4, gpu=1), vllm("c", 0.5, gpu=0))
        pool = pool_of(*models, gpus={"sharing": "dra", "count": 2})
        made = children(pool)
        named = [made["Deployment", f"agentic-{name}"]["spec"]["template"]["spec"]["resourceClaims"] for name in "abc"]
        assert named[0] == named[1] == [{"name": "gpu-1", "resourceClaimName": "agentic-gpu-1"}]
        assert named[2] == [{"name": "gpu-0", "resourceClaimName": "agentic-gpu-0"}]

    def test_a_wide_model_names_the_claims_of_all_its_cards(self) -> None:
        container = container_of(pod_of("dra", vllm("a", 0.4, tensorParallelSize=2), gpus={"count": 2}))
        assert container["resources"] == {"claims": [{"name": "gpu-0"}, {"name": "gpu-1"}]}

    def test_ollama_shares_the_claim_of_its_card(self) -> None:
        pool = pool_of(vllm("a", 0.4), gpus={"sharing": "dra"}, ollama={"gpuMemory": "6Gi"})
        pod = children(pool)["Deployment", "agentic-ollama"]["spec"]["template"]
        assert pod["spec"]["resourceClaims"] == [{"name": "gpu-0", "resourceClaimName": "agentic-gpu-0"}]

    def test_a_claim_that_is_there_is_left_alone(self) -> None:
        observed = settled(pool_of(vllm("a", 0.4), gpus={"sharing": "dra"}))
        assert ("ResourceClaim", "agentic-gpu-0") in {(ref.kind, ref.name) for ref in observed.children}


def test_large_cards_take_more_for_a_context_and_wide_engines_more_again() -> None:
    def overhead(memory: str, width: int) -> str:
        wide = vllm("a", 0.4, tensorParallelSize=width)
        (share,) = placed(wide, gpus={"memory": memory, "count": 2, "sharing": "dra"}).shares
        return gib(share.overhead)

    assert [overhead("24Gi", 1), overhead("80Gi", 1), overhead("80Gi", 2)] == ["0.5Gi", "0.8Gi", "1.3Gi"]
