"""What exists for a pool, in which order, and what the user brings along."""

from typing import Any

from modelpool_operator.planning.changes.plan import make_plan
from modelpool_operator.planning.manifests.children import children_of
from modelpool_operator.planning.objects.identity import Manifest, ref_of
from modelpool_operator.planning.observation.autoscaling import Scale, scaled
from modelpool_operator.planning.observation.observed import Observed
from modelpool_operator.planning.placement.pool_placement import place_pool
from modelpool_operator.planning.sharing.shares import Placement
from modelpool_operator.tests.planning.pools import after, ollama, pool_of, vllm


def children(*models: dict[str, Any], **spec: Any) -> tuple[Manifest, ...]:
    pool = pool_of(*models, **spec)
    placement = place_pool(pool, Observed())
    assert isinstance(placement, Placement), placement
    return children_of(pool, placement, "uid")


def named(manifests: tuple[Manifest, ...], kind: str) -> list[str]:
    return [ref_of(manifest).name for manifest in manifests if ref_of(manifest).kind == kind]


def claims_of(deployment: Manifest) -> dict[str, str]:
    volumes = deployment["spec"]["template"]["spec"]["volumes"]
    return {one["name"]: one["persistentVolumeClaim"]["claimName"] for one in volumes if "persistentVolumeClaim" in one}


def test_a_pool_of_vllm_alone_has_no_ollama() -> None:
    found = children(vllm("a", 0.5), ollama={"enabled": False})
    assert named(found, "Deployment") == named(found, "Service") == ["agentic-a"]
    assert named(found, "PersistentVolumeClaim") == ["agentic-cache"]


def test_a_pool_of_ollama_alone_has_no_weights_and_no_script() -> None:
    found = children(ollama("a"))
    assert named(found, "Deployment") == named(found, "PersistentVolumeClaim") == ["agentic-ollama"]
    assert named(found, "ConfigMap") == ["agentic-routes"]


def test_the_engine_that_starts_first_is_applied_first() -> None:
    found = children(vllm("small", 0.2), vllm("large", 0.5), vllm("middle", 0.21), ollama={"enabled": False})
    assert named(found, "Deployment") == ["agentic-large", "agentic-middle", "agentic-small"]
    assert named(found, "Service") == ["agentic-small", "agentic-large", "agentic-middle"]


def test_claims_that_the_user_brings_are_used_and_not_made() -> None:
    found = children(vllm("a", 0.5), cache={"existingClaim": "weights"}, ollama={"storage": {"existingClaim": "blobs"}})
    assert named(found, "PersistentVolumeClaim") == []
    claims = {ref_of(one).name: claims_of(one) for one in found if one["kind"] == "Deployment"}
    assert claims["agentic-a"]["cache"] == "weights"
    assert claims["agentic-ollama"] == {"models": "blobs"}


def test_pulls_into_a_claim_that_the_user_brings_wait_only_for_the_server() -> None:
    pool = pool_of(ollama("a"), ollama={"storage": {"existingClaim": "blobs"}})
    first = make_plan(pool, Observed())
    assert named(first.apply, "Job") == []
    assert len(named(make_plan(pool, after(Observed(), first)).apply, "Job")) == 1


def test_replicas_need_a_volume_for_several_nodes() -> None:
    modes = {
        replicas: one["spec"]["accessModes"]
        for replicas in (1, 2)
        for one in children(vllm("a", 0.5, replicas=replicas))
        if ref_of(one).name == "agentic-cache"
    }
    assert modes == {1: ["ReadWriteOnce"], 2: ["ReadWriteMany"]}


def test_every_pod_has_the_users_labels_annotations_and_group() -> None:
    said: dict[str, Any] = {"podLabels": {"team": "a"}, "podAnnotations": {"sidecar": "no"}, "fsGroup": 2000}
    pool = pool_of(vllm("a", 0.5), **said)
    placement = place_pool(pool, Observed())
    assert isinstance(placement, Placement), placement
    found = children_of(pool, placement, "uid", removed=("b",))
    templates = [one["spec"]["template"] for one in found if one["kind"] in ("Deployment", "Job")]
    assert len(templates) == 4
    for template in templates:
        assert template["metadata"]["labels"]["team"] == "a"
        assert template["metadata"]["annotations"]["sidecar"] == "no"
        assert template["spec"]["securityContext"]["fsGroup"] == 2000
    assert all("team" not in one["spec"]["selector"]["matchLabels"] for one in found if one["kind"] == "Deployment")


def test_a_storage_class_is_named_only_when_the_user_names_one() -> None:
    (plain, *_) = children(vllm("a", 0.5))
    (classy, *_) = children(vllm("a", 0.5), cache={"storageClassName": "fast", "size": "1Ti"})
    assert "storageClassName" not in plain["spec"]
    assert classy["spec"]["storageClassName"] == "fast"
    assert classy["spec"]["resources"] == {"requests": {"storage": "1Ti"}}


def test_an_ollama_on_a_card_stands_with_replicas_without_being_one() -> None:
    found = children(vllm("a", 0.3, replicas=2), ollama={"gpuMemory": "4Gi"})
    (server,) = [one for one in found if ref_of(one) == ("apps/v1", "Deployment", "agentic-ollama")]
    assert "affinity" not in server["spec"]["template"]["spec"]


def test_replicas_on_whole_cards_share_a_node_where_they_have_to() -> None:
    whole = {"memory": "24Gi", "count": 1, "sharing": "exclusive"}
    found = children(vllm("a", 0.9, replicas=2), gpus=whole, ollama={"enabled": False})
    (deployment,) = (one for one in found if one["kind"] == "Deployment")
    away = deployment["spec"]["template"]["spec"]["affinity"]["podAntiAffinity"]
    assert list(away) == ["preferredDuringSchedulingIgnoredDuringExecution"]
    ((term,),) = away.values()
    assert (term["weight"], term["podAffinityTerm"]["topologyKey"]) == (100, "kubernetes.io/hostname")


def test_a_model_that_may_have_replicas_has_a_budget() -> None:
    found = children(vllm("one", 0.2), vllm("two", 0.2, replicas=2), vllm("some", 0.2, autoscaling={"maxReplicas": 3}))
    assert named(found, "PodDisruptionBudget") == ["agentic-two", "agentic-some"]
    budget = next(one for one in found if ref_of(one).name == "agentic-two" and one["kind"] == "PodDisruptionBudget")
    deployment = next(one for one in found if ref_of(one).name == "agentic-two" and one["kind"] == "Deployment")
    assert budget["spec"]["selector"] == deployment["spec"]["selector"]
    assert budget["spec"]["maxUnavailable"] == 1


def test_a_model_that_is_scaled_keeps_its_template() -> None:
    """Or a scale would restart what runs."""

    def template(replicas: int) -> Any:
        pool = scaled(
            pool_of(vllm("a", 0.3, autoscaling={"maxReplicas": 3})), {"a": Scale(replicas=replicas, reason="")}
        )
        placement = place_pool(pool, Observed())
        assert isinstance(placement, Placement), placement
        (deployment,) = (
            one
            for one in children_of(pool, placement, "uid")
            if ref_of(one).name == "agentic-a" and one["kind"] == "Deployment"
        )
        assert deployment["spec"]["replicas"] == replicas
        return deployment["spec"]["template"]

    assert template(0) == template(1) == template(3)
