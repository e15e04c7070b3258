"""vLLM, as the rest of planning asks it. What each answer means, `Profile` says."""

# ruff: noqa: D102

from collections.abc import Iterator
from typing import Any

from modelpool_operator.api.models import Engine, Model
from modelpool_operator.api.pool import ModelPool, PoolSpec
from modelpool_operator.planning.engines import images, start_pod, variables
from modelpool_operator.planning.engines.profile import Override, Profile, Volumes
from modelpool_operator.planning.engines.vllm import adapters, arguments, flags, memory, notes
from modelpool_operator.planning.memory.arithmetic import Term
from modelpool_operator.planning.sharing.mode import Access
from modelpool_operator.planning.sharing.shares import Share


class Vllm(Profile):
    """One engine for each model."""

    name = Engine.VLLM
    title = "vLLM"
    key_variable = variables.KEY_VARIABLE
    fields = frozenset({"adapters", "allowedMediaDomains", "autoscaling", "speculative"})
    highest_rank = adapters.RANKS[-1]
    variables = variables.OF_VLLM

    def env(self, spec: PoolSpec) -> list[dict[str, Any]]:
        return spec.vllm.env

    def args(self, spec: PoolSpec) -> tuple[str, ...]:
        return tuple(spec.vllm.args)

    def resources(self, spec: PoolSpec) -> dict[str, Any]:
        return spec.vllm.resources

    def image(self, spec: PoolSpec) -> str:
        return images.image_of(spec, self.name)

    def image_note(self, spec: PoolSpec) -> str | None:
        return images.note_on(spec, self.name)

    def opens_media(self, argument: str) -> bool:
        return arguments.opens_media(argument)

    def overrides(self, args: tuple[str, ...]) -> Override | None:
        return flags.overrides(args)

    def notes(self, pool: ModelPool, model: Model) -> Iterator[str]:
        return notes.notes_on(pool, model)

    def needs(self, spec: PoolSpec, model: Model, card: int) -> tuple[tuple[Term, ...], tuple[str, ...]]:
        return memory.needs(model, card, self.args(spec))

    def cache_of(self, spec: PoolSpec, model: Model, share: int, card: int) -> int | None:
        return memory.cache_of(model, share, card, self.args(spec))

    def longest_context(self, spec: PoolSpec, model: Model, share: int, card: int) -> int | None:
        return memory.longest_context(model, share, card, self.args(spec))

    def measures_graphs(self, spec: PoolSpec, model: Model) -> bool:
        return not any(arg.replace("_", "-") == "--enforce-eager" for arg in (*spec.vllm.args, *model.args))

    def command(self, spec: PoolSpec, model: Model, share: Share, access: Access) -> tuple[str, ...]:
        return ("vllm", "serve", *arguments.arguments(spec, model, share, access=access))

    def environment(self, spec: PoolSpec, key: str | None) -> dict[str, str | dict[str, Any]]:
        return arguments.environment(spec, key=key)

    def mounts(self, pool: ModelPool, model: Model) -> Volumes:
        parts = (start_pod.weights_of(model), adapters.mounts(model))
        shm = {"medium": "Memory", "sizeLimit": pool.spec.vllm.shm_size.text}
        return (
            [{"name": "shm", "mountPath": "/dev/shm"}, *(one for mounts, _ in parts for one in mounts)],  # noqa: S108
            [{"name": "shm", "emptyDir": shm}, *(one for _, volumes in parts for one in volumes)],
        )

    def claims(self, pool: ModelPool, model: Model) -> Iterator[str]:
        yield from super().claims(pool, model)
        for volume in adapters.mounts(model)[1]:
            yield volume["persistentVolumeClaim"]["claimName"]


PROFILE = Vllm()
