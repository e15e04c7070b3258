"""A program in a pod of another namespace asks through the packages `openai` and `ollama`, by the cluster's DNS."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from modelpool_cluster import waiting
from modelpool_operator.api.names import engine_names
from modelpool_under_test.images import Images
from modelpool_under_test.node.pool import OLLAMA_MODEL, VLLM_MODELS, Pool, manifest
from modelpool_under_test.node.release import GATEWAY, NAMESPACE, Release

SCRIPT: Final = Path(__file__).with_name("asking.py")
EMBEDDING_MODEL: Final = "nomic-embed-text"
_CLIENTS: Final = "clients"


@pytest.fixture(scope="module")
def told(release: Release, pool: Pool, node_images: Images) -> Iterator[dict[str, Any]]:
    """What the program in the pod printed."""
    cluster = release.cluster
    pool.patch({"models": [*manifest()["spec"]["models"], {"name": EMBEDDING_MODEL, "engine": "ollama"}]})
    waiting.wait_for("the model for embeddings", lambda: pool.status().get("readyModels") == "4/4", timeout=120)
    cluster.import_images(node_images.archive("clients"))
    cluster.add_namespace(_CLIENTS)
    restricted = {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}
    cluster.api.patch(f"/api/v1/namespaces/{_CLIENTS}", {"metadata": restricted})
    files = {"metadata": {"name": "program"}, "data": {SCRIPT.name: SCRIPT.read_text()}}
    cluster.api.create(f"/api/v1/namespaces/{_CLIENTS}/configmaps", files)
    engine = f"{engine_names(pool.name, VLLM_MODELS[0]).child}.{pool.namespace}.svc"
    cluster.api.create(f"/api/v1/namespaces/{_CLIENTS}/pods", _pod(engine))

    def ended() -> bool:
        (found,) = cluster.pods(_CLIENTS)
        assert found["status"]["phase"] in ("Succeeded", "Failed"), found["status"]
        return True

    waiting.wait_for("the program's end", ended, timeout=90)
    printed = cluster.kubectl("logs", f"--namespace={_CLIENTS}", "asking")
    assert printed.startswith("{"), printed
    yield json.loads(printed)
    cluster.remove_namespace(_CLIENTS)
    pool.apply(manifest())
    pool.wait_until_ready()


@pytest.mark.parametrize("package", ["openai", "ollama"])
def test_a_pod_asks_through_the_packages_that_people_use(told: dict[str, Any], package: str) -> None:
    said = told[package]
    print(json.dumps({**said, "embedding": said["embedding"][:3]}))
    assert said["chat"]
    assert said["model"] == "qwen3:8b"
    assert said["pieces"] > 3, "a stream comes in pieces"
    assert said["ended"] == "length"
    assert len(said["embedding"]) > 8
    assert any(said["embedding"])
    assert set(said["models"]) >= {*VLLM_MODELS, OLLAMA_MODEL, EMBEDDING_MODEL}
    assert said["error"]["status"] == 404
    assert "absent:1b" in said["error"]["text"]


def test_an_engine_answers_nobody_who_comes_past_the_gateway(told: dict[str, Any]) -> None:
    assert told["past"] is not None, "the engine answered"
    assert told["past"]["status"] == 401
    assert json.loads(told["past"]["text"]) == {"error": "Unauthorized"}


def _pod(engine: str) -> dict[str, Any]:
    container = {
        "name": "asking",
        "image": Images.name("clients"),
        "imagePullPolicy": "Never",
        "command": ["python3", f"/program/{SCRIPT.name}", f"{GATEWAY}.{NAMESPACE}.svc", engine],
        "securityContext": {
            "allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}, "readOnlyRootFilesystem": True,
        },
        "volumeMounts": [{"name": "program", "mountPath": "/program"}],
    }  # fmt: skip
    spec = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
        "volumes": [{"name": "program", "configMap": {"name": "program"}}],
    }
    return {"metadata": {"name": "asking"}, "spec": spec}
