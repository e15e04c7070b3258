"""The control plane is real: what it refuses, what it runs, what it remembers."""

from __future__ import annotations

import datetime
import http.client
import json
import ssl
import subprocess
import urllib.parse
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from modelpool_cluster import rest
from modelpool_cluster.cluster import Cluster
from modelpool_cluster.waiting import wait_for

T = TypeVar("T")

CRD = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "gadgets.e2e.modelpool.dev"},
    "spec": {
        "group": "e2e.modelpool.dev",
        "names": {"kind": "Gadget", "plural": "gadgets"},
        "scope": "Namespaced",
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {
                            "spec": {
                                "type": "object",
                                "properties": {"size": {"type": "integer", "description": "How big it is."}},
                                "x-kubernetes-validations": [{"rule": "self.size > 0", "message": "must be positive"}],
                            }
                        },
                    }
                },
            }
        ],
    },
}


def config_map(name: str, **metadata: object) -> dict[str, object]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, **metadata}}


def test_all_components_carry_the_pinned_version(cluster: Cluster) -> None:
    version = json.loads(cluster.kubectl("version", "-o", "json"))
    pinned = cluster.binaries.control_plane()["kube-apiserver"].version

    assert version["serverVersion"]["gitVersion"] == pinned
    assert version["clientVersion"]["gitVersion"] == pinned
    assert cluster.manager.version() == (1, 36)


def test_strangers_are_refused(cluster: Cluster) -> None:
    server = urllib.parse.urlsplit(cluster.kubectl("config", "view", "-o", "jsonpath={.clusters[0].cluster.server}"))
    context = ssl.create_default_context(cafile=cluster.folder / "pki" / "ca.crt")
    connection = http.client.HTTPSConnection(server.hostname or "", server.port, context=context)
    try:
        connection.request("GET", "/api/v1/namespaces")
        assert connection.getresponse().status in (401, 403)
    finally:
        connection.close()


def test_a_service_account_may_do_what_its_role_says_and_no_more(cluster: Cluster, namespace: str) -> None:
    cluster.kubectl("create", "serviceaccount", "reader", "-n", namespace)
    cluster.kubectl("create", "role", "reader", "--verb=get,list", "--resource=configmaps", "-n", namespace)
    cluster.kubectl(
        "create", "rolebinding", "r", "--role=reader", f"--serviceaccount={namespace}:reader", "-n", namespace
    )
    began = datetime.datetime.now(datetime.UTC)
    reader = rest.Api(cluster.kubeconfig_for(namespace, "reader"))
    try:
        wait_for(
            "the role's effect", lambda: _status(reader, "GET", f"/api/v1/namespaces/{namespace}/configmaps") == 200
        )
        assert _status(reader, "GET", f"/api/v1/namespaces/{namespace}/secrets") == 403
        assert _status(reader, "GET", "/api/v1/namespaces/default/configmaps") == 403
    finally:
        reader.close()

    seen = cluster.audit_events(since=began, user=f"system:serviceaccount:{namespace}:reader", verbs={"list"})
    assert {(event.resource, event.namespace, event.status) for event in seen} >= {
        ("configmaps", namespace, 200),
        ("secrets", namespace, 403),
        ("configmaps", "default", 403),
    }
    assert not cluster.audit_events(since=began, user=f"system:serviceaccount:{namespace}:reader", verbs={"patch"})


def _status(api: rest.Api, method: str, path: str) -> int:
    try:
        api.get(path)
    except rest.ApiError as exc:
        return exc.status
    return 200


def test_kubectl_applies_explains_and_validates_a_custom_resource(cluster: Cluster, namespace: str) -> None:
    cluster.apply(CRD)
    cluster.kubectl("wait", "--for=condition=Established", "crd/gadgets.e2e.modelpool.dev", "--timeout=60s")
    gadget = {
        "apiVersion": "e2e.modelpool.dev/v1",
        "kind": "Gadget",
        "metadata": {"name": "one", "namespace": namespace},
    }

    def applied() -> bool:
        cluster.apply({**gadget, "spec": {"size": 1}})
        return True

    wait_for("the first apply", lambda: _without_error(applied))
    cluster.apply({**gadget, "spec": {"size": 2}})

    assert cluster.kubectl("get", "gadget", "one", "-n", namespace, "-o", "jsonpath={.spec.size}") == "2"
    assert "must be positive" in _refusal(cluster, {**gadget, "spec": {"size": 0}})
    assert 'unknown field "spec.colour"' in _refusal(cluster, {**gadget, "spec": {"size": 1, "colour": "red"}})
    wait_for(
        "the description in OpenAPI",
        lambda: "How big it is." in _without_error(lambda: cluster.kubectl("explain", "gadget.spec")),
    )
    cluster.kubectl("delete", "crd", "gadgets.e2e.modelpool.dev", "--wait=false")


def _refusal(cluster: Cluster, manifest: dict[str, object]) -> str:
    try:
        cluster.apply(manifest)
    except RuntimeError as exc:
        return str(exc)
    return "accepted"


def _without_error(act: Callable[[], T]) -> T:
    try:
        return act()
    except RuntimeError as exc:
        raise AssertionError(str(exc)) from exc


def test_what_is_owned_goes_with_its_owner(cluster: Cluster, namespace: str) -> None:
    maps = f"/api/v1/namespaces/{namespace}/configmaps"
    owner = cluster.api.create(maps, config_map("owner"))
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner["metadata"]["uid"]}
    cluster.api.create(maps, config_map("owned", ownerReferences=[reference]))

    cluster.api.delete(f"{maps}/owner")

    wait_for("the end of the owned object", lambda: cluster.api.find(f"{maps}/owned") is None)


def test_the_audit_log_tells_our_own_requests(cluster: Cluster, namespace: str) -> None:
    began = datetime.datetime.now(datetime.UTC)
    cluster.api.create(f"/api/v1/namespaces/{namespace}/configmaps", config_map("audited"))

    (event,) = cluster.audit_events(since=began, user="modelpool:admin", verbs={"create"}, resource="configmaps")

    assert (event.namespace, event.name, event.status) == (namespace, "audited", 201)
    assert not cluster.audit_events(since=datetime.datetime.now(datetime.UTC), user="modelpool:admin")


def test_helm_reaches_the_cluster(cluster: Cluster, namespace: str, helm: Path) -> None:
    done = subprocess.run(
        [helm, "--kubeconfig", cluster.kubeconfig, "list", "-n", namespace, "-o", "json"],
        capture_output=True, text=True, check=True, env={"HOME": str(cluster.folder)},
    )  # fmt: skip

    assert json.loads(done.stdout) == []
