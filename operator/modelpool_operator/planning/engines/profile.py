"""What an engine answers about itself; the answers here are those of one that runs each of its models on its own cards.

An engine is one file, or one package, of `engines` with a `PROFILE`, which `registry` finds. Whoever plans, builds,
diagnoses, routes or reports asks it here, and does not ask which engine it is.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from modelpool_operator.api import names
from modelpool_operator.api.models import Engine, Model
from modelpool_operator.api.pool import ModelPool, PoolSpec
from modelpool_operator.planning import sharing
from modelpool_operator.planning.engines import images, pod_parts
from modelpool_operator.planning.engines.demand import Demand, fraction_of, portion_of
from modelpool_operator.planning.engines.images import Release
from modelpool_operator.planning.engines.variables import OF_ENGINES
from modelpool_operator.planning.memory.arithmetic import Term, exact_gib
from modelpool_operator.planning.memory.refusals import Refusal
from modelpool_operator.planning.memory.sources import Claim, Hub, Source, parse_source
from modelpool_operator.planning.objects.identity import selector_labels
from modelpool_operator.planning.sharing.mode import Access
from modelpool_operator.planning.sharing.shares import Share

Volumes = tuple[list[dict[str, Any]], list[dict[str, Any]]]
"""The mounts of a container, and the volumes of its pod."""

_MEASURED: Final = (
    "{name}: its cache cannot be counted, so {title} measures what CUDA graphs take, which may run out of memory in a"
    " slice; set `kvCacheMemory`"
)


class Override(NamedTuple):
    """An argument that must not be there."""

    argument: str
    """As it was written."""
    flag: str
    instead: str


class Profile:
    """One engine."""

    name: Engine
    title: str
    """As people write it: `vLLM`."""
    release: Release
    of_pool: bool = False
    """Whether one server, with one volume, runs all models of a pool, and stands in for engines that cannot answer."""
    port: int = names.VLLM_PORT
    health: str = "/health"
    """The path of its probes: 200 as soon as it answers requests."""
    key_variable: str | None = None
    """The variable with the pool's key, where it asks for one."""
    sources: tuple[type[Source], ...] = (Hub, Claim)
    schemes: str = "'hf://' or 'pvc://'"
    """How they begin, in words."""
    needs_source: bool = True
    fields: frozenset[str] = frozenset()
    """Of `adapters`, `allowedMediaDomains`, `autoscaling`, `speculative`: what its models may have."""
    highest_rank: int = 0
    """Of adapters."""
    variables: Mapping[str, str] = OF_ENGINES
    """Variables that users must not set, each with why."""
    causes: tuple[tuple[str, str], ...] = ()
    """What its last words tell, beside what `diagnosis` knows: a reason, and a regular expression of the words."""
    advice: Mapping[str, str] = MappingProxyType({})
    """What to do about these reasons."""

    @property
    def component(self) -> str:
        """The label of its pods, and the name of its container."""
        return self.name.value

    @property
    def field(self) -> str:
        """The part of the spec that describes all of its engines."""
        return self.name.value

    @property
    def volume_field(self) -> str:
        """The part of the spec that describes their volume."""
        return "cache"

    def is_used(self, spec: PoolSpec) -> bool:
        """Return whether the pool has any."""
        return any(model.engine is self.name for model in spec.models)

    def env(self, spec: PoolSpec) -> list[dict[str, Any]]:
        """Return the user's variables of all of its engines."""
        return []

    def args(self, spec: PoolSpec) -> tuple[str, ...]:
        """Return the user's arguments of all of its engines."""
        return ()

    def resources(self, spec: PoolSpec) -> dict[str, Any]:
        """Return what the user lets its containers have of the node."""
        return {}

    def image(self, spec: PoolSpec) -> str:
        """Return its image: the one that the pool names, else this operator's."""
        return self.release.image

    def image_note(self, spec: PoolSpec) -> str | None:
        """Return what the user should know of an image that the pool names, or None."""
        return images.version_note(self.field, None, self.release)

    def objection(self, pool: ModelPool, model: Model) -> Refusal | None:
        """Return what is wrong with a model of its, or with the pool's part about it, or None."""
        return None

    def opens_media(self, argument: str) -> bool:
        """Return whether an argument says which media it loads, which is for `allowedMediaDomains` to say."""
        return False

    def overrides(self, args: tuple[str, ...]) -> Override | None:
        """Return the first argument that sets what is not its to set, or None."""
        return None

    def notes(self, pool: ModelPool, model: Model) -> Iterator[str]:
        """Yield what the user should know of a model of its."""
        return iter(())

    def needs(self, spec: PoolSpec, model: Model, card: int) -> tuple[tuple[Term, ...], tuple[str, ...]]:
        """Return what is known to go into a model's share, in bytes of each card, and what could not be checked.

        Args:
            spec: the pool's.
            model: whose share it is.
            card: bytes of each card as a whole.
        """
        return (), (f"{model.name}: the size of its weights is not known, so their fit is unchecked; set `weights`",)

    def cache_of(self, spec: PoolSpec, model: Model, share: int, card: int) -> int | None:
        """Return the bytes of cache on each card that a share has room for, or None where that is not known."""
        return None

    def longest_context(self, spec: PoolSpec, model: Model, share: int, card: int) -> int | None:
        """Return the tokens of one sequence that a share has room for; None where that is stated, or not known."""
        return None

    def measures_graphs(self, spec: PoolSpec, model: Model) -> bool:
        """Return whether it measures its card while it starts, where nobody says how large its cache is."""
        return False

    def demand_of(self, spec: PoolSpec, model: Model, memory: int) -> Demand | None:
        """Return what a model wants of cards of so many bytes, or None where it has no share of its own."""
        if model.gpu_memory is not None:
            share, fraction = model.gpu_memory.bytes, fraction_of(model.gpu_memory.bytes, memory)
        else:
            fraction = model.gpu_memory_fraction or 0.0
            share = int(Decimal(str(fraction)) * memory)
        width = max(1, model.tensor_parallel_size)
        portion = portion_of(spec, share, memory, width)
        lines, notes = self.needs(spec, model, memory)
        cache = self.cache_of(spec, model, portion.bytes, memory)
        if sharing.mode_of(spec).states_cache and cache is None and self.measures_graphs(spec, model):
            notes = (*notes, _MEASURED.format(name=model.name, title=self.title))
        if portion.bytes != share:
            fraction = fraction_of(portion.bytes, memory)
            given = f"{exact_gib(portion.bytes)} ({fraction:g} of {exact_gib(memory)})"
            notes = (*notes, f"{model.name}: is given {given}, which is what a card has beside the engine's context")
        return Demand(
            name=model.name,
            engine=self.name,
            bytes=portion.bytes,
            overhead=portion.overhead,
            fraction=fraction,
            width=width,
            first_card=model.gpu,
            lines=lines,
            notes=notes,
            longest_context=self.longest_context(spec, model, portion.bytes, memory),
        )

    def demand_of_pool(self, spec: PoolSpec, memory: int) -> Demand | None:
        """Return what the one server of the pool wants of a card, or None where there is none, or it wants nothing."""
        return None

    def shares_card(self, spec: PoolSpec) -> bool:
        """Return whether its engines have a share of a card."""
        return True

    def command(self, spec: PoolSpec, model: Model, share: Share, access: Access) -> tuple[str, ...]:
        """Return the program and its arguments: ours, then the pool's, then the model's."""
        raise NotImplementedError

    def environment(self, spec: PoolSpec, key: str | None) -> dict[str, str | dict[str, Any]]:
        """Return the operator's variables; `key` names the Secret with the key that it asks for."""
        return {}

    def mounts(self, pool: ModelPool, model: Model) -> Volumes:
        """Return the mounts and volumes beside the cache and the start script."""
        return [], []

    def deployment(self, pool: ModelPool, model: Model) -> str:
        """Return the name of the Deployment that runs a model, and of its Service."""
        return names.engine_names(pool.ref.name, model.name).child

    def pod_labels(self, pool: ModelPool, model: Model) -> dict[str, str]:
        """Return the labels by which a model's Deployment and Service find its pods."""
        return selector_labels(pool, self.component, names.engine_names(pool.ref.name, model.name).label)

    def claim(self, pool: ModelPool) -> str:
        """Return the claim that all of its engines have: for weights and card locks."""
        return pod_parts.cache_claim(pool)

    def claims(self, pool: ModelPool, model: Model) -> Iterator[str]:
        """Yield the claims that an engine's pod mounts, the pool's own first."""
        yield self.claim(pool)
        source = parse_source(model.source or "")
        if isinstance(source, Claim):
            yield source.claim

    def context_length(self, spec: PoolSpec, model: Model) -> int | None:
        """Return the tokens of one sequence as clients are told them, or None where the engine chooses."""
        return model.context_length

    def served_name(self, model: Model) -> str:
        """Return its own name of a model, as it lists it."""
        return model.name

    def stand_in(self, spec: PoolSpec, model: Model) -> str | None:
        """Return its own name of the model that stands in for one of another engine's, or None."""
        return None
