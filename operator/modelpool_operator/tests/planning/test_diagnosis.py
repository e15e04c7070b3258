"""Causes by engines' own words, and what a person can do about each."""

from pathlib import Path

import pytest

from modelpool_operator.api.models import Engine
from modelpool_operator.api.status import ModelState
from modelpool_operator.planning import advice, diagnosis
from modelpool_operator.planning.pod_states import State
from modelpool_operator.tests.planning.pools import ollama, pool_of, vllm

RECORDINGS = Path(__file__).parents[4] / "e2e/engines/modelpool_engines/recordings/vllm"
TERMINATION_MESSAGE = 2048
QWEN = vllm("qwen3:8b", 0.35, source="hf://Qwen/Qwen3-8B-AWQ", contextLength=4096)

WORDS = {
    "OSError: You are trying to access a gated repo.": diagnosis.HUB_DENIED,
    "huggingface_hub.errors.HfHubHTTPError: 401 Client Error. (Request ID: Root=1-0)": diagnosis.HUB_DENIED,
    "OSError: org/typo is not a local folder and is not a valid model identifier": diagnosis.MODEL_NOT_FOUND,
    "OSError: [Errno 28] No space left on device": diagnosis.VOLUME_FULL,
    "Error: write /models/blobs/sha256-1: no space left on device": diagnosis.VOLUME_FULL,
    "ValueError: Free memory on device cuda:0 (3.1/23.65 GiB) on startup is less than desired": diagnosis.CARD_FULL,
    "ValueError: No available memory for the cache blocks.": diagnosis.SHARE_TOO_SMALL,
    "ValueError: To serve at least one request with the model's max seq len (40960)": diagnosis.SHARE_TOO_SMALL,
    "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 594 MiB": diagnosis.CARD_OUT_OF_MEMORY,
    "ValueError: no such thing": None,
}


@pytest.mark.parametrize(("line", "cause"), WORDS.items())
def test_a_cause_is_known_by_its_words(line: str, cause: str | None) -> None:
    log = f"INFO starting\n{line}\nRuntimeError: Engine core initialization failed. See root cause above."
    assert diagnosis.cause_of(log) == cause
    if cause is not None:
        assert diagnosis.telling_line(log, cause) == line


def test_of_recorded_starts_that_fail_only_the_full_card_has_a_cause_of_ours() -> None:
    ends = {path.stem: path.read_text()[-TERMINATION_MESSAGE:] for path in sorted(RECORDINGS.glob("9*.txt"))}
    found = {name: cause for name, end in ends.items() if (cause := diagnosis.cause_of(end)) is not None}
    assert found == {"96-gpu-mem-util-0.95-no-room": diagnosis.CARD_FULL}


def test_an_image_that_is_tried_again_is_one_and_the_same_trouble() -> None:
    why = 'failed to pull and unpack image "a:1": not found'
    assert diagnosis.image_trouble(why) == why
    assert diagnosis.image_trouble(f'Back-off pulling image "a:1": ErrImagePull: {why}') == why


def test_the_scheduler_is_quoted_without_its_thoughts_on_preemption() -> None:
    why = "0/2 nodes are available: 1 Insufficient nvidia.com/gpu, 1 node(s) had untolerated taint(s)"
    thoughts = "no new claims to deallocate, preemption: 0/2 nodes are available: 2 No preemption victims found."
    assert diagnosis.scheduler_words(f"{why}. {thoughts}") == why
    assert diagnosis.scheduler_words(f"{why}. preemption: none") == why
    assert diagnosis.cause_of_no_node(why) == diagnosis.NO_GPU
    assert diagnosis.cause_of_no_node("0/1 nodes are available: 1 Insufficient cpu") == diagnosis.UNSCHEDULABLE


@pytest.mark.parametrize("reason", advice.ADVICE)
@pytest.mark.parametrize("engine", Engine)
def test_every_reason_has_a_sentence_for_either_engine(reason: str, engine: Engine) -> None:
    pool = pool_of(QWEN, ollama("cogito:8b"))
    model = pool.spec.models[0 if engine is Engine.VLLM else 1]
    state = State(state=ModelState.FAILED, reason=reason, message="It broke")
    said = advice.advised(state, pool, model, engine).message
    assert said.startswith("It broke. ")
    assert len(said) > len("It broke. ") + 20


@pytest.mark.parametrize(
    ("said", "want"),
    [
        ("1 node(s) didn't match Pod's node affinity/selector", "`nodeSelector` (none)"),
        ("1 node(s) had untolerated taint(s)", "`tolerations`"),
        ("1 node(s) didn't match pod affinity rules", "another node"),
        ("1 Insufficient memory", "`vllm.resources.requests`"),
        ("pod has unbound immediate PersistentVolumeClaims", "`storageClassName`"),
        ("1 cannot allocate all claims", "resourceslices"),
        ("no nodes available to schedule pods", "describe nodes"),
    ],
)
def test_a_pod_without_a_node_is_advised_by_the_schedulers_words(said: str, want: str) -> None:
    pool = pool_of(QWEN)
    state = State(state=ModelState.UNSCHEDULABLE, reason=diagnosis.UNSCHEDULABLE, message=said)
    assert want in advice.advised(state, pool, pool.spec.models[0], Engine.VLLM).message


def test_what_passes_by_waiting_needs_no_advice() -> None:
    pool = pool_of(QWEN)
    state = State(state=ModelState.LOADING, reason="Loading", message="The engine starts")
    assert advice.advised(state, pool, pool.spec.models[0], Engine.VLLM) is state
