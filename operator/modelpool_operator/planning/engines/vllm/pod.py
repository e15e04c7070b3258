"""vLLM: its arguments, its environment, its pod. Flags and variables as of 0.33."""

import json
from typing import Any, Final

from modelpool_operator.api import names
from modelpool_operator.api.models import Capability, Engine, Model, Speculative, SpeculativeMethod
from modelpool_operator.api.pool import ModelPool, PoolSpec
from modelpool_operator.planning import sharing
from modelpool_operator.planning.engines import images
from modelpool_operator.planning.engines import pod_parts as pods
from modelpool_operator.planning.engines.vllm import adapters
from modelpool_operator.planning.engines.vllm import memory as vllm_memory
from modelpool_operator.planning.memory.sources import Claim, Hub, parse_source
from modelpool_operator.planning.objects.identity import selector_labels, without_nothing
from modelpool_operator.planning.sharing.mode import Access
from modelpool_operator.planning.sharing.shares import Share

DRAIN_SECONDS: Final = 60
"""--shutdown-timeout: how long requests in flight may take to end once the engine is told to stop."""
ENDPOINT_SECONDS: Final = 5
"""Between leaving the Service's endpoints and being told to stop: vLLM refuses new requests with 500 from then on."""
GRACE_SECONDS: Final = ENDPOINT_SECONDS + DRAIN_SECONDS + 25
START_SECONDS: Final = 3 * 60 * 60
"""Upper bound on waiting for the card, download and load."""
STARTUP_SECONDS: Final = 5
"""Between two looks at whether it has started: what whoever waits for it may wait longer."""

CACHE_FOLDER: Final = "/cache"
SCRIPTS_FOLDER: Final = "/opt/modelpool"
WEIGHTS_FOLDER: Final = "/weights"
SCRIPT_NAME: Final = "start_engine.py"

KEY_VARIABLE: Final = "VLLM_API_KEY"
"""The key that vLLM asks for below /v1, /v2 and /inference. Elsewhere, as at /health and /metrics, it asks for none."""
KEY_FIELD: Final = "key"
"""Under which a Secret holds it."""

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
        cache = vllm_memory.cache_of(model, share.bytes, share.memory, tuple(spec.vllm.args))
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


def pod_labels(pool: ModelPool, model: Model) -> dict[str, str]:
    """Return the labels by which a model's Deployment and Service find its pods."""
    return selector_labels(pool, names.VLLM_COMPONENT, names.engine_names(pool.ref.name, model.name).label)


def pod_template(pool: ModelPool, model: Model, share: Share, key: str | None = None) -> dict[str, Any]:
    """Return the pod of one vLLM model: the engine, started behind its cards' locks.

    `key` names the Secret with the key that it asks for.
    """
    spec, access = pool.spec, sharing.mode_of(pool.spec).access(pool, share)
    source = parse_source(model.source or "")
    own = {**environment(spec, key=key), **access.env, "NODE_NAME": {"fieldRef": {"fieldPath": "spec.nodeName"}}}
    locks = [part for gpu in share.gpus for part in ("--lock", f"{CACHE_FOLDER}/locks/$(NODE_NAME)-card-{gpu}.lock")]
    health = f"http://127.0.0.1:{names.VLLM_PORT}/health"
    mounts: list[dict[str, Any]] = [
        {"name": "cache", "mountPath": CACHE_FOLDER},
        {"name": "scripts", "mountPath": SCRIPTS_FOLDER, "readOnly": True},
        {"name": "shm", "mountPath": "/dev/shm"},  # noqa: S108 (a mount point)
    ]
    container = {
        "name": names.VLLM_COMPONENT,
        "image": images.image_of(spec, Engine.VLLM),
        "command": ["python3", f"{SCRIPTS_FOLDER}/{SCRIPT_NAME}", *locks, "--name", model.name, "--health", health],
        "args": ["--", "vllm", "serve", *arguments(spec, model, share, access=access)],
        "env": pods.environment(own, spec.vllm.env),
        "lifecycle": {"preStop": {"exec": {"command": ["sleep", str(ENDPOINT_SECONDS)]}}},
        "livenessProbe": _probe(period=30, failures=3, timeout=10),
        "ports": [{"containerPort": names.VLLM_PORT, "name": names.PORT_NAME, "protocol": "TCP"}],
        "readinessProbe": _probe(period=5, failures=3, timeout=5),
        "resources": pods.resources(spec.vllm.resources, access),
        "securityContext": pods.CONTAINER_SECURITY,
        "startupProbe": _probe(period=STARTUP_SECONDS, failures=START_SECONDS // STARTUP_SECONDS, timeout=5),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": mounts,
    }
    volumes: list[dict[str, Any]] = [
        {"name": "cache", "persistentVolumeClaim": {"claimName": cache_claim(pool)}},
        {"name": "scripts", "configMap": {"name": names.scripts_name(pool.ref.name)}},
        {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": spec.vllm.shm_size.text}},
    ]
    if isinstance(source, Claim):
        mounts.append({"name": "weights", "mountPath": WEIGHTS_FOLDER, "readOnly": True})
        volumes.append({"name": "weights", "persistentVolumeClaim": {"claimName": source.claim, "readOnly": True}})
    for own_parts, of_adapters in zip((mounts, volumes), adapters.mounts(model), strict=True):
        own_parts += of_adapters
    labels = pod_labels(pool, model)
    return pods.template(
        pool,
        labels={**labels, **names.COMMON_LABELS, names.CARD_LABEL: "true"},
        annotations={
            names.MODEL_ANNOTATION: model.name,
            names.CARD_ANNOTATION: cards_text(share),
            names.MEMORY_ANNOTATION: str(share.bytes + share.overhead),
        },
        container=without_nothing(container),
        volumes=volumes,
        grace_seconds=GRACE_SECONDS,
        access=access,
        pod_affinity=pods.affinity(spec, pool.ref.name, labels[names.MODEL_LABEL], on_card=True),
    )


def cache_claim(pool: ModelPool) -> str:
    """Return the claim that holds the pool's weights and card locks."""
    return pool.spec.cache.existing_claim or names.cache_name(pool.ref.name)


def cards_text(share: Share) -> str:
    """Return a share's cards as an annotation holds them: `0,1`."""
    return ",".join(str(gpu) for gpu in share.gpus)


def _probe(*, period: int, failures: int, timeout: int) -> dict[str, Any]:
    request = {"path": "/health", "port": names.PORT_NAME}
    return {"httpGet": request, "periodSeconds": period, "failureThreshold": failures, "timeoutSeconds": timeout}
