"""What the API server did not let in: its own sentences, and what each leads to."""

import re

import pytest

from modelpool_operator.api.models import Engine
from modelpool_operator.api.status import ModelState
from modelpool_operator.planning.observation import denials
from modelpool_operator.planning.observation.pod_states import State
from modelpool_operator.planning.reporting import advice
from modelpool_operator.tests.planning.pools import pool_of, vllm

QWEN = vllm("qwen3:8b", 0.35, source="hf://Qwen/Qwen3-8B-AWQ", contextLength=4096)

SENTENCES = {
    "exceeded quota: q, requested: requests.nvidia.com/gpu=1, used: requests.nvidia.com/gpu=0, limited:"
    " requests.nvidia.com/gpu=0": denials.QUOTA,
    "failed quota: mem: must specify limits.memory for: vllm; requests.memory for: vllm": denials.QUOTA_UNSTATED,
    "maximum memory usage per Container is 8Gi, but limit is 32Gi": denials.LIMIT_RANGE,
    "[minimum cpu usage per Container is 1, but request is 50m, maximum memory usage per Container is 1Gi, but limit is"
    " 2Gi]": denials.LIMIT_RANGE,
    "maximum memory usage per Pod is 8Gi, but limit is 34359738368": denials.LIMIT_RANGE,
    "cpu max limit to request ratio per Container is 2, but provided ratio is 20.000000": denials.LIMIT_RANGE,
    "maximum storage usage per PersistentVolumeClaim is 10Gi, but request is 100Gi": denials.LIMIT_RANGE,
    'violates PodSecurity "restricted:latest": runAsNonRoot != true': denials.POD_SECURITY,
    'error looking up service account llm/robot: serviceaccount "robot" not found': denials.SERVICE_ACCOUNT,
    "no PriorityClass with name urgent was found": denials.PRIORITY_CLASS,
    'pod rejected: RuntimeClass "gvisor" not found': denials.RUNTIME_CLASS,
    "unable to create new content in namespace llm because it is being terminated": denials.NAMESPACE_ENDS,
    "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support"
    " resize": denials.NO_GROWTH,
    "something that nobody here knows": None,
}


@pytest.mark.parametrize(("sentence", "cause"), SENTENCES.items())
@pytest.mark.parametrize(
    "heading", ["", 'pods "agentic-qwen3-8b-5c8d-x7k2p" is forbidden: ', 'Error creating: pods "a-b2" is forbidden: ']
)
def test_a_cause_is_known_by_its_words_and_told_without_names_that_differ(
    sentence: str, cause: str | None, heading: str
) -> None:
    assert denials.cause_of(f"{heading}{sentence}") == cause
    assert denials.words_of(f"{heading}{sentence}") == sentence


@pytest.mark.parametrize("status", [429, 500, 503, 504])
def test_a_webhook_that_says_no_is_told_from_one_that_is_away(status: int) -> None:
    denied = f'Could not apply Service a: admission webhook "p.example.com" denied the request: no (HTTP {status})'
    away = f'Could not apply Service a: Internal error: failed calling webhook "p.example.com": no (HTTP {status})'
    assert (denials.cause_of(denied), denials.cause_of(away)) == (denials.POLICY, denials.WEBHOOK_AWAY)


@pytest.mark.parametrize("engine", Engine)
@pytest.mark.parametrize("cause", [cause for cause in SENTENCES.values() if cause])
def test_every_cause_has_an_advice(cause: str, engine: Engine) -> None:
    pool = pool_of(QWEN)
    sentence = next(words for words, known in SENTENCES.items() if known == cause)
    state = State(state=ModelState.FAILED, reason=cause, message=sentence)
    said = advice.advised(state, pool, pool.spec.models[0], engine).message
    assert said.startswith(f"{sentence}. ")
    assert re.search(r"`[^`]+`|Delete the object|Create the ServiceAccount|create the pool", said)


def test_only_what_can_be_asked_for_in_part_is_advised_to_be_less() -> None:
    pool = pool_of(QWEN)

    def advised(requested: str) -> str:
        said = f"exceeded quota: q, requested: {requested}, used: x=0, limited: x=0"
        state = State(state=ModelState.FAILED, reason=denials.QUOTA, message=said)
        return advice.advised(state, pool, pool.spec.models[0], Engine.VLLM).message

    assert "ask for less in `vllm.resources`" in advised("requests.memory=64Gi")
    assert "ask for less" not in advised("requests.nvidia.com/gpu=1")
    assert "ask for less" not in advised("pods=1")


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ("PersistentVolumeClaim agentic-cache: persistentvolumeclaims is forbidden: exceeded quota: q", "`cache.size`"),
        ("PersistentVolumeClaim agentic-ollama: exceeded quota: q", "`ollama.storage.size`"),
        (
            'PersistentVolumeClaim agentic-cache: x "y" is forbidden: only dynamically provisioned pvc can be resized',
            "back",
        ),
        ("Service agentic-qwen3-8b: exceeded quota: q, requested: services=1", "have the quota raised"),
        ("Deployment agentic-qwen3-8b: an object of that name is there and is not this pool's", "Delete the object"),
        (
            "Service a-b: an object of that name is there and is not this pool's, but ModelPool a's",
            "give this pool, or its model, another name",
        ),
        ("Deployment agentic-qwen3-8b: nobody knows", ""),
    ],
)
def test_a_child_that_was_refused_is_advised_on_by_its_kind(said: str, wanted: str) -> None:
    found = advice.on_denial(f"Could not apply {said} (HTTP 403)", pool_of(QWEN))
    assert wanted in found if wanted else not found
