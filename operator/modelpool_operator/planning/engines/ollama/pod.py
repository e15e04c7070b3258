"""The pod of a pool's Ollama: one server, and where `servers` says so another beside it that sees no card."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from modelpool_operator.api import names
from modelpool_operator.api.models import Engine
from modelpool_operator.api.pool import ModelPool, PoolSpec
from modelpool_operator.api.quantity import number_of
from modelpool_operator.planning import sharing
from modelpool_operator.planning.engines import images
from modelpool_operator.planning.engines import pod_parts as pods
from modelpool_operator.planning.engines.ollama import models as ollama
from modelpool_operator.planning.engines.ollama import servers as ollama_servers
from modelpool_operator.planning.objects.identity import without_nothing
from modelpool_operator.planning.sharing.mode import NO_CARD, Access
from modelpool_operator.planning.sharing.shares import Placement

MODELS_FOLDER: Final = "/models"
ENDPOINT_SECONDS: Final = 10
"""Between leaving the Service's endpoints and being told to stop: Ollama cuts every answer at once."""
GRACE_SECONDS: Final = ENDPOINT_SECONDS + 20
FEW: Final = {"cpu": "100m", "memory": "256Mi"}
"""What a server asks for whose models are in the card's memory, beside another that asks for what the user says."""


def environment(
    spec: PoolSpec, placement: Placement, *, listen: str = f"0.0.0.0:{names.OLLAMA_PORT}", models: str = MODELS_FOLDER
) -> dict[str, str]:
    """Return the first server's variables.

    With a share of a card that it sees whole, Ollama is told to leave free what the plan leaves free. All interfaces,
    in `listen`, are those of IPv6, too: so Go takes them.
    """
    division = ollama_servers.divide(spec, placement.sharing)
    own = _environment(spec, listen, models, division.loaded)
    share = placement.ollama
    if share is not None and not sharing.MODES[placement.sharing].shows_slice:
        card = placement.cards[share.gpus[0]]
        own["OLLAMA_GPU_OVERHEAD"] = str(card.unplanned)  # whoever else is there, so that none of them restarts it
    return own


def environment_beside(
    spec: PoolSpec, *, listen: str = f"0.0.0.0:{names.OLLAMA_CPU_PORT}", models: str = MODELS_FOLDER
) -> dict[str, str]:
    """Return the second server's variables. Both read one folder, which only the first one fills and tidies up."""
    own = _environment(spec, listen, models, spec.ollama.max_loaded_models)
    return {**own, "OLLAMA_NOPRUNE": "1", **NO_CARD.env}


def access(pool: ModelPool, placement: Placement) -> Access:
    """Return how the first server gets at its card, or how it is kept from all of them."""
    share = placement.ollama
    return NO_CARD if share is None else sharing.mode_of(pool.spec).access(pool, share)


def pod_template(pool: ModelPool, placement: Placement) -> dict[str, Any]:
    """Return the pod of the pool's Ollama."""
    spec, cards = pool.spec, access(pool, placement)
    on_card = placement.ollama is not None
    division = ollama_servers.divide(spec, placement.sharing)
    wanted = _few(spec.ollama.resources) if division.beside else spec.ollama.resources
    first = _container(
        pool,
        names.OLLAMA_COMPONENT,
        (names.PORT_NAME, names.OLLAMA_PORT),
        pods.environment({**environment(spec, placement), **cards.env}, spec.ollama.env),
        pods.resources(wanted, cards),
    )
    second = _container(
        pool,
        names.OLLAMA_CPU_CONTAINER,
        (names.OLLAMA_CPU_PORT_NAME, names.OLLAMA_CPU_PORT),
        pods.environment(environment_beside(spec), spec.ollama.env),
        _without_cards(spec.ollama.resources),
    )
    return pods.template(
        pool,
        labels={**ollama.pod_labels(pool), **names.COMMON_LABELS, **({names.CARD_LABEL: "true"} if on_card else {})},
        annotations={},
        container=first,
        beside=(second,) if division.beside else (),
        volumes=[{"name": "models", "persistentVolumeClaim": {"claimName": ollama.models_claim(pool)}}],
        grace_seconds=GRACE_SECONDS,
        access=cards,
        pod_affinity=pods.affinity(spec, pool.ref.name, None, on_card=on_card),
    )


def _environment(spec: PoolSpec, listen: str, models: str, loaded: int) -> dict[str, str]:
    return {
        "OLLAMA_CONTEXT_LENGTH": str(spec.ollama.context_length),
        "OLLAMA_HOST": listen,
        "OLLAMA_KEEP_ALIVE": spec.ollama.keep_alive,
        "OLLAMA_MAX_LOADED_MODELS": str(loaded),
        "OLLAMA_MODELS": models,
        "OLLAMA_NUM_PARALLEL": str(spec.ollama.num_parallel),
    }


def _container(
    pool: ModelPool, name: str, port: tuple[str, int], env: list[dict[str, Any]], resources: dict[str, Any]
) -> dict[str, Any]:
    port_name, number = port
    container = {
        "name": name,
        "image": images.image_of(pool.spec, Engine.OLLAMA),
        "command": ["ollama", "serve"],
        "env": env,
        "lifecycle": {"preStop": {"exec": {"command": ["sleep", str(ENDPOINT_SECONDS)]}}},
        "livenessProbe": _probe(port_name, period=30, failures=3),
        "ports": [{"containerPort": number, "name": port_name, "protocol": "TCP"}],
        "readinessProbe": _probe(port_name, period=5, failures=3),
        "resources": resources,
        "securityContext": pods.CONTAINER_SECURITY,
        "startupProbe": _probe(port_name, period=2, failures=150),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [{"name": "models", "mountPath": MODELS_FOLDER}],
    }
    return without_nothing(container)


def _few(wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return the user's resources with little asked for: a request that is not said would be as high as its limit."""
    asked, limits = dict(wanted.get("requests") or {}), wanted.get("limits") or {}
    for resource, few in FEW.items():
        stated = asked.get(resource, limits.get(resource))
        if stated is not None:
            asked[resource] = min(few, str(stated), key=_amount)
    return {**wanted, **({"requests": asked} if asked else {})}


def _amount(text: str) -> Decimal:
    """Return a quantity of processors or bytes as a number, 0 where it is none, which the API server is to refuse."""
    return number_of(text) or Decimal()


def _without_cards(wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the user asks for of processors, memory and disk: devices have a slash in their names."""
    kept = {
        part: {resource: amount for resource, amount in (wanted.get(part) or {}).items() if "/" not in resource}
        for part in ("limits", "requests")
    }
    return {part: amounts for part, amounts in kept.items() if amounts}


def _probe(port_name: str, *, period: int, failures: int) -> dict[str, Any]:
    request = {"path": "/api/version", "port": port_name}
    return {"httpGet": request, "periodSeconds": period, "failureThreshold": failures, "timeoutSeconds": 5}
