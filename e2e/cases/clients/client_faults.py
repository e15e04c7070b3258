"""Calls that fail by the client's own doing: what it sends, and why no gateway can answer it as it should.

A test of such a call must fail; when a newer version of the client does better, its line here goes.
"""

from typing import Final

_NO_CLOSE: Final = (
    "its stream cannot be closed, and when it is dropped its HTTP client keeps the answer and the connection"
)
_NO_SIGNATURE: Final = (
    "it asks /v1/messages of Ollama, whose thinking blocks have no `signature`, and refuses an answer without one"
)

FAULTS: Final[dict[tuple[str, str, str], str]] = {
    ("ai, ai-sdk-ollama", "leaving", "*"): (
        "it hands its signal to Ollama's client, whose chat takes none: the request goes on, and its connection stays"
    ),
    ("ai, anthropic", "tools", "ollama"): _NO_SIGNATURE,
    ("ai, anthropic", "thinking", "ollama"): _NO_SIGNATURE,
    ("litellm, ollama_chat", "tools", "ollama"): (
        "it sends nothing in the second turn: of a call that the model has thought about it keeps a message without "
        "`content`, and looks for that before it asks"
    ),
    ("litellm, ollama", "tools", "*"): (
        "it sends no tools but /api/generate with their description in the prompt and `format: json`, and takes for a "
        "call whatever object comes back with a name and arguments"
    ),
    ("litellm, ollama", "thinking", "*"): (
        "it sends `think: true` to /api/generate, and reads no `thinking` of the answer, only tags in its text"
    ),
    ("litellm, openai", "leaving", "*"): _NO_CLOSE,
    ("litellm, anthropic", "leaving", "*"): _NO_CLOSE,
    ("haystack, openai", "thinking", "*"): (
        "it sends `reasoning_effort`, and reads no `reasoning` of the message that comes back"
    ),
}
"""By client, call and engine (`*`: of both): what the client sends."""


def fault(client: str, call: str, engine: str) -> str:
    """What the client does wrong in this call; nothing when it does not."""
    return FAULTS.get((client, call, engine)) or FAULTS.get((client, call, "*"), "")
