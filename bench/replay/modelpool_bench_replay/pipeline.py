"""The recorded query: its steps, what depends on what, and what the recording said. Pure but for reading the file."""

from collections.abc import Iterator, Sequence
from enum import Enum
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Final

import msgspec

PATH: Final = Path(__file__).parents[2] / "pipeline.yaml"


class Kind(Enum):
    """What a step does."""

    LLM = "llm"
    VISION = "vision"
    WAIT = "wait"
    """Something that no model does: the web."""


class Step(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """One call of a model, or one wait."""

    name: str
    kind: Kind
    seconds: float
    """That it took when it was recorded."""
    after: tuple[str, ...]
    """The steps whose results it needs."""
    model: str = ""
    tokens_in: int = 0
    tokens_out: int = 0
    lane: str = "main"
    """The recorded client ran the steps of a lane one after the other."""
    assumed: bool = False
    """Whether the tokens are not part of the recording."""


class Recorded(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """Sums as the recording states them, in seconds."""

    llm_seconds: float
    query_seconds: float
    scraping_seconds: float
    switches: int
    switch_seconds: float
    loaded_models: int


class Predicted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """What was expected of the pool before anything was built."""

    llm_seconds: tuple[float, float]
    query_seconds: tuple[float, float]
    queries_per_minute: float


class Pipeline(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """A query of the pipeline."""

    recorded: Recorded
    predicted: Predicted
    steps: tuple[Step, ...]

    def calls(self) -> Iterator[Step]:
        """Return the steps that ask a model, in the recorded order."""
        return (step for step in self.steps if step.kind is not Kind.WAIT)

    def models(self) -> tuple[str, ...]:
        """Return the models that are asked, in the order of their first call."""
        return tuple(dict.fromkeys(step.model for step in self.calls()))

    def seconds(self, kind: Kind) -> float:
        """Return what the steps of a kind took together."""
        return sum(step.seconds for step in self.steps if step.kind is kind)


class BadPipelineError(Exception):
    """The file is no pipeline. The text names the step."""


def read(path: Path = PATH) -> Pipeline:
    """Read and check a pipeline; raises BadPipelineError."""
    try:
        pipeline = msgspec.yaml.decode(path.read_bytes(), type=Pipeline)
    except msgspec.MsgspecError as error:
        raise BadPipelineError(f"{path.name}: {error}") from None
    names = [step.name for step in pipeline.steps]
    for step in pipeline.steps:
        if names.count(step.name) > 1:
            raise BadPipelineError(f"{step.name}: there are two steps of this name")
        if missing := set(step.after) - set(names):
            raise BadPipelineError(f"{step.name}: needs {min(missing)!r}, which is no step")
        if (step.kind is Kind.WAIT) == bool(step.model and step.tokens_in and step.tokens_out):
            raise BadPipelineError(f"{step.name}: a call has a model and tokens, a wait has none")
    try:
        TopologicalSorter({step.name: step.after for step in pipeline.steps}).prepare()
    except CycleError as error:
        raise BadPipelineError(f"{error.args[1][0]}: needs itself") from None
    return pipeline


def in_recorded_order(steps: Sequence[Step]) -> dict[str, tuple[str, ...]]:
    """Return what each step waits for when the steps of a lane run one after the other."""
    last: dict[str, str] = {}
    order = {}
    for step in steps:
        before = last.get(step.lane)
        order[step.name] = tuple(dict.fromkeys((*step.after, *((before,) if before else ()))))
        last[step.lane] = step.name
    return order


def together(steps: Sequence[Step]) -> dict[str, tuple[str, ...]]:
    """Return what each step waits for when nothing waits that need not."""
    return {step.name: step.after for step in steps}


def critical_path(steps: Sequence[Step], order: dict[str, tuple[str, ...]]) -> float:
    """Return how long the steps take in this order when each takes what it took, and switches are free."""
    seconds = {step.name: step.seconds for step in steps}
    ends: dict[str, float] = {}
    for name in TopologicalSorter(order).static_order():
        ends[name] = max((ends[before] for before in order[name]), default=0.0) + seconds[name]
    return max(ends.values())
