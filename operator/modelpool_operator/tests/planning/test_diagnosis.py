"""Causes by engines' own words, and what a person can do about each."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelpool_operator.api.models import Engine
from modelpool_operator.api.pool import ModelPool
from modelpool_operator.api.status import ModelState
from modelpool_operator.planning.observation import denials, diagnosis
from modelpool_operator.planning.observation.pod_states import State
from modelpool_operator.planning.reporting import advice, volume_states
from modelpool_operator.tests.planning.pools import ollama, pool_of, vllm

RECORDINGS = Path(__file__).parents[4] / "simulators/modelpool_simulators/recordings/vllm"
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
    "OSError: v9 is not a valid git identifier (branch name, tag name or commit id)": diagnosis.MODEL_NOT_FOUND,
    "HFValidationError: Repo id must be in the form 'repo_name' or 'namespace/repo_name': '/weights/a'": (
        diagnosis.MODEL_NOT_FOUND
    ),
    "OSError: We couldn't connect to 'https://huggingface.co' to load the files": diagnosis.HUB_UNREACHABLE,
    "httpx.ConnectError: [Errno -3] Temporary failure in name resolution": diagnosis.HUB_UNREACHABLE,
    "HfHubHTTPError: 429 Client Error: Too Many Requests for url: https://huggingface.co/api": diagnosis.HUB_LIMITED,
    "OSError: a/b-GGUF does not appear to have a file named config.json.": diagnosis.NO_WEIGHTS,
    "RuntimeError: Cannot find any model weights with `/weights/a`": diagnosis.NO_WEIGHTS,
    "ValueError: Model architectures ['FooForCausalLM'] are not supported for now.": diagnosis.MODEL_UNSUPPORTED,
    "model type `qwen9` but Transformers does not recognize this architecture.": diagnosis.MODEL_UNSUPPORTED,
    "ValueError: Please pass the argument `trust_remote_code=True` to allow custom code": diagnosis.REMOTE_CODE,
    "Value error, User-specified max_model_len (9) is greater than the derived max_model_len": (
        diagnosis.CONTEXT_TOO_LONG
    ),
    "vllm: error: unrecognized arguments: --no-such-flag 1": diagnosis.ARGUMENT_REFUSED,
    "RuntimeError: The NVIDIA driver on your system is too old (found version 12040).": diagnosis.DRIVER_TOO_OLD,
    "nvidia-container-cli: requirement error: unsatisfied condition: cuda>=12.9": diagnosis.DRIVER_TOO_OLD,
    "Error 803: system has unsupported display driver / cuda driver combination": diagnosis.DRIVER_TOO_OLD,
    "ValueError: Bfloat16 is only supported on GPUs with compute capability of at least 8.0.": diagnosis.CARD_TOO_OLD,
    "RuntimeError: CUDA error: no kernel image is available for execution on the device": diagnosis.CARD_TOO_OLD,
    "RuntimeError: No CUDA GPUs are available": diagnosis.NO_CARD,
    "RuntimeError: Failed to infer device type": diagnosis.NO_CARD,
    "Error while creating shared memory segment /dev/shm/nccl-E (size 1), error: No space left on device (28)": (
        diagnosis.SHARED_MEMORY
    ),
    "PermissionError: [Errno 13] Permission denied: '/cache/huggingface'": diagnosis.NOT_WRITABLE,
    "Error: mkdir /models/blobs: permission denied": diagnosis.NOT_WRITABLE,
    "exec /usr/bin/python3: exec format error": diagnosis.WRONG_PROCESSOR,
    "WARNING a/b does not appear to have a file named generation_config.json.": None,
    "ValueError: no such thing": None,
}


@pytest.mark.parametrize(("line", "cause"), WORDS.items())
def test_a_cause_is_known_by_its_words(line: str, cause: str | None) -> None:
    log = f"INFO starting\n{line}\nRuntimeError: Engine core initialization failed. See root cause above."
    assert diagnosis.cause_of(log) == cause
    if cause is not None:
        assert diagnosis.line_of_cause(log, cause) == line


def test_recorded_starts_that_fail_have_these_causes() -> None:
    ends = {path.stem: path.read_text()[-TERMINATION_MESSAGE:] for path in sorted(RECORDINGS.glob("9*.txt"))}
    found = {name: cause for name, end in ends.items() if (cause := diagnosis.cause_of(end)) is not None}
    assert found == {
        "90-unknown-flag": diagnosis.ARGUMENT_REFUSED,
        "91-legacy-speculative-model": diagnosis.ARGUMENT_REFUSED,
        "92-missing-model": diagnosis.MODEL_NOT_FOUND,
        "93-max-model-len-too-big": diagnosis.CONTEXT_TOO_LONG,
        "95-bad-spec-json": diagnosis.ARGUMENT_REFUSED,
        "96-gpu-mem-util-0.95-no-room": diagnosis.CARD_FULL,
    }


def test_every_cause_that_has_a_name_has_an_advice() -> None:
    named = [diagnosis, denials, volume_states]
    causes = {value for module in named for name, value in vars(module).items() if name.isupper() and _is_reason(value)}
    assert len(causes) > 35
    assert causes - {"PersistentVolumeClaim"} <= advice.ADVICE.keys()


def _is_reason(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(r"([A-Z][a-z]+)+", value) is not None


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
        ("request gpu: device class gpu.nvidia.com does not exist", "Install NVIDIA's DRA driver"),
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


IMAGES = {
    'failed to resolve reference "a:1": not found': "Check that `vllm.image` 'a:1' exists",
    "pull access denied, repository does not exist or may require authorization": "name a Secret of type",
    "failed to authorize: failed to fetch anonymous token: 401 Unauthorized": "name a Secret of type",
    "429 Too Many Requests - Server message: toomanyrequests": "lets an address pull only so often",
    "no match for platform in manifest: not found": "kubernetes.io/arch",
    "failed to extract layer: write /var/lib: no space left on device": "The disk of the node is full",
    "tls: failed to verify certificate: x509: certificate signed by unknown authority": "do not trust the registry",
}


@pytest.mark.parametrize("said", IMAGES)
def test_an_image_is_advised_on_by_the_runtimes_words(said: str) -> None:
    pool = pool_of(QWEN, vllm={"image": "a:1"})
    state = State(state=ModelState.FAILED, reason="ImagePullBackOff", message=said)
    assert IMAGES[said] in advice.advised(state, pool, pool.spec.models[0], Engine.VLLM).message


def test_a_pool_that_names_an_account_is_told_which() -> None:
    pool = pool_of(QWEN, imagePullSecrets=[{"name": "registry"}])
    state = State(state=ModelState.FAILED, reason="ImagePullBackOff", message="pull access denied")
    said = advice.advised(state, pool, pool.spec.models[0], Engine.VLLM).message
    assert "Check that Secret registry is in namespace llm" in said


CONTAINERS = {
    'secret "hf" not found': "Create Secret hf in namespace llm: `huggingFace.tokenSecretRef` names it",
    'configmap "proxy" not found': "Create ConfigMap proxy in namespace llm: `vllm.env` names it",
    "couldn't find key token in Secret llm/hf": "Put key token into Secret hf in namespace llm",
    'exec: "python3": executable file not found in $PATH: unknown': "is it an image of vLLM?",
    "container has runAsNonRoot and image will run as root": "Somebody demands users other than root",
    'no runtime for "nvidia" is configured': "Install NVIDIA's container toolkit on the node",
    "MountVolume.SetUp failed for volume: rpc error": "kubectl describe pods --namespace llm",
}


@pytest.mark.parametrize("reason", ["CreateContainerConfigError", "RunContainerError", "FailedMount"])
@pytest.mark.parametrize("said", CONTAINERS)
def test_a_container_that_is_not_made_is_advised_on_by_the_kubelets_words(said: str, reason: str) -> None:
    pool = pool_of(QWEN, huggingFace={"tokenSecretRef": {"name": "hf"}})
    state = State(state=ModelState.FAILED, reason=reason, message=said)
    assert CONTAINERS[said] in advice.advised(state, pool, pool.spec.models[0], Engine.VLLM).message


PULLS = {
    "pull model manifest: 412: The model you are pulling requires a newer version of Ollama.": "`ollama.image`",
    'pull model manifest: Get "https://registry.ollama.ai/v2/": dial tcp: lookup registry.ollama.ai: no such host': (
        "`ollama.env`: HTTPS_PROXY"
    ),
    "pull model manifest: file does not exist": "Check that Ollama's library has",
    "write /models/blobs/sha256-1: no space left on device": "PersistentVolumeClaim agentic-ollama is full",
}


@pytest.mark.parametrize("said", PULLS)
def test_a_pull_is_advised_on_by_ollamas_words(said: str) -> None:
    pool = pool_of(ollama("cogito:8b"))
    state = State(state=ModelState.FAILED, reason=diagnosis.PULL_FAILED, message=f"Could not pull: Error: {said}")
    assert PULLS[said] in advice.advised(state, pool, pool.spec.models[0], Engine.OLLAMA).message


PIECES = st.sampled_from(
    [*WORDS, *IMAGES, *CONTAINERS, *PULLS, "PersistentVolumeClaim agentic-cache", "exceeded quota: q"]
)
POOLS = (
    pool_of(QWEN, vllm("b", 0.1, source="pvc://w/b"), ollama("cogito:8b")),
    pool_of(QWEN, huggingFace={"tokenSecretRef": {"name": "hf"}}, imagePullSecrets=[{"name": "r"}, {}]),
)


@given(
    pool=st.sampled_from(POOLS),
    engine=st.sampled_from(Engine),
    reason=st.sampled_from(sorted(advice.ADVICE)),
    said=st.lists(st.one_of(PIECES, st.text(max_size=40)), max_size=4).map(" ".join),
)
def test_whatever_was_said_an_advice_follows_it(pool: ModelPool, engine: Engine, reason: str, said: str) -> None:
    for model in pool.spec.models:
        state = State(state=ModelState.FAILED, reason=reason, message=said)
        found = advice.advised(state, pool, model, engine).message
        assert found.startswith(said.rstrip(". "))
        assert len(found) >= len(said.rstrip(". ")) + 20
        assert "None" not in found[len(said.rstrip(". ")) :]
    assert isinstance(advice.on_denial(f"Could not apply Service x: {said}", pool), str)
