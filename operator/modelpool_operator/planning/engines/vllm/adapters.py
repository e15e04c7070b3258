"""LoRA adapters of a vLLM engine: its arguments, the volumes they lie on, and the memory that is kept for them.

vLLM sets memory aside for `--max-loras` adapters of `--max-lora-rank` when it starts, whatever their files hold. All
adapters of a model may be in one batch here, so that none is swapped. An adapter on the Hub is fetched by vLLM itself,
into the same cache as the weights.
"""

import json
from typing import Any, Final

from modelpool_operator.api.models import Adapter, Model
from modelpool_operator.planning.memory.arithmetic import Term
from modelpool_operator.planning.memory.catalogue import KnownModel
from modelpool_operator.planning.memory.sources import Claim, Hub, parse_source

FOLDER: Final = "/adapters"
RANKS: Final = (1, 8, 16, 32, 64, 128, 256, 320, 512)
"""What `--max-lora-rank` takes."""
NUMBER_BYTES: Final = 2
"""Of one number of an adapter: `--lora-dtype auto` is the model's, 16 bit."""


def arguments(model: Model, folder: str = FOLDER) -> tuple[str, ...]:
    """Return the arguments that let an engine serve the model's adapters by name; none where it has none.

    Args:
        model: a vLLM model.
        folder: below which the volumes of `pvc://` sources lie, each by its claim's name.
    """
    if not model.adapters:
        return ()
    modules = (_module(adapter.name, _path(adapter, folder)) for adapter in model.adapters)
    limits = ("--max-loras", str(len(model.adapters)), "--max-lora-rank", str(_rank(model)))
    return ("--enable-lora", "--lora-modules", *modules, *limits)


def mounts(model: Model) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the mounts and the volumes of adapters that lie on volumes."""
    sources = (parse_source(adapter.source) for adapter in model.adapters)
    claims = sorted({source.claim for source in sources if isinstance(source, Claim)})
    names = {claim: f"adapters-{place}" for place, claim in enumerate(claims)}
    return (
        [{"name": name, "mountPath": f"{FOLDER}/{claim}", "readOnly": True} for claim, name in names.items()],
        [
            {"name": name, "persistentVolumeClaim": {"claimName": claim, "readOnly": True}}
            for claim, name in names.items()
        ],
    )


def needs(model: Model, known: KnownModel | None) -> tuple[tuple[Term, ...], tuple[str, ...]]:
    """Return what is set aside for adapters on each card, and what could not be counted.

    Over several cards vLLM splits a part of each adapter only, so none of it is counted as split.
    """
    if not model.adapters:
        return (), ()
    if known is None:
        return (), (f"{model.name}: the size of its adapters is not known, so they are not counted",)
    count, rank = len(model.adapters), _rank(model)
    label = f"{count} LoRA adapter{'' if count == 1 else 's'} of rank {rank}"
    return (Term(label=label, bytes=count * rank * known.adapter_numbers * NUMBER_BYTES),), ()


def _rank(model: Model) -> int:
    """Return the least rank that vLLM knows and every adapter fits into."""
    highest = max(adapter.rank for adapter in model.adapters)
    return next((rank for rank in RANKS if rank >= highest), RANKS[-1])


def _module(name: str, path: str) -> str:
    """Return one word of `--lora-modules`: `name=path`, or JSON where a comma would be taken for it."""
    return f"{name}={path}" if "," not in path else json.dumps({"name": name, "path": path}, separators=(",", ":"))


def _path(adapter: Adapter, folder: str) -> str:
    match parse_source(adapter.source):
        case Hub(repository=repository):
            return repository
        case Claim(claim=claim, path=path):
            return f"{folder}/{claim}/{path}".rstrip("/")
        case other:
            raise AssertionError(f"the adapter {adapter.name} was planned although its source is refused: {other}")
