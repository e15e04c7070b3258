"""LoRA adapters: what the engine is told, what is mounted, what is counted, and what is refused."""

from typing import Any

import pytest

from modelpool_operator.planning.changes.plan import make_plan
from modelpool_operator.planning.engines.start_pod import pod_template
from modelpool_operator.planning.engines.vllm import PROFILE, adapters
from modelpool_operator.planning.engines.vllm.arguments import arguments as vllm_arguments
from modelpool_operator.planning.manifests.routes import in_cluster, routes_document
from modelpool_operator.planning.observation.observed import Observed
from modelpool_operator.planning.sharing.shares import Placement, Share
from modelpool_operator.tests.planning import pools
from modelpool_operator.tests.planning.pools import placed, pool_of, refused

SQL = {"name": "qwen3-sql", "source": "hf://example/qwen3-8b-sql", "rank": 24}
LAW = {"name": "law:8b", "source": "pvc://tuned/law/v2"}
HUB = "hf://Qwen/Qwen3-8B-AWQ"


def model(*wanted: dict[str, Any], fraction: float = 0.5, **fields: Any) -> dict[str, Any]:
    return pools.vllm("qwen3:8b", fraction, **{"source": HUB, "adapters": list(wanted), **fields})


def share_of(found: Placement) -> Share:
    return found.shares[0]


def test_the_engine_serves_each_adapter_by_its_name() -> None:
    pool = pool_of(model(SQL, LAW))
    assert adapters.arguments(pool.spec.models[0]) == (
        "--enable-lora",
        *("--lora-modules", "qwen3-sql=example/qwen3-8b-sql", "law:8b=/adapters/tuned/law/v2"),
        *("--max-loras", "2"),
        *("--max-lora-rank", "32"),
    )
    assert adapters.arguments(pool_of(model()).spec.models[0]) == ()


def test_a_list_of_adapters_ends_with_another_flag() -> None:
    pool = pool_of(model(SQL), ollama={"enabled": False})
    told = list(vllm_arguments(pool.spec, pool.spec.models[0], share_of(placed(model(SQL)))))
    after = told[told.index("--lora-modules") + 2]
    assert after.startswith("--")


def test_a_comma_in_a_path_is_no_json() -> None:
    odd = {"name": "odd", "source": "pvc://tuned/a,b"}
    assert '{"name":"odd","path":"/adapters/tuned/a,b"}' in adapters.arguments(pool_of(model(odd)).spec.models[0])


def test_a_volume_is_mounted_once_beside_that_of_the_weights() -> None:
    wanted = model(LAW, {"name": "tax", "source": "pvc://tuned/tax"}, source="pvc://weights/qwen", weights="6Gi")
    pool = pool_of(wanted)
    pod = pod_template(PROFILE, pool, pool.spec.models[0], share_of(placed(wanted)))["spec"]
    claims = [one["persistentVolumeClaim"] for one in pod["volumes"] if "persistentVolumeClaim" in one]
    assert claims == [
        {"claimName": "agentic-cache"},
        {"claimName": "weights", "readOnly": True},
        {"claimName": "tuned", "readOnly": True},
    ]
    mounted = {one["name"]: one["mountPath"] for one in pod["containers"][0]["volumeMounts"]}
    assert mounted["adapters-0"] == "/adapters/tuned"


def test_memory_is_set_aside_for_all_of_them() -> None:
    """Of Qwen3-8B: 36 layers x (4 x 4096 + 2 x 4096 + 2 x 1024 + 3 x (4096 + 12288)) numbers a rank, two bytes each."""
    (line,) = (term for term in share_of(placed(model(SQL, LAW))).lines if "LoRA" in term.label)
    assert line.label == "2 LoRA adapters of rank 32"
    assert line.bytes == 2 * 32 * 36 * (26624 + 49152) * 2


def test_adapters_can_be_what_is_too_much() -> None:
    found = refused(model({**SQL, "rank": 512}, fraction=0.35, contextLength=4096))
    assert found.reason == "ModelTooLarge"
    assert "2.61Gi 1 LoRA adapter of rank 512" in found.message


def test_adapters_of_a_model_that_nobody_knows_are_not_counted_and_that_is_said() -> None:
    found = placed(pools.vllm("a", 0.5, weights="4Gi", adapters=[SQL]))
    assert "a: the size of its adapters is not known, so they are not counted" in found.notes


def test_an_adapter_is_routed_to_its_models_engine_by_its_own_name() -> None:
    pool = pool_of(model(SQL, aliases=["qwen3"], contextLength=4096, capabilities=["completion", "tools"]))
    base, adapter = routes_document(pool, placed(model(SQL)), in_cluster(pool, placed(model(SQL))))["models"]
    engine = {"engine": "vllm", "service": "agentic-qwen3-8b", "port": 8000, "maxConcurrency": 16}
    assert base["backends"][0] == {**engine, "model": "qwen3:8b"}
    assert adapter == {
        "name": "qwen3-sql",
        "capabilities": ["completion", "tools"],
        "contextLength": 4096,
        "trainedContextLength": 40960,
        "embeddingLength": 4096,
        "parameterSize": "8.2B",
        "quantization": "AWQ",
        "family": "qwen3",
        "parameters": {"temperature": 0.6, "top_k": 20, "top_p": 0.95},
        "backends": [{**engine, "model": "qwen3-sql"}],
    }


FORMS = "'hf://repository[@revision]', 'pvc://claim/path' or 'ollama://name'"
NEEDS = (
    "`source` of adapter qwen3-sql of qwen3:8b must be 'hf://repository', which vLLM reads without a revision, or"
    " 'pvc://claim/path'"
)
REFUSED = {
    "of a model of Ollama's": (
        {"name": "a", "engine": "ollama", "adapters": [SQL]},
        "`adapters` of a must not be set for engine 'ollama'",
    ),
    "called as its model": (
        model({**SQL, "name": "QWEN3:8b"}),
        "names, aliases and adapters must be unique in a pool, but 'QWEN3:8b' belongs to 'qwen3:8b' twice",
    ),
    "at a revision": (
        model({**SQL, "source": "hf://example/sql@v1"}),
        f"{NEEDS}, got 'hf://example/sql@v1'",
    ),
    "of Ollama's library": (
        model({**SQL, "source": "ollama://sql"}),
        f"{NEEDS}, got 'ollama://sql'",
    ),
    "from nowhere": (
        model({**SQL, "source": "example/sql"}),
        f"adapter qwen3-sql of qwen3:8b: `source` must be {FORMS}, got 'example/sql'",
    ),
    "without a rank": (
        model({**SQL, "rank": 0}),
        "`rank` of adapter qwen3-sql of qwen3:8b must be from 1 to 512, got 0",
    ),
}


@pytest.mark.parametrize(("wanted", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_an_adapter_that_cannot_be_is_refused(wanted: dict[str, Any], message: str) -> None:
    refusal = make_plan(pool_of(wanted), Observed()).refusal
    assert refusal is not None
    assert refusal.message == message
