"""The main job on a real node: the chart comes up, the engines start one after the other, both APIs answer."""

import json

from real_node_pool import OLLAMA_MODEL, VLLM_MODELS, Pool
from real_node_release import GATEWAY, NAMESPACE, Object, Release

from modelpool_cluster import waiting


def test_the_chart_runs_as_it_promises(release: Release) -> None:
    """Non-root, no capability, a root filesystem that cannot be written."""
    pods = release.cluster.pods(NAMESPACE)
    assert len(pods) == 2, [pod["metadata"]["name"] for pod in pods]
    for pod in pods:
        name = pod["metadata"]["name"]
        assert pod["status"]["containerStatuses"][0]["restartCount"] == 0
        look = "import os;print(os.getuid(), *(l.split()[1] for l in open('/proc/self/status') if 'CapEff' in l))"
        told = release.cluster.kubectl("exec", f"--namespace={NAMESPACE}", name, "--", "python3", "-c", look)
        assert told.split() == ["65532", "0000000000000000"]
        write = "import errno\ntry: open('/opt/x', 'w')\nexcept OSError as e: print(errno.errorcode[e.errno])"
        told = release.cluster.kubectl("exec", f"--namespace={NAMESPACE}", name, "--", "python3", "-c", write)
        assert told.strip() in ("EROFS", "EACCES"), told


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


def test_a_killed_engine_falls_back_and_comes_back(release: Release, pool: Pool) -> None:
    model = "qwen3:8b"
    name = pool.kill_engine(model)
    routes = []

    def back() -> bool:
        answer = release.chat(model)
        assert answer.status == 200, answer  # nobody notices
        routes.append(answer.route)
        (pod,) = pool.pods(model)
        assert pod["metadata"]["name"] == name, "the container is restarted, not the pod replaced"
        restarts = pod["status"]["containerStatuses"][0]["restartCount"]
        return "fallback" in routes and answer.route == "primary" and restarts > 0

    waiting.wait_for(f"{model} to fall back and come back", back, timeout=120)
    pool.wait_until_ready()


def test_a_rebooted_node_brings_all_back_in_order(release: Release, pool: Pool) -> None:
    before = {pod["metadata"]["name"]: _running_since(pod) for pod in pool.pods()}
    assert len(before) == 3, before
    pool.cluster.reboot()

    def started_again() -> bool:  # the pods' own word: for some seconds the pool's status is still the old one
        now = {pod["metadata"]["name"]: _running_since(pod) for pod in pool.pods()}
        assert all(now.get(name, "") > then for name, then in before.items()), (before, now)
        return True

    waiting.wait_for("every container to be ready again", started_again, timeout=180, every=0.5)
    pool.wait_until_ready()
    pool.assert_started_one_by_one()
    for model in (*VLLM_MODELS, OLLAMA_MODEL):
        release.wait_for_route(model, "primary")


def _running_since(pod: Object) -> str:
    """Return since when a pod's container has been running and is ready; empty while it is not."""
    (status,) = pod["status"].get("containerStatuses") or [{"ready": False, "state": {}}]
    return str(status["state"].get("running", {}).get("startedAt", "")) if status["ready"] else ""
