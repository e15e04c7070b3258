"""An image upgrade goes card by card, and an engine that must go ends what it has begun.

First with an image that is not to be had: it takes one card down, the other one answers. Then with one that is.
"""

import http.client
import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import pytest

from modelpool_cluster import waiting
from modelpool_under_test.images import Images
from modelpool_under_test.node import gateway_traffic, pool_watch
from modelpool_under_test.node.pool import Pool, manifest
from modelpool_under_test.node.pool_watch import Watch
from modelpool_under_test.node.release import Object, Release

FIRST, SECOND = "first:1", "second:1"
ABSENT: Final = "localhost:1/modelpool/absent:1"
UPGRADED: Final = "modelpool/engines:upgraded"
TOKENS: Final = 450
"""Of a stream that takes longer than the pause between leaving the endpoints and SIGTERM."""
ENDPOINT_SECONDS: Final = 5
TURN: Final = f"{SECOND}: is changed once {FIRST} on card 0 answers with the change"


@pytest.fixture
def upgraded(release: Release) -> Iterator[str]:
    """The engines' image under another name, on a node with two cards."""
    ctr = release.cluster.machine.ctr
    known = subprocess.run(ctr("images", "list", "--quiet"), capture_output=True, text=True, check=True).stdout.split()
    (old,) = (name for name in known if name.endswith(Images.name("engines")))
    new = old.removesuffix(Images.name("engines")) + UPGRADED
    subprocess.run(ctr("images", "tag", "--force", old, new), capture_output=True, check=True)
    release.cluster.add_gpu_node(gpus=2, replicas=8, memory_mib=12288)
    yield UPGRADED
    release.cluster.add_gpu_node(gpus=1, replicas=8)
    subprocess.run(ctr("images", "remove", new), capture_output=True, check=True)


def test_an_upgrade_leaves_one_card_answering(upgraded: str, release: Release, add_pool: Callable[..., Pool]) -> None:
    body = manifest(Path(__file__).with_name("two_cards.yaml"))
    pool = add_pool(body)
    old = {model: pool.pods(model)[0] for model in (FIRST, SECOND)}
    watch = Watch(pool=pool)
    watch.look()

    with ThreadPoolExecutor(1) as caller:
        begun = threading.Event()
        answer = caller.submit(stream, release.address, FIRST, begun)
        assert begun.wait(30), answer.exception(timeout=30)
        pool.patch({"vllm": {**body["spec"]["vllm"], "image": ABSENT}})
        watch.until("the end of the old pod to begin", lambda: is_going(pool, old[FIRST]))
        told = time.time()
        waiting.wait_for("no new requests for it", lambda: not is_endpoint(pool, old[FIRST]), every=0.05)
        left = time.time()
        assert not answer.done(), "the answer was to be under way"
        ended = watch.until("the end of the answer", lambda: answer.done() and answer.result())
    print(f"Told to end, no endpoint after {left - told:.1f} s, its answer whole after {ended - told:.1f} s")
    assert left - told < ENDPOINT_SECONDS, "an engine that is told to stop may still be asked"
    assert ended - told > ENDPOINT_SECONDS, "the answer ended before the engine was told to stop: nothing was proved"

    message = watch.until_said("Ready=False ImagePullBackOff", FIRST)
    assert "ImagePullBackOff" in pool_watch.table(pool)
    assert SECOND not in message
    watch.until_said("Progressing=True CardByCard", TURN)
    assert ask(release, SECOND) == (200, "primary")
    assert uid(pool, SECOND) == old[SECOND]["metadata"]["uid"]

    pool.patch({"vllm": {**body["spec"]["vllm"], "image": upgraded}})
    watch.until("both engines upgraded", lambda: images(pool) == {FIRST: upgraded, SECOND: upgraded})
    watch.until_said("Ready=True ModelsReady")
    print(watch)
    both, one_card = {FIRST, SECOND}, [seen for seen in watch.answering if seen != {FIRST, SECOND}]
    assert (watch.answering[0], one_card, watch.answering[-1]) == (both, [{SECOND}, {FIRST}], both), watch.answering


def stream(address: str, model: str, begun: threading.Event) -> float:
    """Ask for a long answer, and return when it was complete."""
    connection = http.client.HTTPConnection(address, 8100, timeout=60)
    messages = [{"role": "user", "content": "Tell me everything"}]
    body = json.dumps({"model": model, "max_tokens": TOKENS, "stream": True, "messages": messages})
    connection.request("POST", "/v1/chat/completions", body, {"Content-Type": "application/json"})
    response = connection.getresponse()
    first = response.readline()
    begun.set()
    fault = gateway_traffic.fault(response.status, first + response.read(), streamed=True)
    ended = time.time()
    connection.close()
    assert not fault, fault
    return ended


def ask(release: Release, model: str) -> tuple[int, str]:
    """Ask for a short answer, and return its status and route."""
    messages = [{"role": "user", "content": "Say hello"}]
    found = release.ask("/v1/chat/completions", {"model": model, "max_tokens": 4, "messages": messages})
    return found.status, found.route


def is_going(pool: Pool, pod: Object) -> bool:
    return any(
        "deletionTimestamp" in one["metadata"] and one["status"]["containerStatuses"][0]["state"].keys() == {"running"}
        for one in pool.pods()
        if one["metadata"]["uid"] == pod["metadata"]["uid"]
    )


def is_endpoint(pool: Pool, pod: Object) -> bool:
    """Return whether a Service sends new requests to a pod."""
    slices = pool.cluster.api.items(f"/apis/discovery.k8s.io/v1/namespaces/{pool.namespace}/endpointslices")
    endpoints = [endpoint for one in slices for endpoint in one["endpoints"] or ()]
    found = [one for one in endpoints if one.get("targetRef", {}).get("uid") == pod["metadata"]["uid"]]
    return any(one["conditions"]["ready"] for one in found)


def images(pool: Pool) -> dict[str, str]:
    """Return the image that each model is answered by."""
    pods = {model: pool.pods(model) for model in (FIRST, SECOND)}
    return {
        model: found[0]["spec"]["containers"][0]["image"]
        for model, found in pods.items()
        if len(found) == 1 and pool_watch.answers(found[0])
    }


def uid(pool: Pool, model: str) -> str:
    (pod,) = pool.pods(model)
    return str(pod["metadata"]["uid"])
