"""What a user should know of a pool that can be planned: nothing here stops a plan."""

from modelpool_operator.api.pool import ModelPool
from modelpool_operator.planning.engines.registry import PROFILES


def notes_on(pool: ModelPool) -> tuple[str, ...]:
    """Return sentences about the pool: on its engines' images, then on its models in the spec's order."""
    spec = pool.spec
    on_images = (note for one in PROFILES if one.is_used(spec) and (note := one.image_note(spec)) is not None)
    return (*on_images, *(note for model in spec.models for note in PROFILES[model.engine].notes(pool, model)))
