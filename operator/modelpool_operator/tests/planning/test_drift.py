"""Who has changed a child behind the operator's back."""

from typing import Any

from modelpool_operator.api import names
from modelpool_operator.planning.changes import drift
from modelpool_operator.planning.objects.identity import ChildRef, Manifest, sealed

WANTED: Manifest = sealed(
    {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "x", "namespace": "llm", "annotations": {"modelpool.dev/gpu": "0"}},
        "spec": {"replicas": 1, "template": {"spec": {"containers": [{"name": "vllm", "image": "a"}]}}},
    }
)
REF = ChildRef("apps/v1", "Deployment", "x")


def entry(manager: str, fields: dict[str, Any], time: str = "2026-11-22T10:00:00Z") -> dict[str, Any]:
    return {"manager": manager, "operation": "Update", "time": time, "fieldsV1": fields}


def found(live: Manifest, *entries: dict[str, Any]) -> list[str]:
    seen = {**live, "metadata": {**live["metadata"], "managedFields": list(entries)}}
    return [str(one) for one in drift.found_in({REF: WANTED}, {REF: seen})]


def spec(**changes: Any) -> Manifest:
    return {**WANTED, "spec": {**WANTED["spec"], **changes}}


def test_a_field_is_named_with_the_manager_that_holds_it() -> None:
    mine = entry(names.FIELD_MANAGER, {"f:spec": {"f:replicas": {}}}, "2026-11-22T12:00:00Z")
    other = entry("kube-controller-manager", {"f:status": {"f:replicas": {}}})
    theirs = entry("kubectl-edit", {"f:spec": {"f:replicas": {}}})
    assert found(spec(replicas=5), mine, other, theirs) == [
        "Deployment x: /spec/replicas was changed by 'kubectl-edit' and is put back; change the ModelPool instead"
    ]


def test_an_item_of_a_list_is_found_by_its_key() -> None:
    fields: dict[str, Any] = {
        "f:spec": {"f:template": {"f:spec": {"f:containers": {'k:{"name":"vllm"}': {"f:image": {}}}}}}
    }
    changed = spec(template={"spec": {"containers": [{"name": "vllm", "image": "b"}]}})
    (said,) = found(changed, entry("argocd-controller", fields))
    assert "/spec/template/spec/containers/vllm/image was changed by 'argocd-controller'" in said


def test_an_annotation_whose_name_has_a_slash_is_found() -> None:
    annotations = {**WANTED["metadata"]["annotations"], "modelpool.dev/gpu": "1"}
    changed = {**WANTED, "metadata": {**WANTED["metadata"], "annotations": annotations}}
    (said,) = found(changed, entry("carol", {"f:metadata": {"f:annotations": {"f:modelpool.dev/gpu": {}}}}))
    assert "'carol'" in said


def test_of_several_the_latest_is_named_and_of_nobody_somebody() -> None:
    fields: dict[str, Any] = {"f:spec": {"f:replicas": {}}}
    early, late = entry("early", fields), entry("late", fields, "2026-11-22T11:00:00Z")
    assert "'late'" in found(spec(replicas=5), late, early)[0]
    assert "by somebody" in found(spec(replicas=5))[0]


def test_a_change_of_the_pool_is_nobodys_interference() -> None:
    before = {**WANTED["metadata"], "annotations": {names.APPLIED_ANNOTATION: "older"}}
    assert found({**spec(replicas=5), "metadata": before}, entry("kubectl-edit", {"f:spec": {"f:replicas": {}}})) == []
    assert list(drift.found_in({REF: WANTED}, {})) == []


def test_what_is_added_is_named_with_who_holds_it() -> None:
    (said,) = found(spec(paused=True), entry("kubectl-rollout", {"f:spec": {"f:paused": {}}}))
    assert "/spec/paused was changed by 'kubectl-rollout'" in said
    assert found(spec(minReadySeconds=3)) == [], "the API server's own"


SEAL: dict[str, Any] = {"f:metadata": {"f:annotations": {f"f:{names.APPLIED_ANNOTATION}": {}}}}


def sealed_as(seal: str | None, manifest: Manifest) -> Manifest:
    annotations = {**WANTED["metadata"]["annotations"], names.APPLIED_ANNOTATION: seal}
    kept = {key: value for key, value in annotations.items() if value is not None}
    return {**manifest, "metadata": {**manifest["metadata"], "annotations": kept}}


def test_who_applies_an_exported_child_again_is_named_by_what_he_changed() -> None:
    theirs = entry("argocd-controller", {**SEAL, "f:spec": {"f:replicas": {}}})
    (said,) = found(sealed_as("exported", spec(replicas=5)), theirs)
    assert "/spec/replicas was changed by 'argocd-controller'" in said
    (said,) = found(sealed_as("exported", WANTED), entry("argocd-controller", SEAL))
    assert f"/metadata/annotations/{names.APPLIED_ANNOTATION} was changed by 'argocd-controller'" in said


def test_who_replaces_a_child_by_one_without_its_seal_is_named() -> None:
    mine = entry(names.FIELD_MANAGER, {"f:spec": {"f:template": {}}})
    theirs = entry("kubectl-replace", {"f:spec": {"f:replicas": {}}})
    (said,) = found(sealed_as(None, spec(replicas=5)), mine, theirs)
    assert "/spec/replicas was changed by 'kubectl-replace'" in said


def test_a_port_is_found_by_its_number_and_protocol() -> None:
    port = {"name": "http", "containerPort": 8000, "protocol": "TCP"}
    template = {"spec": {"containers": [{"name": "vllm", "image": "a", "ports": [port]}]}}
    wanted = sealed({**WANTED, "metadata": {"name": "x"}, "spec": {"template": template}})
    live = {**wanted, "metadata": dict(wanted["metadata"])}
    live["spec"] = {
        "template": {"spec": {"containers": [{"name": "vllm", "image": "a", "ports": [{**port, "hostPort": 8000}]}]}}
    }
    ports: dict[str, Any] = {"f:ports": {'k:{"containerPort":8000,"protocol":"TCP"}': {"f:hostPort": {}}}}
    containers = {"f:containers": {'k:{"name":"vllm"}': ports}}
    fields: dict[str, Any] = {"f:spec": {"f:template": {"f:spec": containers}}}
    live["metadata"]["managedFields"] = [entry("carol", fields)]
    (said,) = (str(one) for one in drift.found_in({REF: wanted}, {REF: live}))
    assert "/spec/template/spec/containers/vllm/ports/http/hostPort was changed by 'carol'" in said
