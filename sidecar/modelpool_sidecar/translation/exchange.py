"""The values and the protocol that a translated call consists of."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Protocol

import msgspec

from ..dialects.answer import Answer
from ..dialects.bounds import DEFAULT, Bounds

NO_PARAMETERS: Final[Mapping[str, object]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """What a translator may know of the engine it writes for."""

    model: str
    """The name the engine serves the model under."""
    context_length: int | None = None
    """Tokens the engine takes, prompt and answer together; None when unknown."""
    capabilities: frozenset[str] | None = None
    """completion, tools, thinking, vision, embedding; None when unknown, and then nothing is refused."""
    parameters: Mapping[str, object] = field(default_factory=lambda: NO_PARAMETERS, hash=False)
    """How the model samples where the request does not say, in the words of Ollama's `options`."""

    def lacks(self, capability: str) -> bool:
        """Whether it is known that the model cannot do this."""
        return self.capabilities is not None and capability not in self.capabilities


@dataclass(frozen=True, slots=True, kw_only=True)
class Timings:
    """When things happened, in nanoseconds. All but `epoch_ns` are of one monotonic clock, that of every `now_ns`."""

    epoch_ns: int
    """The wall clock at `started_ns`."""
    started_ns: int
    """The request arrived."""
    dispatched_ns: int
    """The request left for the engine; the difference is reported as load_duration."""


class Usage(msgspec.Struct, frozen=True, gc=False):
    """The engine's own count of tokens."""

    prompt_tokens: int = 0
    completion_tokens: int = 0


class Function(msgspec.Struct):
    """Ollama's function of a tool call: the arguments are an object."""

    index: int
    name: str
    arguments: dict[str, object]


class ToolCall(msgspec.Struct):
    """A complete tool call."""

    id: str
    function: Function


class Reply(Protocol):
    """One answer of an engine on its way to the caller.

    While nothing has been given out, an engine's failure is raised as EngineError, and the request may go elsewhere.
    After that it becomes the stream's last line.
    """

    @property
    def usage(self) -> Usage | None:
        """The engine's count, once it has said it."""
        ...

    @property
    def first_ns(self) -> int | None:
        """When the first token came, on the clock of `now_ns`; None before that, and for embeddings."""
        ...

    @property
    def failed(self) -> bool:
        """Whether the stream ended in an error line."""
        ...

    @property
    def over(self) -> bool:
        """Whether the engine has said all there is to say, or failed: what else it sends is not read."""
        ...

    def feed(self, raw: bytes, now_ns: int) -> bytes:
        """Bytes from the engine in, bytes for the caller out; none when the caller wants one document."""
        ...

    def close(self, now_ns: int) -> bytes:
        """The engine's body ended: what is left for the caller of a stream."""
        ...

    def answer(self, now_ns: int) -> Answer:
        """The engine's body ended: the whole answer for a caller that wants one document."""
        ...

    def refused(self, status: int, body: bytes) -> Answer:
        """The engine's answer was an error: the same in Ollama's words. The caller adds Retry-After."""
        ...


class Opens(Protocol):
    """Makes a Reply for one try."""

    def __call__(self, timings: Timings, bounds: Bounds = DEFAULT) -> Reply:
        """`bounds`: how much of the answer may be kept."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One call, translated. May be sent more than once: each try opens its own Reply."""

    path: str
    body: bytes
    stream: bool
    """What the caller wants. True: send what `feed` and `close` give as NDJSON. False: send `answer`."""
    open: Opens
    warnings: tuple[str, ...] = ()
    """What was asked for and knowingly not passed on, one sentence each."""
