"""All that a pool wants to exist, in apply order: what is needed first comes first, the gateway hears of it last."""

from collections.abc import Collection
from typing import Final

from modelpool_operator.api.pool import ModelPool
from modelpool_operator.planning import sharing
from modelpool_operator.planning.engines.ollama import models as ollama
from modelpool_operator.planning.engines.registry import PROFILES
from modelpool_operator.planning.manifests import (
    config_maps,
    deployments,
    disruption_budgets,
    engine_keys,
    jobs,
    network_policies,
    pull_records,
    services,
    volumes,
)
from modelpool_operator.planning.objects.identity import Manifest
from modelpool_operator.planning.observation.installation import Installation
from modelpool_operator.planning.sharing.shares import Placement

OPEN: Final = Installation()


def children_of(
    pool: ModelPool,
    placement: Placement,
    ollama_volume_uid: str | None,
    *,
    whole_card: int | None = None,
    not_pulled: Collection[str] = (),
    removed: Collection[str] = (),
    recorded: Collection[str] = (),
    installation: Installation = OPEN,
) -> tuple[Manifest, ...]:
    """Return the manifests of every child, not yet sealed.

    Args:
        pool: what is wanted.
        placement: which model stands on which card; its start order is the order of the Deployments.
        ollama_volume_uid: names the volume that pulls go to; without one there are no pulls yet.
        whole_card: bytes that a claim asks for to have a card to itself, where it would not anyway.
        not_pulled: models that the volume cannot hold, or holds already although no Job says so.
        removed: models that are to be removed from it.
        recorded: models that it holds, by Jobs that do not stay.
        installation: whom engines answer.
    """
    models = {model.name: model for model in pool.spec.models}
    own = PROFILES.with_own(pool.spec)
    order = [share for share in placement.shares if placement.share_of(share.model) is share]
    with_ollama = ollama.is_needed(pool.spec)
    key = engine_keys.secret_for(pool, installation)
    used = frozenset(gpu for share in placement.shares for gpu in share.gpus)
    children: list[Manifest | None] = [
        volumes.cache_volume(pool) if own else None,
        volumes.ollama_volume(pool) if with_ollama else None,
        config_maps.scripts_config_map(pool) if own else None,
        network_policies.network_policy(pool, placement, installation),
        *sharing.mode_of(pool.spec).children(pool, used, whole_card),
        *(services.engine_service(pool, model) for model in own),
        services.ollama_service(pool, placement) if with_ollama else None,
        *(disruption_budgets.engine_disruption_budget(pool, model) for model in own),
        deployments.ollama_deployment(pool, placement, pull_records.annotation(recorded, ollama_volume_uid))
        if with_ollama
        else None,
        *(deployments.engine_deployment(pool, models[share.model], share, key) for share in order),
    ]
    if with_ollama and ollama_volume_uid is not None:
        pulled = (model for model in ollama.models_to_pull(pool.spec) if model not in not_pulled)
        children += [jobs.pull_job(pool, model, ollama_volume_uid) for model in pulled]
        children += [jobs.remove_job(pool, model, ollama_volume_uid) for model in removed]
    children.append(config_maps.routes_config_map(pool, placement, keyed=key is not None))
    return tuple(child for child in children if child is not None)
