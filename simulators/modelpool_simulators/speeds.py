"""How fast each model computes, when models differ: one JSON file for all engines of a simulation.

`MODELPOOL_SIMULATED_SPEEDS` names it. A model that it does not list computes as its engine's own variables say. The
file also says by how much the simulation's time is compressed:

    {"compression": 40, "turn_seconds": 0.003, "models": {"qwen3:8b": {"prefill_tokens_per_second": 3560,
     "decode_tokens_per_second": 102, "batch_slowdown": 0.02}}}
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from . import batching, engine


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    models: dict[str, dict[str, float]]
    compression: float = 1.0
    turn_seconds: float = 0.0
    catch_up_seconds: float = engine.CATCH_UP
    hand_out_seconds: float = 0.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Speeds:
    """What the file says; without a file, nothing."""

    models: Mapping[str, Mapping[str, float]] = dataclasses.field(default_factory=dict)
    """Fields of `batching.Pace` by model, as if time were not compressed."""
    compression: float = 1.0
    """Seconds that pass in the simulation within one second."""
    turn_seconds: float = 0.0
    """Real seconds of steps that are computed together."""
    catch_up_seconds: float = engine.CATCH_UP
    """By how much a late engine may hurry: more keeps simulated time apart from what else the machine does."""
    hand_out_seconds: float = 0.0
    """Between the chunks of a stream, real seconds: fewer chunks cost less."""

    def pace(self, names: Iterable[str], default: batching.Pace) -> batching.Pace:
        """Return how fast the first known of these names computes, in compressed time; the default is as it is."""
        for name in names:
            if name in self.models:
                told = dataclasses.replace(default, **self.models[name])  # type: ignore[arg-type]
                return dataclasses.replace(
                    told,
                    prefill_tokens_per_second=told.prefill_tokens_per_second * self.compression,
                    decode_tokens_per_second=told.decode_tokens_per_second * self.compression,
                )
        return default


def from_environment(environment: Mapping[str, str]) -> Speeds:
    """Read the file, if one is named; raises ValueError that names the variable when it cannot be used."""
    path = environment.get("MODELPOOL_SIMULATED_SPEEDS")
    if not path:
        return Speeds()
    try:
        told = msgspec.json.decode(Path(path).read_bytes(), type=_File)
        speeds = Speeds(**msgspec.structs.asdict(told))
        for name in speeds.models:
            speeds.pace([name], _ANY)
    except (OSError, msgspec.MsgspecError, TypeError) as error:
        raise ValueError(f"MODELPOOL_SIMULATED_SPEEDS={path!r}: {error}") from None
    return speeds


_ANY = batching.Pace(prefill_tokens_per_second=1.0, decode_tokens_per_second=1.0, batch_slowdown=0.0)
"""Only to see whether a model's fields are fields of a pace."""
