"""What a pool may not say, whatever cards there are. The CRD's rules catch most of it earlier; a file has no CRD."""

import re
from collections.abc import Callable
from typing import Final

from modelpool_operator.api import names
from modelpool_operator.api.models import Model, SpeculativeMethod
from modelpool_operator.api.pool import ModelPool
from modelpool_operator.planning import sharing
from modelpool_operator.planning.engines.registry import PROFILES
from modelpool_operator.planning.memory.refusals import Refusal
from modelpool_operator.planning.memory.sources import Hub, OllamaName, parse_source
from modelpool_operator.planning.objects import free_forms
from modelpool_operator.planning.sharing.mode import engines_on_cards

Check = Callable[[ModelPool], Refusal | None]
ModelCheck = Callable[[ModelPool, Model], Refusal | None]


def objection_to(pool: ModelPool) -> Refusal | None:
    """Return the first thing that is wrong with the pool, or None."""
    whole = (check(pool) for check in POOL_CHECKS)
    each = (check(pool, model) for model in pool.spec.models for check in MODEL_CHECKS)
    return next((found for checks in (whole, each) for found in checks if found is not None), None)


def has_models(pool: ModelPool) -> Refusal | None:
    """A pool without a model has nothing to plan."""
    return None if pool.spec.models else _invalid("`models` must have at least 1 item")


def name_starts_with_a_letter(pool: ModelPool) -> Refusal | None:
    """Services are named after the pool, and a Service's name starts with a letter."""
    if pool.ref.name[:1].isalpha():
        return None
    return _invalid(f"`metadata.name` must start with a letter, got '{pool.ref.name}'")


def names_are_unique(pool: ModelPool) -> Refusal | None:
    """A name or alias leads to one model."""
    owners: dict[str, str] = {}
    for model in pool.spec.models:
        for name in model.names:
            owner = owners.get(names.folded(name))
            if owner is not None:
                whose = f"'{owner}' and '{model.name}'" if owner != model.name else f"'{model.name}' twice"
                message = f"names, aliases and adapters must be unique in a pool, but '{name}' belongs to {whose}"
                return Refusal(reason="DuplicateName", message=message)
            owners[names.folded(name)] = model.name
    return None


def free_forms_are_readable(pool: ModelPool) -> Refusal | None:
    """What is Kubernetes' own has the shape that Kubernetes gives it."""
    found = next(free_forms.objections(pool.spec), None)
    return None if found is None else _invalid(found)


def labels_are_the_users(pool: ModelPool) -> Refusal | None:
    """Labels and annotations by which the operator knows its pods are its own."""
    for field, keys in (("podLabels", pool.spec.pod_labels), ("podAnnotations", pool.spec.pod_annotations)):
        for key in keys:
            if key.startswith(f"{names.GROUP}/") or key in names.OWN_LABELS:
                return _invalid(f"`{field}` must not have '{key}', which is the operator's")
    return None


def variables_leave_the_plan_alone(pool: ModelPool) -> Refusal | None:
    """What the plan counts with is no variable of the user's, which would undo it without a word."""
    spec = pool.spec
    for profile in PROFILES:
        for name in (variable["name"] for variable in profile.env(spec)):
            if name in profile.variables:
                message = f"`{profile.field}.env` must not set `{name}`: {profile.variables[name]}"
                return Refusal(reason="ArgumentNotAllowed", message=message)
    return None


def sharing_is_possible(pool: ModelPool) -> Refusal | None:
    """The cards can be shared in the way the pool asks for; without an engine on a card there is nothing to share."""
    return sharing.mode_of(pool.spec).objection(pool.spec) if engines_on_cards(pool.spec) else None


def source_suits_the_engine(pool: ModelPool, model: Model) -> Refusal | None:
    """An engine reads repositories and folders, or its own names."""
    profile = PROFILES[model.engine]
    if model.source is None:
        if not profile.needs_source:
            return None
        return _invalid(f"`source` of {model.name} is required for engine '{model.engine.value}'")
    source = parse_source(model.source)
    if isinstance(source, Refusal):
        return Refusal(reason=source.reason, message=f"{model.name}: {source.message}")
    if isinstance(source, profile.sources):
        return None
    wanted = f"{profile.schemes} for engine '{model.engine.value}'"
    message = f"`source` of {model.name} must start with {wanted}, got '{model.source}'"
    return Refusal(reason="InvalidSource", message=message)


def share_is_stated_once(pool: ModelPool, model: Model) -> Refusal | None:
    """A model with an engine of its own says its share as a fraction or as an amount; others have none."""
    stated = (model.gpu_memory_fraction is not None) + (model.gpu_memory is not None)
    if not PROFILES.has_own(model):
        if stated == 0 and model.gpu is None:
            return None
        return _invalid(f"{model.name} must not have a share of its own, as Ollama has one: use `ollama.gpuMemory`")
    if stated != 1:
        return _invalid(f"{model.name} must have exactly one of `gpuMemoryFraction` and `gpuMemory`, got {stated}")
    if model.gpu_memory_fraction is not None and not 0 < model.gpu_memory_fraction <= 1:
        found = f"{model.gpu_memory_fraction:g}"
        return _invalid(f"`gpuMemoryFraction` of {model.name} must be above 0 and at most 1, got {found}")
    if model.gpu_memory is not None and model.gpu_memory.bytes == 0:
        return _invalid(f"`gpuMemory` of {model.name} must be above 0")
    return None


def draft_is_readable(pool: ModelPool, model: Model) -> Refusal | None:
    """A draft model comes from the Hub."""
    wanted = model.speculative
    if wanted is None:
        return None
    if (unwanted := _not_its("speculative", model)) is not None:
        return unwanted
    if wanted.method is SpeculativeMethod.NGRAM:
        no_draft = f"`speculative.model` of {model.name} must not be set: 'ngram'"
        return None if wanted.model is None else _invalid(no_draft)
    if not isinstance(parse_source(wanted.model or ""), Hub):
        found = f"got '{wanted.model}'" if wanted.model else "got nothing"
        return _invalid(f"`speculative.model` of {model.name} must be 'hf://repository[@revision]', {found}")
    return None


def adapters_are_readable(pool: ModelPool, model: Model) -> Refusal | None:
    """Adapters come from a folder, or from the newest revision of a repository."""
    if model.adapters and (unwanted := _not_its("adapters", model)) is not None:
        return unwanted
    highest = PROFILES[model.engine].highest_rank
    for adapter in model.adapters:
        source, name = parse_source(adapter.source), f"adapter {adapter.name} of {model.name}"
        if isinstance(source, Refusal):
            return Refusal(reason=source.reason, message=f"{name}: {source.message}")
        if isinstance(source, OllamaName) or (isinstance(source, Hub) and source.revision is not None):
            wanted = "'hf://repository', which vLLM reads without a revision, or 'pvc://claim/path'"
            return Refusal(
                reason="InvalidSource", message=f"`source` of {name} must be {wanted}, got '{adapter.source}'"
            )
        if not 1 <= adapter.rank <= highest:
            return _invalid(f"`rank` of {name} must be from 1 to {highest}, got {adapter.rank}")
    return None


def media_stay_where_the_pool_says(pool: ModelPool, model: Model) -> Refusal | None:
    """Callers name URLs, and the engine would fetch any: what it may fetch stands in one field, and files in none."""
    if model.allowed_media_domains and (unwanted := _not_its("allowedMediaDomains", model)) is not None:
        return unwanted
    for host in model.allowed_media_domains:
        if not re.fullmatch(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?", host):
            return _invalid(f"`allowedMediaDomains` of {model.name} must be hosts in small letters, got '{host}'")
    of_engines = ((f"spec.{profile.field}.args", profile.args(pool.spec)) for profile in PROFILES)
    for field, args in (*of_engines, (f"`args` of {model.name}", model.args)):
        if found := [one for one in args if any(profile.opens_media(one) for profile in PROFILES)]:
            return _invalid(
                f"{field} must not have {found[0].partition('=')[0]}: use `allowedMediaDomains` for domains, and local"
                " files are never loaded"
            )
    return None


def numbers_are_positive(pool: ModelPool, model: Model) -> Refusal | None:
    """Counts count."""
    counts = {
        "contextLength": (model.context_length, 1),
        "maxConcurrency": (model.max_concurrency, 1),
        "tensorParallelSize": (model.tensor_parallel_size, 1),
        "replicas": (model.replicas, 0),
    }
    for field, (found, least) in counts.items():
        if found is not None and found < least:
            return _invalid(f"`{field}` of {model.name} must be at least {least}, got {found}")
    return None


def autoscaling_is_possible(pool: ModelPool, model: Model) -> Refusal | None:
    """Replicas by demand have bounds that leave something between them."""
    wanted = model.autoscaling
    if wanted is None:
        return None
    if (unwanted := _not_its("autoscaling", model)) is not None:
        return unwanted
    counts = {
        "minReplicas": (wanted.min_replicas, 0),
        "maxReplicas": (wanted.max_replicas, max(1, wanted.min_replicas)),
        "targetInFlight": (wanted.target_in_flight, 1),
        "idleSeconds": (wanted.idle_seconds, 0),
    }
    for field, (found, least) in counts.items():
        if found < least:
            return _invalid(f"`autoscaling.{field}` of {model.name} must be at least {least}, got {found}")
    return None


def args_leave_the_plan_alone(pool: ModelPool, model: Model) -> Refusal | None:
    """What the plan counts with is said by fields: an argument would undo it without a word."""
    profile = PROFILES[model.engine]
    for where, args in ((f"`{profile.field}.args`", profile.args(pool.spec)), (f"`args` of {model.name}", model.args)):
        found = profile.overrides(args)
        if found is not None:
            message = f"{where} must not set `{found.flag}`, got '{found.argument}': {found.instead}"
            return Refusal(reason="ArgumentNotAllowed", message=message)
    return None


def engine_has_what_it_needs(pool: ModelPool, model: Model) -> Refusal | None:
    """Whatever else an engine has to say."""
    return PROFILES[model.engine].objection(pool, model)


POOL_CHECKS: Final[tuple[Check, ...]] = (
    has_models,
    name_starts_with_a_letter,
    names_are_unique,
    free_forms_are_readable,
    labels_are_the_users,
    variables_leave_the_plan_alone,
    sharing_is_possible,
)
MODEL_CHECKS: Final[tuple[ModelCheck, ...]] = (
    source_suits_the_engine,
    share_is_stated_once,
    draft_is_readable,
    adapters_are_readable,
    media_stay_where_the_pool_says,
    numbers_are_positive,
    autoscaling_is_possible,
    args_leave_the_plan_alone,
    engine_has_what_it_needs,
)


def _not_its(field: str, model: Model) -> Refusal | None:
    """Refuse a field of a model that its engine does not have."""
    if field in PROFILES[model.engine].fields:
        return None
    return _invalid(f"`{field}` of {model.name} must not be set for engine '{model.engine.value}'")


def _invalid(message: str) -> Refusal:
    return Refusal(reason="InvalidSpec", message=message)
