"""Arguments of `vllm serve` that `args` must not set: what the plan counts with, and how others reach the engine.

vLLM takes the last of each argument, so one in `args` would undo a field without a word. Spellings are those of its
parser: `--flag value`, `--flag=value`, underscores for dashes, `--flag.key` of a JSON argument, `--no-flag`, a
beginning that no other argument has, and the short forms. Names as of 0.33.
"""

from collections.abc import Iterable
from types import MappingProxyType
from typing import Final

from modelpool_operator.planning.engines.profile import Override

_SHARE: Final = "use `gpuMemoryFraction` or `gpuMemory`"
_CACHE: Final = "use `kvCacheMemory`"
_WIDTH: Final = "use `tensorParallelSize`"
_REPLICAS: Final = "use `replicas` or `autoscaling`"
_DRAFT: Final = "use `speculative`"
_ADAPTERS: Final = "use `adapters`"
_SOURCE: Final = "use `source`"
_ADDRESS: Final = "the gateway and the probes ask the engine where the operator lets it listen"
_KEY: Final = "the operator gives each pool a key of its own, which the gateway has"
_OPEN: Final = "the gateway asks the engine without TLS; a NetworkPolicy keeps others from it"

OWNED: Final = MappingProxyType(
    {
        "--gpu-memory-utilization": _SHARE,
        "--device-memory-utilization": _SHARE,
        "--kv-cache-memory-bytes": _CACHE,
        "--num-gpu-blocks-override": _CACHE,
        "--max-model-len": "use `contextLength`",
        "--max-num-seqs": "use `maxConcurrency`",
        "--tensor-parallel-size": _WIDTH,
        "-tp": _WIDTH,
        "--pipeline-parallel-size": _WIDTH,
        "-pp": _WIDTH,
        "--prefill-context-parallel-size": _WIDTH,
        "-pcp": _WIDTH,
        "--data-parallel-size": _REPLICAS,
        "-dp": _REPLICAS,
        "--data-parallel-size-local": _REPLICAS,
        "-dpl": _REPLICAS,
        "--device-ids": "use `gpu`",
        "--speculative-config": _DRAFT,
        "-sc": _DRAFT,
        "--spec-method": _DRAFT,
        "--spec-model": _DRAFT,
        "--spec-tokens": _DRAFT,
        "--enable-lora": _ADAPTERS,
        "--lora-modules": _ADAPTERS,
        "--max-loras": _ADAPTERS,
        "--max-lora-rank": _ADAPTERS,
        "--model": _SOURCE,
        "--revision": _SOURCE,
        "--served-model-name": "use `name` and `aliases`",
        "--host": _ADDRESS,
        "--port": _ADDRESS,
        "--uds": _ADDRESS,
        "--grpc": _ADDRESS,
        "--headless": _ADDRESS,
        "--api-key": _KEY,
        "--ssl-keyfile": _OPEN,
        "--ssl-certfile": _OPEN,
        "--shutdown-timeout": "the grace period of the pod goes with the operator's",
    }
)
"""Each with what to do instead."""


def overrides(args: Iterable[str]) -> Override | None:
    """Return the first argument that sets what is not its to set, or None."""
    for argument in args:
        flag = _flag(argument)
        found = next((owned for owned in OWNED if flag == owned), None) or _abbreviated(flag)
        if found is not None:
            return Override(argument, found, OWNED[found])
    return None


def _flag(argument: str) -> str:
    """Return an argument's name as vLLM's parser reads it."""
    name = argument.partition("=")[0].partition(".")[0]
    if not name.startswith("--"):
        return name
    name = name.replace("_", "-")
    return f"--{name.removeprefix('--no-')}" if name.startswith("--no-") else name


def _abbreviated(flag: str) -> str | None:
    """Return what a beginning stands for; of several, any, as the parser refuses what is not clear."""
    if len(flag) <= len("--") or not flag.startswith("--"):
        return None
    return next((owned for owned in OWNED if owned.startswith(flag)), None)
