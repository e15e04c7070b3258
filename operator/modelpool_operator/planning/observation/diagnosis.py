"""What an engine died of, by its own words: from the end of a log, or the scheduler's sentence, to a cause with a name.

Pure. The sentences are those of vLLM 0.32 and 0.33, huggingface_hub 1, Ollama 0.33 and the scheduler of Kubernetes; a
sentence that nobody here knows stays what it is. What a person can do about each cause stands in `advice`.
"""

import functools
import re
from collections.abc import Iterator
from typing import Final

from modelpool_operator.planning.engines.registry import PROFILES

HUB_DENIED: Final = "HuggingFaceDenied"
MODEL_NOT_FOUND: Final = "ModelNotFound"
VOLUME_FULL: Final = "VolumeFull"
CARD_FULL: Final = "CardFull"
SHARE_TOO_SMALL: Final = "ShareTooSmall"
CARD_OUT_OF_MEMORY: Final = "GpuOutOfMemory"
NO_GPU: Final = "NoGpuLeft"
UNSCHEDULABLE: Final = "Unschedulable"
PULL_FAILED: Final = "PullFailed"
HUB_UNREACHABLE: Final = "HubUnreachable"
HUB_LIMITED: Final = "HubRateLimited"
NO_WEIGHTS: Final = "NoUsableWeights"
MODEL_UNSUPPORTED: Final = "ModelNotSupported"
REMOTE_CODE: Final = "RemoteCodeNotTrusted"
CONTEXT_TOO_LONG: Final = "ContextTooLong"
ARGUMENT_REFUSED: Final = "ArgumentRefused"
DRIVER_TOO_OLD: Final = "DriverTooOld"
CARD_TOO_OLD: Final = "CardTooOld"
NO_CARD: Final = "NoCardVisible"
SHARED_MEMORY: Final = "SharedMemoryFull"
NOT_WRITABLE: Final = "VolumeNotWritable"
WRONG_PROCESSOR: Final = "ImageForOtherProcessor"

_ENGINE: Final = (
    (WRONG_PROCESSOR, r"[Ee]xec format error"),
    (
        SHARED_MEMORY,
        r"shared memory segment /dev/shm|extend /dev/shm|/dev/shm\S*.*[Nn]o space left|insufficient shared memory",
    ),
    (VOLUME_FULL, r"[Nn]o space left on device|Errno 28\b|[Dd]isk quota exceeded"),
    (
        HUB_DENIED,
        (
            r"gated repo|GatedRepoError|Access to model \S+ is restricted|Invalid username or password|"
            r"Invalid credentials|\b40[13] Client Error|Unauthorized for url|make sure you have a token"
        ),
    ),
    (HUB_LIMITED, r"\b429 Client Error|Too Many Requests for url"),
    (
        MODEL_NOT_FOUND,
        (
            r"is not a valid (model|git) identifier|RepositoryNotFoundError|RevisionNotFoundError|404 Client Error|"
            r"Repo id must (be in the form|use alphanumeric)"
        ),
    ),
    (
        HUB_UNREACHABLE,
        r"couldn't connect to 'https?://|LocalEntryNotFoundError|[Nn]ame resolution|Name or service not known",
    ),
    (
        NO_WEIGHTS,
        (
            r"Cannot find any model weights with|"
            r"does not appear to have (a file|files) named \S*\b(config\.json|model\S*|pytorch_model\S*)"
        ),
    ),
    (MODEL_UNSUPPORTED, r"Model architectures .* (are|is) not supported|does not recognize this architecture"),
    (REMOTE_CODE, r"trust_remote_code=True|contains custom code which must be executed"),
    (CONTEXT_TOO_LONG, r"User-specified max_model_len .* is greater than the derived"),
    (ARGUMENT_REFUSED, r"error: (unrecognized arguments|argument -|ambiguous option)"),
    (
        DRIVER_TOO_OLD,
        (
            r"NVIDIA driver on your system is too old|driver version is insufficient|unsatisfied condition: cuda|"
            r"unsupported display driver / cuda driver combination|forward compatibility was attempted"
        ),
    ),
    (
        CARD_TOO_OLD,
        r"supported on GPUs with compute capability|no kernel image is available|not supported for the current GPU",
    ),
    (
        NO_CARD,
        (
            r"No CUDA GPUs are available|Found no NVIDIA driver|Failed to infer device type|"
            r"libcuda\.so\.1: cannot open shared object"
        ),
    ),
    (
        NOT_WRITABLE,
        r"Permission ?[Dd]enied:? .*/(cache|models)\b|/(cache|models)\S*: permission denied|Read-only file system",
    ),
    (CARD_FULL, r"(Free|Available) memory on .+ on startup is less than"),
    (SHARE_TOO_SMALL, r"No available memory for the cache blocks|To serve at least one request with the model"),
    (CARD_OUT_OF_MEMORY, r"CUDA out of memory|OutOfMemoryError"),
)
"""Causes with the words that betray them; the first that is found anywhere counts."""

_BY_WORDS: Final = tuple((cause, re.compile(words)) for cause, words in _ENGINE)
_compiled = functools.lru_cache(re.compile)

_OBJECT: Final = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")
_BACK_OFF: Final = re.compile(r'^Back-off pulling image ".*?": \w+: ')


def cause_of(text: str) -> str | None:
    """Return the cause that an engine's last words tell of, or None when they tell of none that is known."""
    return next((cause for cause, words in _words() if words.search(text)), None)


def line_of_cause(text: str, cause: str) -> str | None:
    """Return the last line that tells of a cause; later lines may only tell that something failed above."""
    words = dict(_words())[cause]
    lines = [line.strip() for line in text.splitlines() if words.search(line)]
    return lines[-1] if lines else None


def _words() -> Iterator[tuple[str, re.Pattern[str]]]:
    """Yield what each engine says in words of its own, then what all say."""
    yield from ((cause, _compiled(words)) for profile in PROFILES for cause, words in profile.causes)
    yield from _BY_WORDS


def cause_of_no_node(message: str) -> str:
    """Return why the scheduler finds no node: no card is left on those that fit, or something else."""
    return NO_GPU if re.search(r"Insufficient (\S*gpu|nvidia\.com/)", message) else UNSCHEDULABLE


def scheduler_words(message: str) -> str:
    """Return why no node fits, without the scheduler's thoughts on preemption and claims that follow."""
    return re.split(r"\. (?=no new claims to deallocate|preemption: )", message, maxsplit=1)[0]


def image_trouble(message: str) -> str:
    """Return the kubelet's words without its back-off, which come and go while the trouble stays the same."""
    return _OBJECT.sub("…", _BACK_OFF.sub("", message))
