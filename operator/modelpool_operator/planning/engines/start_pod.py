"""The pod of an engine that runs one model on its cards: started behind their locks, by the start script."""

from typing import Any, Final

from modelpool_operator.api import names
from modelpool_operator.api.models import Model
from modelpool_operator.api.pool import ModelPool
from modelpool_operator.planning import sharing
from modelpool_operator.planning.engines import pod_parts
from modelpool_operator.planning.engines.profile import Profile
from modelpool_operator.planning.memory.sources import Claim, parse_source
from modelpool_operator.planning.objects.identity import without_nothing
from modelpool_operator.planning.sharing.shares import Share

DRAIN_SECONDS: Final = 60
"""How long requests in flight may take to end once the engine is told to stop."""
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
KEY_FIELD: Final = "key"
"""Under which a Secret holds the key that an engine asks for."""


def pod_template(
    profile: Profile, pool: ModelPool, model: Model, share: Share, key: str | None = None
) -> dict[str, Any]:
    """Return the pod of one model.

    Args:
        profile: of its engine.
        pool: whose model it is.
        model: which one.
        share: what it may take of its cards.
        key: names the Secret with the key that it asks for.
    """
    spec, access = pool.spec, sharing.mode_of(pool.spec).access(pool, share)
    own = {
        **profile.environment(spec, key),
        **access.env,
        "NODE_NAME": {"fieldRef": {"fieldPath": "spec.nodeName"}},
    }
    locks = [part for gpu in share.gpus for part in ("--lock", f"{CACHE_FOLDER}/locks/$(NODE_NAME)-card-{gpu}.lock")]
    health = f"http://127.0.0.1:{profile.port}{profile.health}"
    mounts: list[dict[str, Any]] = [
        {"name": "cache", "mountPath": CACHE_FOLDER},
        {"name": "scripts", "mountPath": SCRIPTS_FOLDER, "readOnly": True},
    ]
    volumes: list[dict[str, Any]] = [
        {"name": "cache", "persistentVolumeClaim": {"claimName": profile.claim(pool)}},
        {"name": "scripts", "configMap": {"name": names.scripts_name(pool.ref.name)}},
    ]
    for ours, its in zip((mounts, volumes), profile.mounts(pool, model), strict=True):
        ours += its
    container = {
        "name": profile.component,
        "image": profile.image(spec),
        "command": ["python3", f"{SCRIPTS_FOLDER}/{SCRIPT_NAME}", *locks, "--name", model.name, "--health", health],
        "args": ["--", *profile.command(spec, model, share, access)],
        "env": pod_parts.environment(own, profile.env(spec)),
        "lifecycle": {"preStop": {"exec": {"command": ["sleep", str(ENDPOINT_SECONDS)]}}},
        "livenessProbe": _probe(profile, period=30, failures=3, timeout=10),
        "ports": [{"containerPort": profile.port, "name": names.PORT_NAME, "protocol": "TCP"}],
        "readinessProbe": _probe(profile, period=5, failures=3, timeout=5),
        "resources": pod_parts.resources(profile.resources(spec), access),
        "securityContext": pod_parts.CONTAINER_SECURITY,
        "startupProbe": _probe(profile, period=STARTUP_SECONDS, failures=START_SECONDS // STARTUP_SECONDS, timeout=5),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": mounts,
    }
    labels = profile.pod_labels(pool, model)
    return pod_parts.template(
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
        pod_affinity=pod_parts.affinity(spec, pool.ref.name, labels[names.MODEL_LABEL], on_card=True),
    )


def weights_of(model: Model) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the mount and the volume of weights that lie on a claim of the user's; none of others."""
    source = parse_source(model.source or "")
    if not isinstance(source, Claim):
        return [], []
    claim = {"claimName": source.claim, "readOnly": True}
    return (
        [{"name": "weights", "mountPath": WEIGHTS_FOLDER, "readOnly": True}],
        [{"name": "weights", "persistentVolumeClaim": claim}],
    )


def cards_text(share: Share) -> str:
    """Return a share's cards as an annotation holds them: `0,1`."""
    return ",".join(str(gpu) for gpu in share.gpus)


def _probe(profile: Profile, *, period: int, failures: int, timeout: int) -> dict[str, Any]:
    request = {"path": profile.health, "port": names.PORT_NAME}
    return {"httpGet": request, "periodSeconds": period, "failureThreshold": failures, "timeoutSeconds": timeout}
