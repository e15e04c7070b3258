"""How Ollama says that it holds no such model, in the words of each API that it has."""

from typing import Final

import msgspec


class _Inner(msgspec.Struct):
    message: str = ""


class _Body(msgspec.Struct):
    error: _Inner | str = ""


_DECODE: Final = msgspec.json.Decoder(_Body).decode


def says_unpulled(body: bytes) -> bool:
    """Whether the body of a 404 is that, and not that of a path, a blob or a proxy's page that was not found."""
    try:
        error = _DECODE(body).error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    message = error.message if isinstance(error, _Inner) else error
    return message.startswith("model ") and "not found" in message
