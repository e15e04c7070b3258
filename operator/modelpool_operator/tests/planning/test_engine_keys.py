"""The keys of engines: what they are made of, who names them, and when their Secret is made."""

import base64
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from modelpool_operator.planning.changes.plan import make_plan
from modelpool_operator.planning.manifests import engine_keys
from modelpool_operator.planning.objects.identity import Manifest
from modelpool_operator.planning.observation.installation import Installation
from modelpool_operator.planning.observation.observed import Observed
from modelpool_operator.planning.observation.pod_views import ContainerView, PodView
from modelpool_operator.tests.planning.pools import after, ollama, pool_of, vllm

VECTORS: list[dict[str, str]] = json.loads((Path(__file__).parents[4] / "docs" / "reference" / "keys.json").read_text())
RELEASE = b"0123456789abcdef0123456789abcdef"
MARK = engine_keys.mark_of(RELEASE)
KEYED = Observed(installation=Installation(key_mark=MARK))
POOL = pool_of(vllm("a", 0.4), vllm("b", 0.3), ollama("c"))
NAME = engine_keys.secret_name(POOL, MARK)


@pytest.mark.parametrize("row", VECTORS, ids=lambda row: row["key"][:8])
def test_the_key_of_a_pool_is_the_gateways(row: dict[str, str]) -> None:
    found = engine_keys.key_of(row["release"].encode(), row["namespace"], row["name"], row["uid"])
    assert found == row["key"]


def test_a_mark_tells_keys_apart_and_nothing_of_them() -> None:
    other = engine_keys.mark_of(b"another release key of some length")
    assert len(MARK) == 8
    assert other != MARK
    assert MARK not in engine_keys.key_of(RELEASE, *POOL.ref, POOL.uid)


def test_the_secret_is_the_pools_and_never_changes() -> None:
    found = engine_keys.secret(POOL, MARK, RELEASE)
    assert found["metadata"]["name"] == NAME
    assert found["metadata"]["ownerReferences"][0]["uid"] == POOL.uid
    assert found["immutable"] is True
    key = engine_keys.key_of(RELEASE, "llm", "agentic", POOL.uid)
    assert base64.b64decode(found["data"]["key"]).decode() == key


def engines(plan_apply: tuple[Manifest, ...]) -> list[dict[str, Any]]:
    """Return the variables of every vLLM container, by name."""
    pods = [one["spec"]["template"]["spec"] for one in plan_apply if one["kind"] == "Deployment"]
    containers = [pod["containers"][0] for pod in pods if pod["containers"][0]["name"] == "vllm"]
    return [{one["name"]: one for one in container["env"]} for container in containers]


def test_engines_name_the_secret_and_the_routes_say_that_a_key_is_asked_for() -> None:
    plan = make_plan(POOL, KEYED)
    assert plan.key == NAME
    reference = {"name": "VLLM_API_KEY", "valueFrom": {"secretKeyRef": {"name": NAME, "key": "key"}}}
    assert [env["VLLM_API_KEY"] for env in engines(plan.apply)] == [reference, reference]
    (routes,) = (json.loads(one["data"]["routes.json"]) for one in plan.apply if "routes.json" in one.get("data", {}))
    keyed = {(one["engine"], one.get("keyed")) for model in routes["models"] for one in model["backends"]}
    assert keyed == {("vllm", True), ("ollama", None)}


def test_no_manifest_holds_a_key() -> None:
    key = engine_keys.key_of(RELEASE, *POOL.ref, POOL.uid)
    told = json.dumps(make_plan(POOL, KEYED).apply)
    assert key not in told
    assert base64.b64encode(key.encode()).decode() not in told


def test_without_a_release_key_nothing_is_asked_for() -> None:
    plan = make_plan(POOL, Observed())
    assert plan.key is None
    assert not any("VLLM_API_KEY" in env for env in engines(plan.apply))
    assert '"keyed"' not in json.dumps([one.get("data") for one in plan.apply])


def waiting(message: str) -> PodView:
    container = ContainerView(name="vllm", waiting_reason="CreateContainerConfigError", waiting_message=message)
    return PodView(name="a-1", component="vllm", model="a", containers=(container,))


def test_the_secret_is_made_once_and_again_where_a_pod_waits_for_it() -> None:
    settled = replace(after(KEYED, make_plan(POOL, KEYED)), installation=KEYED.installation)
    assert make_plan(POOL, settled).key is None
    deleted = replace(settled, pods=(waiting(f'secret "{NAME}" not found'),))
    assert make_plan(POOL, deleted).key == NAME
    another = replace(settled, pods=(waiting('secret "hf-token" not found'),))
    assert make_plan(POOL, another).key is None


def test_another_release_key_is_another_secret_and_other_pods() -> None:
    settled = after(KEYED, make_plan(POOL, KEYED))
    turned = replace(settled, installation=Installation(key_mark=engine_keys.mark_of(b"another one of these")))
    plan = make_plan(POOL, turned)
    assert plan.key not in (None, NAME)
    assert len(engines(plan.apply)) == 2


def test_a_pool_without_vllm_needs_no_key() -> None:
    assert make_plan(pool_of(ollama("c")), KEYED).key is None


def test_a_refused_pool_gets_no_secret() -> None:
    plan = make_plan(pool_of(vllm("a", 0.9), vllm("b", 0.9)), KEYED)
    assert (plan.refusal is None, plan.key) == (False, None)
