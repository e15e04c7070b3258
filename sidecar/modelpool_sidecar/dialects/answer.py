"""A complete HTTP answer as a value, for everything the gateway says itself."""

from dataclasses import dataclass
from typing import Final

OLLAMA_JSON: Final = "application/json; charset=utf-8"
OLLAMA_LINES: Final = "application/x-ndjson"
PLAIN_JSON: Final = "application/json"
EVENT_STREAM: Final = "text/event-stream; charset=utf-8"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Status, headers and body, ready to be sent."""

    status: int = 200
    body: bytes = b""
    content_type: str = OLLAMA_JSON
    headers: tuple[tuple[str, str], ...] = ()
    """Beyond Content-Type: Retry-After, Allow."""
