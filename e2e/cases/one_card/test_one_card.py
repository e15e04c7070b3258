"""Three models on one card: the engines start one after the other, and both APIs answer."""

import json

from modelpool_under_test.node.pool import OLLAMA_MODEL, VLLM_MODELS, Pool
from modelpool_under_test.node.release import GATEWAY, NAMESPACE, Release


def test_the_engines_start_one_after_the_other(pool: Pool) -> None:
    pool.assert_started_one_by_one()


def test_both_apis_answer_from_the_node(release: Release, pool: Pool) -> None:
    for model in (*VLLM_MODELS, OLLAMA_MODEL):
        for answer in (release.chat(model), release.ollama_chat(model)):
            assert answer.status == 200, answer
            assert answer.route == "primary", answer
            assert answer.headers["X-ModelPool-Backend"] == ("ollama" if model == OLLAMA_MODEL else "vllm")


def test_a_pod_asks_by_the_service_s_name(release: Release, pool: Pool) -> None:
    (asking,) = pool.pods(VLLM_MODELS[0])
    url = f"http://{GATEWAY}.{NAMESPACE}.svc:11434/api/tags"
    script = f"import urllib.request; print(urllib.request.urlopen({url!r}, timeout=20).read().decode())"
    told = pool.cluster.kubectl(
        "exec", f"--namespace={pool.namespace}", asking["metadata"]["name"], "--", "python3", "-c", script
    )
    assert {one["name"] for one in json.loads(told)["models"]} >= {*VLLM_MODELS, OLLAMA_MODEL}
