"""What the gateway must know of a kind of engine. One instance per kind, in a module of its own named for it."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar, Final

from ..dialects.calls import Call, Kind
from ..routing.health import Failure
from ..routing.table import Probed
from ..translation import Translation

Get = Callable[[str, int], Awaitable[tuple[int, bytes]]]
"""Asks an engine for a path by GET: the path and the most bytes of the body in, the status and the body out."""


@dataclass(frozen=True, slots=True)
class Native:
    """The engine has the call itself: the body goes to `path` untouched, but for the model's name."""

    path: str


@dataclass(frozen=True, slots=True)
class Translated:
    """The call must become another one first."""

    call: Translation


@dataclass(frozen=True, slots=True)
class Unserved:
    """The engine has nothing like it; the sentence is for the caller."""

    message: str


Way = Native | Translated | Unserved

UNSERVED: Final = Unserved("the engine that serves this model has no such call")
_BUSY: Final = frozenset({429, 503})


class Profile:
    """A kind of engine. What stands here holds for an engine of which nothing else is known."""

    name: ClassVar[str] = ""
    """As routes documents write it."""
    title: ClassVar[str] = ""
    """As people write it."""
    weights_format: ClassVar[str] = "safetensors"
    """Of what it loads, as Ollama's API names formats."""
    inference: ClassVar[Mapping[str, Way]] = MappingProxyType({})
    """The calls for a model that it serves, by their paths."""
    admin: ClassVar[frozenset[str]] = frozenset()
    """The calls that change it, by their names in `dialects.calls.ADMIN`."""
    takes_a_key: ClassVar[bool] = False
    """Whether it can be told to ask for the gateway's key."""
    holds_many: ClassVar[bool] = False
    """Whether one of it serves many models. They then share its queue, and to change between them costs time."""
    tells_of_models: ClassVar[bool] = False
    """Whether it has Ollama's calls about models itself: `/api/tags`, `/api/ps` and `/api/show`. It then knows better
    than the routes what its models are, and whether it holds one now."""
    reads_model_loosely: ClassVar[bool] = False
    """Whether its decoder takes `MODEL` for `model` too, so that every body must be given one name."""
    probed_always: ClassVar[bool] = False
    """Whether it is probed although the cluster says that its pods are ready: it may lack the model."""

    def way(self, call: Call) -> Way:
        """How it serves a call."""
        if call.kind is Kind.ADMIN:
            return Native(call.path) if call.admin in self.admin else UNSERVED
        return self.inference.get(call.path, UNSERVED)

    async def probe(self, get: Get) -> Probed:
        """Ask it whether it is ready. What `get` raises, and what a decoder raises, is for the caller."""
        raise NotImplementedError

    def failure_of(self, status: int, body: bytes) -> Failure | None:
        """What a response that is none of 200 says of the engine; None when it is an answer to the caller.

        Of a `Failure` another engine may be asked.
        """
        return Failure.BUSY if status in _BUSY else None

    def failure_in(self, message: str) -> Failure:
        """What an error inside an answer says of the engine."""
        return Failure.FAULT
