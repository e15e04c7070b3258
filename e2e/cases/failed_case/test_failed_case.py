"""What a case that fails leaves: a folder with all that somebody would ask for."""

import json
from pathlib import Path

from modelpool_cluster import waiting
from modelpool_under_test.node import diagnostics
from modelpool_under_test.node.pool import MODEL, Pool
from modelpool_under_test.node.release import Release


def test_a_failed_case_leaves_what_one_asks_for(release: Release, pool: Pool, tmp_path: Path) -> None:
    before = pool.restarts(MODEL)
    pod = pool.kill_engine(MODEL)
    waiting.wait_for(f"{MODEL} to be ready after a restart", lambda: pool.is_ready_after(MODEL, before), timeout=60)
    pool.wait_until_ready()
    answer = release.chat(MODEL)

    files = diagnostics.write(release.cluster, tmp_path)

    assert {name: (tmp_path / name).read_text() for name in files if name.endswith(".txt")}.keys() == {
        "containers.txt", "describe.txt", "events.txt", "gateway-metrics.txt", "gateway-modelpool-routes.txt",
        "node.txt", "pods.txt",
    }  # fmt: skip
    text = {name: (tmp_path / name).read_text() for name in files if name != "logs"}
    broken = {name: said for name, said in text.items() if diagnostics.MISSING in said}
    assert not broken
    assert pod in text["pods.txt"]
    assert pod in text["describe.txt"]
    assert "Started" in text["events.txt"]
    assert "modelpool_gateway_requests_total" in text["gateway-metrics.txt"]
    assert MODEL in text["gateway-modelpool-routes.txt"]
    assert MODEL in text["routes.yaml"]
    assert "kubelet" in text["node.txt"]
    assert "readyModels: 3/3" in text["pools.yaml"]
    requests = [json.loads(line)["request_id"] for line in text["gateway-access.jsonl"].splitlines()]
    assert answer.headers["X-Request-Id"] in requests
    log = tmp_path / "logs" / f"{pool.namespace}.{pod}.vllm.log"
    assert "start_engine: Ready" in log.read_text()
    assert "start_engine: Starting" in log.with_suffix(".previous.log").read_text()
    release.wait_for_route(MODEL, "primary")
