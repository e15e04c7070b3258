"""Where a conversation may begin, when its beginning must be left out.

As Ollama does it: the newest messages stay, with every system message, and the answer of a tool never without the
message that called it. Chat templates of models mostly want a user's turn first, so a conversation begins with one; at
another message only within the last turn, when that is too long by itself.
"""

from collections.abc import Sequence
from typing import Final

from .ollama_requests import Message

_TEMPLATE: Final = 16
"""Characters around a message."""


def beginnings(messages: Sequence[Message]) -> list[int]:
    """The places of messages at which it may begin, in their order. The first is 0, and leaves nothing out."""
    begins = [0]
    last_turn = max((place for place, message in enumerate(messages) if message.role == "user"), default=0)
    leading = next((place for place, message in enumerate(messages) if message.role != "system"), len(messages))
    called = False
    for place in range(leading, len(messages)):
        message = messages[place]
        answers = called and message.role == "tool"
        called = answers or bool(message.tool_calls)
        turn = message.role == "user" or (place > last_turn and message.role != "system" and not answers)
        if turn and place > leading:
            begins.append(place)
    return begins


def kept(messages: Sequence[Message], begin: int) -> list[int]:
    """The places of the messages that are left when it begins there: with the system messages before that."""
    systems = [place for place in range(begin) if messages[place].role == "system"]
    return [*systems, *range(begin, len(messages))]


def weight(message: Message) -> int:
    """About how long a message is: characters, with those that a template adds."""
    called = sum(len(bytes(call.function.arguments)) for call in message.tool_calls or () if call.function is not None)
    return len(message.content or "") + len(message.thinking or "") + called + _TEMPLATE
