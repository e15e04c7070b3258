"""A conversation as the model reads it, and what Ollama leaves out of one that its context does not hold.

Pure. From the front, message by message, until the rest fits: system messages stay, the answers of tools never without
the message that called them, and the last message always.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ... import text

Message = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """What was said so far."""

    messages: Sequence[Message]
    tools: Sequence[Any] = ()
    system: str = ""
    """The model's own."""

    def prompt(self, context: int) -> list[str]:
        """Return the tokens of as much of it as fits, or of what must stay if that is more."""
        tokens: list[str] = []
        for messages in self._shorter():
            tokens = text.split(render(messages, self.tools, system=self.system))
            if len(tokens) <= context:
                break
        return tokens

    def _shorter(self) -> Iterator[Sequence[Message]]:
        """Yield the whole of it, then ever less."""
        for place in range(len(self.messages)):
            begin = self._block(place)
            said = [one for one in self.messages[:begin] if one.get("role") == "system"]
            yield [*said, *self.messages[begin:]]

    def _block(self, place: int) -> int:
        """Return where the message begins with which the one at this place must stay."""
        first = place
        while first and self.messages[first].get("role") == "tool":
            first -= 1
        return first if first == place or self.messages[first].get("tool_calls") else place


def render(messages: Sequence[Message], tools: Sequence[Any] = (), system: str = "") -> str:
    """Write a conversation as the model reads it."""
    said = [*([{"role": "system", "content": system}] if system else []), *messages]
    lines = [f"<|im_start|>{one.get('role')}\n{written(one.get('content'))}<|im_end|>\n" for one in said]
    if tools:
        lines.insert(0, f"<|im_start|>system\n# Tools\n{json.dumps(list(tools))}<|im_end|>\n")
    return "".join([*lines, "<|im_start|>assistant\n"])


def written(content: Any) -> str:
    """Return what a message's content says, parts joined."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(
            str(part.get("text") or part.get("content") or "") for part in content if isinstance(part, dict)
        )
    return ""
