"""What a pool may not say, whatever cards there are. The CRD's rules catch most of it earlier; a file has no CRD."""

import re
from collections.abc import Callable
from typing import Final

from modelpool_operator.api import names
from modelpool_operator.api.models import Engine, Model, SpeculativeMethod
from modelpool_operator.api.pool import ModelPool
from modelpool_operator.planning import sharing
from modelpool_operator.planning.engines import variables
from modelpool_operator.planning.engines.vllm import adapters
from modelpool_operator.planning.engines.vllm import flags as vllm_flags
from modelpool_operator.planning.engines.vllm import pod as vllm
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
    for field, env, owned in (
        ("vllm", spec.vllm.env, variables.OF_VLLM),
        ("ollama", spec.ollama.env, variables.OF_OLLAMA),
    ):
        for name in (variable["name"] for variable in env):
            if name in owned:
                message = f"`{field}.env` must not set `{name}`: {owned[name]}"
                return Refusal(reason="ArgumentNotAllowed", message=message)
    return None


def sharing_is_possible(pool: ModelPool) -> Refusal | None:
    """The cards can be shared in the way the pool asks for; without an engine on a card there is nothing to share."""
    return sharing.mode_of(pool.spec).objection(pool.spec) if engines_on_cards(pool.spec) else None


def source_suits_the_engine(pool: ModelPool, model: Model) -> Refusal | None:
    """VLLM reads repositories and folders, Ollama its own names."""
    if model.source is None:
        if model.engine is Engine.OLLAMA:
            return None
        return _invalid(f"`source` of {model.name} is required for engine 'vllm'")
    source = parse_source(model.source)
    if isinstance(source, Refusal):
        return Refusal(reason=source.reason, message=f"{model.name}: {source.message}")
    if isinstance(source, OllamaName) is (model.engine is Engine.OLLAMA):
        return None
    allowed = "'ollama://'" if model.engine is Engine.OLLAMA else "'hf://' or 'pvc://'"
    return Refusal(
        reason="InvalidSource",
        message=f"`source` of {model.name} must start with {allowed} for engine '{model.engine.value}',"
        f" got '{model.source}'",
    )


def share_is_stated_once(pool: ModelPool, model: Model) -> Refusal | None:
    """A vLLM model says its share as a fraction or as an amount; an Ollama model has none of its own."""
    stated = (model.gpu_memory_fraction is not None) + (model.gpu_memory is not None)
    if model.engine is Engine.OLLAMA:
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
    """Speculative decoding is vLLM's, and a draft model comes from the Hub."""
    wanted = model.speculative
    if wanted is None:
        return None
    if model.engine is not Engine.VLLM:
        return _invalid(f"`speculative` of {model.name} must not be set for engine 'ollama'")
    if wanted.method is SpeculativeMethod.NGRAM:
        return (
            None if wanted.model is None else _invalid(f"`speculative.model` of {model.name} must not be set: 'ngram'")
        )
    if not isinstance(parse_source(wanted.model or ""), Hub):
        found = f"got '{wanted.model}'" if wanted.model else "got nothing"
        return _invalid(f"`speculative.model` of {model.name} must be 'hf://repository[@revision]', {found}")
    return None


def adapters_are_readable(pool: ModelPool, model: Model) -> Refusal | None:
    """Adapters are vLLM's; it takes them from a folder, or from the newest revision of a repository."""
    if model.adapters and model.engine is not Engine.VLLM:
        return _invalid(f"`adapters` of {model.name} must not be set for engine 'ollama'")
    for adapter in model.adapters:
        source, name = parse_source(adapter.source), f"adapter {adapter.name} of {model.name}"
        if isinstance(source, Refusal):
            return Refusal(reason=source.reason, message=f"{name}: {source.message}")
        if isinstance(source, OllamaName) or (isinstance(source, Hub) and source.revision is not None):
            wanted = "'hf://repository', which vLLM reads without a revision, or 'pvc://claim/path'"
            return Refusal(
                reason="InvalidSource", message=f"`source` of {name} must be {wanted}, got '{adapter.source}'"
            )
        if not 1 <= adapter.rank <= adapters.RANKS[-1]:
            return _invalid(f"`rank` of {name} must be from 1 to {adapters.RANKS[-1]}, got {adapter.rank}")
    return None


def media_stay_where_the_pool_says(pool: ModelPool, model: Model) -> Refusal | None:
    """Callers name URLs, and the engine would fetch any: what it may fetch stands in one field, and files in none."""
    if model.allowed_media_domains and model.engine is not Engine.VLLM:
        return _invalid(f"`allowedMediaDomains` of {model.name} must not be set for engine 'ollama'")
    for host in model.allowed_media_domains:
        if not re.fullmatch(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?", host):
            return _invalid(f"`allowedMediaDomains` of {model.name} must be hosts in small letters, got '{host}'")
    for field, args in (("spec.vllm.args", pool.spec.vllm.args), (f"`args` of {model.name}", model.args)):
        if found := [one for one in args if vllm.opens_media(one)]:
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
    """Replicas by demand have bounds that leave something between them, and Ollama has no replicas."""
    wanted = model.autoscaling
    if wanted is None:
        return None
    if model.engine is not Engine.VLLM:
        return _invalid(f"`autoscaling` of {model.name} must not be set for engine 'ollama'")
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
    if model.engine is not Engine.VLLM:
        return None
    for where, args in (("`vllm.args`", pool.spec.vllm.args), (f"`args` of {model.name}", model.args)):
        found = vllm_flags.overrides(args)
        if found is not None:
            message = f"{where} must not set `{found.flag}`, got '{found.argument}': {found.instead}"
            return Refusal(reason="ArgumentNotAllowed", message=message)
    return None


def ollama_is_there(pool: ModelPool, model: Model) -> Refusal | None:
    """A model of Ollama's needs the pool's Ollama."""
    if model.engine is not Engine.OLLAMA or pool.spec.ollama.enabled:
        return None
    return _invalid(f"`ollama.enabled` must be true, as the engine of {model.name} is 'ollama'")


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
    ollama_is_there,
)


def _invalid(message: str) -> Refusal:
    return Refusal(reason="InvalidSpec", message=message)
