"""The demand document, version 1: what a gateway says is asked of its models. The sidecar writes what is read here.

Pure over bytes. Unknown fields are ignored, so that a newer gateway may say more.
"""

from collections.abc import Collection, Iterable
from typing import Annotated, Literal

import msgspec

from modelpool_operator.api.names import ObjectRef
from modelpool_operator.planning.observation.autoscaling import Asked, Unknown, summed

_Count = Annotated[int, msgspec.Meta(ge=0)]
_Seconds = Annotated[float, msgspec.Meta(ge=0)]


class InvalidDemandError(ValueError):
    """The bytes are no demand document of version 1; the message says where and why."""


class _Pool(msgspec.Struct, frozen=True, kw_only=True):
    namespace: str
    name: str


class ModelDemand(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One model at one gateway."""

    pool: _Pool
    model: str
    in_flight: _Count
    pending: _Count
    seconds_since_last_request: _Seconds | None = None
    """None: there was no request since the gateway started."""


class DemandDocument(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """All that one gateway says."""

    version: Literal[1]
    up_seconds: _Seconds
    """Since its start: before that, it does not know who asked."""
    models: tuple[ModelDemand, ...]


_DECODER = msgspec.json.Decoder(DemandDocument)


def parse(data: bytes) -> DemandDocument:
    """Read one document. Raises InvalidDemandError."""
    try:
        return _DECODER.decode(data)
    except msgspec.MsgspecError as exc:
        raise InvalidDemandError(str(exc)) from exc


def asked_of(documents: Iterable[DemandDocument], pool: ObjectRef, names: Collection[str]) -> Asked | Unknown:
    """Return what is asked of a model of a pool at all gateways.

    Args:
        documents: of all gateways.
        pool: whose model it is.
        names: of the model, its own first; gateways may list others that its engine serves as models of their own.
    """
    own = next(iter(names))
    told: list[Asked] = []
    for document in documents:
        found = [one for one in document.models if (one.pool.namespace, one.pool.name) == pool and one.model in names]
        if not any(one.model == own for one in found):
            return Unknown(why=f"a gateway does not know {own} of {pool.namespace}/{pool.name}")
        told += (_asked(one, document.up_seconds) for one in found)
    return summed(told) if told else Unknown(why="there is no gateway")


def _asked(one: ModelDemand, up_seconds: float) -> Asked:
    since = one.seconds_since_last_request
    return Asked(load=one.in_flight + one.pending, idle_seconds=up_seconds if since is None else since)
