"""Ollama, as the rest of planning asks it. What each answer means, `Profile` says."""

# ruff: noqa: D102

from collections.abc import Iterator
from typing import Any

from modelpool_operator.api import names
from modelpool_operator.api.models import Engine, Model
from modelpool_operator.api.pool import ModelPool, PoolSpec
from modelpool_operator.planning.engines import images, variables
from modelpool_operator.planning.engines.demand import Demand, fraction_of, portion_of
from modelpool_operator.planning.engines.ollama import models, servers
from modelpool_operator.planning.engines.profile import Profile
from modelpool_operator.planning.memory.refusals import Refusal
from modelpool_operator.planning.memory.sources import OllamaName

OLLAMA_SHARE = "ollama"
"""The name of the server's own share; its engine tells it from a model of that name."""


class Ollama(Profile):
    """One server for all models of a pool."""

    name = Engine.OLLAMA
    title = "Ollama"
    of_pool = True
    port = names.OLLAMA_PORT
    health = "/api/version"
    sources = (OllamaName,)
    schemes = "'ollama://'"
    needs_source = False
    variables = variables.OF_OLLAMA

    @property
    def volume_field(self) -> str:
        return "ollama.storage"

    def is_used(self, spec: PoolSpec) -> bool:
        return models.is_needed(spec)

    def env(self, spec: PoolSpec) -> list[dict[str, Any]]:
        return spec.ollama.env

    def resources(self, spec: PoolSpec) -> dict[str, Any]:
        return spec.ollama.resources

    def image(self, spec: PoolSpec) -> str:
        return images.image_of(spec, self.name)

    def image_note(self, spec: PoolSpec) -> str | None:
        return images.note_on(spec, self.name)

    def objection(self, pool: ModelPool, model: Model) -> Refusal | None:
        """Refuse a model of Ollama's in a pool without Ollama."""
        if pool.spec.ollama.enabled:
            return None
        message = f"`ollama.enabled` must be true, as the engine of {model.name} is 'ollama'"
        return Refusal(reason="InvalidSpec", message=message)

    def demand_of(self, spec: PoolSpec, model: Model, memory: int) -> Demand | None:
        return None

    def demand_of_pool(self, spec: PoolSpec, memory: int) -> Demand | None:
        share = spec.ollama.gpu_memory.bytes
        if share == 0 or not spec.ollama.enabled:
            return None
        portion = portion_of(spec, share, memory, 1)
        return Demand(
            name=OLLAMA_SHARE,
            engine=self.name,
            of_pool=True,
            bytes=portion.bytes,
            overhead=portion.overhead,
            fraction=fraction_of(portion.bytes, memory),
            notes=servers.notes_on(spec, spec.gpus.sharing),
        )

    def shares_card(self, spec: PoolSpec) -> bool:
        return spec.ollama.gpu_memory.bytes > 0

    def deployment(self, pool: ModelPool, model: Model) -> str:
        return names.ollama_name(pool.ref.name)

    def pod_labels(self, pool: ModelPool, model: Model) -> dict[str, str]:
        return models.pod_labels(pool)

    def claim(self, pool: ModelPool) -> str:
        return models.models_claim(pool)

    def claims(self, pool: ModelPool, model: Model) -> Iterator[str]:
        yield self.claim(pool)

    def context_length(self, spec: PoolSpec, model: Model) -> int | None:
        return model.context_length or spec.ollama.context_length

    def served_name(self, model: Model) -> str:
        return models.served_name(model)

    def stand_in(self, spec: PoolSpec, model: Model) -> str | None:
        return models.fallback_name(spec, model)


PROFILE = Ollama()
