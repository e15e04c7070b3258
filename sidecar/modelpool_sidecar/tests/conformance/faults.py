"""Everything that can go wrong between a caller and an engine, and what the caller sees. The documentation reads this.

What the gateway itself refuses is a table of its own, `protocols.errors`.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final

from modelpool_sidecar.dialects.dialect import Dialect

OLLAMA, OPENAI, ANTHROPIC = Dialect.OLLAMA, Dialect.OPENAI, Dialect.ANTHROPIC


class Death(Enum):
    """Ways in which an engine gives no whole answer."""

    SILENT = "closes the connection before the first byte"
    MIDWAY = "closes the connection in the middle of its answer"
    TOLD = "ends its stream with an error event"
    ABORTED = "stops the answer with `finish_reason: abort`, as on SIGTERM"
    ENDLESS = "ends its stream properly but without its last event"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One failure of the only engine that serves a model."""

    engine: int | Death
    """The status it answers with, or how it dies."""
    body: bytes = b""
    begun: bool = False
    """Whether the caller has seen a part of its stream."""
    stream: bool | None = None
    """Whether the caller asked for a stream; None: it does not matter."""
    status: tuple[int, int, int]
    """What an Ollama, an OpenAI and an Anthropic caller get."""
    text: str = ""
    """In the message of Ollama's dialect; the others get the engine's own words where it had some."""
    untouched: bool = False
    """The other dialects get the engine's body as it is."""
    retry_after: bool = False

    @property
    def id(self) -> str:
        """The test's parameter."""
        what = str(self.engine) if isinstance(self.engine, int) else self.engine.name.lower()
        return f"{what}{' begun' if self.begun else ''}{'' if self.stream is None else f' stream={self.stream}'}"


def _body(message: str, code: int) -> bytes:
    return f'{{"error":{{"message":"{message}","type":"x","param":null,"code":{code}}}}}'.encode()


FAULTS: Final = (
    Fault(engine=400, body=_body("too long", 400), status=(400, 400, 400), text="too long", untouched=True),
    Fault(
        engine=401,
        body=b'{"error":"Unauthorized"}',
        status=(502, 502, 502),
        text="the engine refused the gateway's credentials",
    ),
    Fault(engine=404, body=_body("no", 404), status=(404, 404, 404), text="model 'qwen3:8b' not found", untouched=True),
    Fault(engine=422, body=_body("odd", 422), status=(422, 422, 422), text="odd", untouched=True),
    Fault(engine=429, body=_body("slow", 429), status=(429, 429, 429), text="slow", untouched=True, retry_after=True),
    Fault(
        engine=500,
        body=_body("boom", 500),
        status=(500, 500, 500),
        text="an error was encountered while running the model: boom",
        untouched=True,
    ),
    Fault(
        engine=503,
        body=_body("full", 503),
        status=(503, 503, 503),
        text="server busy, please try again.  maximum pending requests exceeded",
        untouched=True,
        retry_after=True,
    ),
    Fault(engine=Death.SILENT, status=(503, 503, 503), text="is not ready", retry_after=True),
    Fault(engine=Death.MIDWAY, stream=False, status=(503, 503, 503), text="is not ready", retry_after=True),
    Fault(engine=Death.MIDWAY, begun=True, stream=True, status=(200, 200, 200), text="unexpected EOF"),
    Fault(engine=Death.ENDLESS, begun=True, stream=True, status=(200, 200, 200), text="unexpected EOF"),
    Fault(engine=Death.TOLD, begun=True, stream=True, status=(200, 200, 200), text="EngineCore"),
    Fault(engine=Death.TOLD, stream=True, status=(500, 500, 500), text="EngineCore"),
    Fault(engine=Death.ABORTED, stream=False, status=(500, 500, 500), text="ended the answer early"),
)
