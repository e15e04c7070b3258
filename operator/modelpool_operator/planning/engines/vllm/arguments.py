"""vLLM: its arguments and its environment. Flags and variables as of 0.33."""

import json
from typing import Any, Final

from modelpool_operator.api import names
from modelpool_operator.api.models import Capability, Model, Speculative, SpeculativeMethod
from modelpool_operator.api.pool import PoolSpec
from modelpool_operator.planning.engines.start_pod import (
    CACHE_FOLDER,
    DRAIN_SECONDS,
    KEY_FIELD,
    START_SECONDS,
    WEIGHTS_FOLDER,
)
from modelpool_operator.planning.engines.variables import KEY_VARIABLE
from modelpool_operator.planning.engines.vllm import adapters, memory
from modelpool_operator.planning.memory.sources import Claim, Hub, parse_source
from modelpool_operator.planning.sharing.mode import Access
from modelpool_operator.planning.sharing.shares import Share

EVERYWHERE: Final = "::"
"""All addresses of the pod, of IPv4 and IPv6: vLLM opens one socket, which on Linux is of both. The start script puts
IPv4's in its place on a node without IPv6."""

NOWHERE: Final = "none.invalid"
"""A domain that is nobody's (RFC 2606): vLLM takes an empty list of domains for all of them."""
MEDIA_FLAGS: Final = ("--allowed-local-media-path", "--allowed-media-domains")
"""What may be loaded is the pool's to say by `allowedMediaDomains`, and never a file of the engine's pod."""

PROMPT_LOOKUP_MAX: Final = 4
PROMPT_LOOKUP_MIN: Final = 2


def arguments(
    spec: PoolSpec,
    model: Model,
    share: Share,
    *,
    host: str = EVERYWHERE,
    port: int = names.VLLM_PORT,
    weights_folder: str = WEIGHTS_FOLDER,
    adapters_folder: str = adapters.FOLDER,
    access: Access | None = None,
) -> tuple[str, ...]:
    """Return the arguments of `vllm serve`: ours, then the pool's, then the model's; vLLM takes the last of each.

    Args:
        spec: the pool's.
        model: which one to serve.
        share: what it may take of its cards.
        host: the address to listen on.
        port: the port to listen on.
        weights_folder: where a `pvc://` source's volume is mounted.
        adapters_folder: below which those of adapters are mounted, each by its claim's name.
        access: what the way of sharing adds; None where the engine sees its cards whole.
    """
    source = parse_source(model.source or "")
    ours: list[str] = []
    if isinstance(source, Hub):
        ours += [source.repository, *(("--revision", source.revision) if source.revision else ())]
    elif isinstance(source, Claim):
        ours += [f"{weights_folder}/{source.path}".rstrip("/")]
    ours += ["--served-model-name", model.name]  # no alias: the gateway translates, so that one moves without a restart
    ours += ["--host", host, "--port", str(port)]
    told = access.fraction if access is not None and access.fraction is not None else share.fraction
    ours += ["--gpu-memory-utilization", f"{told:g}"]
    cache = model.kv_cache_memory.bytes if model.kv_cache_memory is not None else None
    if access is not None and access.states_cache:
        cache = memory.cache_of(model, share.bytes, share.memory, tuple(spec.vllm.args))
    if cache is not None:
        ours += ["--kv-cache-memory-bytes", str(cache)]
    ours += ["--max-model-len", "auto" if model.context_length is None else str(model.context_length)]
    ours += ["--max-num-seqs", str(model.max_concurrency)]
    if model.tensor_parallel_size > 1:
        ours += ["--tensor-parallel-size", str(model.tensor_parallel_size)]
    if model.speculative is not None:
        ours += ["--speculative-config", _speculative(model.speculative)]
    ours += adapters.arguments(model, adapters_folder)
    if Capability.EMBEDDING in model.capabilities:
        ours += ["--runner", "pooling"]
    if model.reasoning_parser is not None:
        ours += ["--reasoning-parser", model.reasoning_parser]
    if model.tool_call_parser is not None:
        ours += ["--enable-auto-tool-choice", "--tool-call-parser", model.tool_call_parser]
    ours += ["--allowed-media-domains", *(model.allowed_media_domains or (NOWHERE,))]
    ours += access.arguments if access is not None else ()
    ours += ["--shutdown-timeout", str(DRAIN_SECONDS), "--enable-request-id-headers"]
    return (*ours, *spec.vllm.args, *model.args)


def opens_media(argument: str) -> bool:
    """Whether an argument of `vllm serve` says what media it loads; its parser takes beginnings and underscores."""
    flag = argument.partition("=")[0].replace("_", "-")
    return flag.startswith(("--allowed-l", "--allowed-med")) and any(one.startswith(flag) for one in MEDIA_FLAGS)


def _speculative(wanted: Speculative) -> str:
    """Return --speculative-config."""
    config: dict[str, Any] = {"num_speculative_tokens": wanted.tokens}
    match wanted.method:
        case SpeculativeMethod.NGRAM:
            lookup = {"prompt_lookup_max": PROMPT_LOOKUP_MAX, "prompt_lookup_min": PROMPT_LOOKUP_MIN}
            config = {"method": "ngram", **config, **lookup}
        case SpeculativeMethod.DRAFT_MODEL:
            config = {"method": "draft_model", **_draft(wanted), **config}
        case SpeculativeMethod.EAGLE3:
            config = {"method": "eagle3", **_draft(wanted), **config}
    return json.dumps(config, separators=(",", ":"))


def _draft(wanted: Speculative) -> dict[str, str]:
    source = parse_source(wanted.model or "")
    if not isinstance(source, Hub):
        raise AssertionError(f"the draft model {wanted.model} was planned although it is refused")
    return {"model": source.repository, **({"revision": source.revision} if source.revision else {})}


def environment(
    spec: PoolSpec, *, cache_folder: str = CACHE_FOLDER, key: str | None = None
) -> dict[str, str | dict[str, Any]]:
    """Return the operator's variables for a vLLM engine; a dictionary stands for `valueFrom`.

    `key` names the Secret with the key that the engine asks for; its value must be in no manifest and in no log, and
    vLLM logs its arguments.

    No VLLM_ENABLE_STARTUP_PLAN: up to 0.33 what it keeps has the CUDA graphs subtracted twice, so that an engine gets
    less cache when it is started again (vllm#57936).
    """
    own: dict[str, str | dict[str, Any]] = {
        "DO_NOT_TRACK": "1",
        "HF_HOME": f"{cache_folder}/huggingface",
        "VLLM_CACHE_ROOT": f"{cache_folder}/vllm",
        "VLLM_ENGINE_READY_TIMEOUT_S": str(START_SECONDS),
        "VLLM_MEDIA_URL_ALLOW_REDIRECTS": "0",
        "VLLM_NO_USAGE_STATS": "1",
    }
    if spec.hugging_face.endpoint is not None:
        own["HF_ENDPOINT"] = spec.hugging_face.endpoint
    if (secret := spec.hugging_face.token_secret_ref) is not None:
        own["HF_TOKEN"] = {"secretKeyRef": {"name": secret.name, "key": secret.key}}
    if key is not None:
        own[KEY_VARIABLE] = {"secretKeyRef": {"name": key, "key": KEY_FIELD}}
    return own
