"""What follows from a request's head alone: who asks, what is asked, and what of it an engine gets to see.

Callers send the same head again and again, so it is worked out once for each head that is known again.
Pure, and the same for all requests with that head: nothing here may depend on the body, the clock or the table.
"""

import dataclasses
from collections.abc import Mapping
from typing import Final

from ..dialects import calls
from ..dialects.answer import Answer
from ..dialects.calls import Call, Kind
from ..dialects.cors import HostPolicy
from ..dialects.dialect import Dialect
from ..dialects.errors import Refusal
from ..engines.profile import Unserved, Way
from ..engines.registry import Profiles
from ..http import headers
from ..http.server.request import RequestHead
from ..routing.callers import caller_of
from . import forwarded_headers

_LONGEST_ID: Final = 200
_NOBODY: Final[frozenset[str]] = frozenset()


class ResolvedHead:
    """One head, understood."""

    __slots__ = (
        "call",
        "caller",
        "content_type",
        "cors",
        "dialect",
        "dialect_name",
        "inference",
        "json_headers",
        "native_headers",
        "page",
        "request_id",
        "speakers",
        "speaks_lines",
        "turned_away",
        "ways",
    )

    def __init__(self, head: RequestHead, host_policy: HostPolicy, profiles: Profiles) -> None:
        self.request_id = _fit(head.headers.get(forwarded_headers.REQUEST_ID))
        """The caller's own, or empty."""
        self.caller = caller_of(head.headers)
        verdict = host_policy.check(head.method, head.headers)
        self.turned_away = verdict if isinstance(verdict, Answer) else None
        """The finished answer, where the host policy does not let the request in."""
        self.cors: Mapping[str, str] = {} if isinstance(verdict, Answer) else verdict
        """What a browser must read in the answer."""
        self.call = call = _call(head)
        self.inference: Call | None = None
        """The call, if it is let in and for an engine."""
        self.page = False
        """Whether one of the gateway's own pages is asked for: for the gateway to say, which has them."""
        self.ways: Mapping[str, Way] = {}
        """How each engine serves the call, by the engine's name."""
        self.speakers = _NOBODY
        """The engines that have the call."""
        self.dialect: Dialect
        if isinstance(call, Call):
            self.dialect = call.dialect
            self.ways = {engine.name: engine.way(call) for engine in profiles}
            self.speakers = frozenset(name for name, way in self.ways.items() if not isinstance(way, Unserved))
            if call.kind is Kind.INFERENCE and self.turned_away is None:
                self.inference = call
        else:
            self.dialect = calls.dialect_of(head.path)
        self.dialect_name: str = self.dialect.value
        self.speaks_lines = self.dialect is Dialect.OLLAMA
        """Whether the caller's streams are lines, as Ollama's are, and not events."""
        self.content_type = head.headers.get("Content-Type", "")
        """Of the body, as the caller says."""
        self.native_headers = _for_engine(head, json=False)
        """The header lines that an engine gets with the caller's own body, but for the request's id."""
        self.json_headers = _for_engine(head, json=True)
        """The same with a body of ours."""


def _for_engine(head: RequestHead, *, json: bool) -> bytes:
    return headers.lines(forwarded_headers.to_engine(head.headers.items(), json=json))


def _call(head: RequestHead) -> Call | Refusal:
    call = calls.resolve(head.method, head.path)
    if isinstance(call, Refusal) or call.kind is not Kind.CATALOG or call.dialect is not Dialect.OPENAI:
        return call
    return dataclasses.replace(call, dialect=Dialect.ANTHROPIC) if calls.ANTHROPIC_HEADER in head.headers else call


def _fit(given: str | None) -> str:
    """The caller's id when it is fit for a header and a log."""
    return given if given and len(given) <= _LONGEST_ID and given.isascii() and given.isprintable() else ""
