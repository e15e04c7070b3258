"""What a person can do about an engine that dies: a sentence for each cause that its last words betray."""

from collections.abc import Callable, Mapping
from typing import Final

from modelpool_operator.planning.memory.sources import Claim, parse_source
from modelpool_operator.planning.observation import diagnosis
from modelpool_operator.planning.reporting.advice_on_images import PLATFORM_ADVICE
from modelpool_operator.planning.reporting.advice_subject import AdviceSubject

Advice = Callable[[AdviceSubject], str]


def _hub_away(who: AdviceSubject) -> str:
    return (
        "Let the nodes reach the Hub, or a mirror of it (`huggingFace.endpoint`), by a proxy if need be (`vllm.env`:"
        " HTTPS_PROXY); or put the weights onto a volume (`source: pvc://CLAIM/FOLDER`)"
    )


def _hub_limited(who: AdviceSubject) -> str:
    token = "" if who.pool.spec.hugging_face.token_secret_ref else "name a token in `huggingFace.tokenSecretRef`, "
    return (
        f"The Hub lets one caller ask only so often: {token}use a mirror (`huggingFace.endpoint`), or wait; it is tried"
        " again"
    )


def _no_weights(who: AdviceSubject) -> str:
    where = "the folder" if isinstance(parse_source(who.model.source or ""), Claim) else "the repository"
    return (
        f"Check that {where} of `source` holds config.json and weights as .safetensors: vLLM reads nothing else here,"
        " and GGUF files are for Ollama (`engine: ollama`)"
    )


def _unsupported(who: AdviceSubject) -> str:
    image = who.image
    return f"Take a newer vLLM (`vllm.image`, now '{image}'), or serve the model by Ollama (`engine: ollama`)"


def _remote_code(who: AdviceSubject) -> str:
    return (
        "The repository brings Python code of its own, which then runs in the engine's pod: if you trust it, add"
        f" '--trust-remote-code' to `args` of {who.model.name}"
    )


def _context(who: AdviceSubject) -> str:
    return f"Lower `contextLength` of {who.model.name} to what the model was trained for, or leave it out"


def _arguments(who: AdviceSubject) -> str:
    return f"Check `vllm.args` and `args` of {who.model.name}: the vLLM of '{who.image}' does not take one of them"


def _driver(who: AdviceSubject) -> str:
    return (
        "Update the NVIDIA driver of the node, or take an image that is built with an older CUDA"
        f" (`{who.field}.image`): `nvidia-smi` on the node shows up to which CUDA its driver goes"
    )


def _card(who: AdviceSubject) -> str:
    return (
        f"The card is too old for these weights as they are: try '--dtype=half' in `args` of {who.model.name}, choose a"
        " quantization that it can (AWQ, GPTQ), or another node by `nodeSelector`"
    )


def _no_card(who: AdviceSubject) -> str:
    return (
        "The container sees no card: check the node's driver and device plugin (`nvidia-smi` there), and that"
        " `gpus.sharing` and `gpus.runtimeClassName` are as the node has it"
    )


def _shared_memory(who: AdviceSubject) -> str:
    return (
        f"Raise `vllm.shmSize`, now {who.pool.spec.vllm.shm_size.text}, and `vllm.resources.limits.memory` by as much"
    )


def _unwritable(who: AdviceSubject) -> str:
    return (
        f"Let the pod's group write to PersistentVolumeClaim {who.claim}: set `fsGroup`, or change who owns its files;"
        " a volume that is mounted read-only cannot serve"
    )


ADVICE: Final[Mapping[str, Advice]] = {
    diagnosis.HUB_UNREACHABLE: _hub_away,
    diagnosis.HUB_LIMITED: _hub_limited,
    diagnosis.NO_WEIGHTS: _no_weights,
    diagnosis.MODEL_UNSUPPORTED: _unsupported,
    diagnosis.REMOTE_CODE: _remote_code,
    diagnosis.CONTEXT_TOO_LONG: _context,
    diagnosis.ARGUMENT_REFUSED: _arguments,
    diagnosis.DRIVER_TOO_OLD: _driver,
    diagnosis.CARD_TOO_OLD: _card,
    diagnosis.NO_CARD: _no_card,
    diagnosis.SHARED_MEMORY: _shared_memory,
    diagnosis.NOT_WRITABLE: _unwritable,
    diagnosis.WRONG_PROCESSOR: PLATFORM_ADVICE,
}
"""By cause."""
