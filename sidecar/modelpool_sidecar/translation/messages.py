"""Conversations from Ollama's shape to vLLM's.

The two differ in images (bare base64 beside the text, or parts of the content), in tool calls (arguments as an
object, or as a JSON text), and in how a tool's answer names the call it belongs to (by the tool's name, or by the
call's id).
"""

from collections import deque
from collections.abc import Sequence

import msgspec

from .images import data_uri
from .ollama_requests import Message, ToolCall


class _Function(msgspec.Struct, gc=False):
    name: str
    arguments: str


class _Call(msgspec.Struct, gc=False, tag_field="type", tag="function"):
    """A tool call for vLLM. A structure, like a turn, because many take a quarter of the memory of dicts."""

    id: str
    function: _Function


class Turn(msgspec.Struct, gc=False, omit_defaults=True):
    """One turn for vLLM."""

    role: str
    content: str | list[dict[str, object]]
    reasoning_content: str = ""
    tool_calls: list[_Call] = []
    tool_call_id: str = ""
    name: str = ""


def conversation(messages: Sequence[Message]) -> list[Turn]:
    """The same conversation for vLLM. Raises BadRequestError for an image that is none."""
    open_calls = _OpenCalls([])
    out: list[Turn] = []
    for turn, message in enumerate(messages):
        one = Turn(message.role or "", content(message.content or "", message.images))
        one.reasoning_content = message.thinking or ""
        if message.tool_calls:
            one.tool_calls = [_call(call, f"call_{turn}_{index}") for index, call in enumerate(message.tool_calls)]
            open_calls = _OpenCalls(one.tool_calls)
        if message.role == "tool":
            one.tool_call_id = open_calls.answered(message)
            one.name = message.tool_name or ""
        out.append(one)
    return out


def content(text: str, images: Sequence[str] | None) -> str | list[dict[str, object]]:
    """The text alone, or with its images as parts."""
    if not images:
        return text
    parts: list[dict[str, object]] = [{"type": "text", "text": text}] if text else []
    parts.extend({"type": "image_url", "image_url": {"url": data_uri(image)}} for image in images)
    return parts


def _call(call: ToolCall, spare: str) -> _Call:
    function = call.function
    if function is None:
        return _Call(call.id or spare, _Function("", "{}"))
    arguments = bytes(function.arguments)
    text = msgspec.json.decode(arguments, type=str) if arguments.startswith(b'"') else arguments.decode()
    return _Call(call.id or spare, _Function(function.name or "", text))


class _OpenCalls:
    """The calls of one turn that no tool has answered yet."""

    def __init__(self, calls: Sequence[_Call]) -> None:
        self._calls = calls
        self._names: dict[str, deque[int]] | None = None
        self._ids: dict[str, list[int]] = {}
        self._closed = bytearray(len(calls))
        self._first = 0

    def answered(self, message: Message) -> str:
        """The id of the call that is answered: as said, else the first open one of that tool, else the first open."""
        if self._names is None:
            self._names = {}
            for place, call in enumerate(self._calls):
                self._names.setdefault(call.function.name, deque()).append(place)
                self._ids.setdefault(call.id, []).append(place)
        if message.tool_call_id:
            for answered in self._ids.pop(message.tool_call_id, ()):
                self._closed[answered] = True
            return message.tool_call_id
        named = self._next(self._names.get(message.tool_name, deque())) if message.tool_name else None
        if named is None:
            self._first = self._closed.find(0, self._first)
            if self._first < 0:
                self._first = len(self._closed)
                return "call_unknown"
            named = self._first
        self._closed[named] = True
        return self._calls[named].id

    def _next(self, places: deque[int]) -> int | None:
        while places:
            place = places.popleft()
            if not self._closed[place]:
                return place
        return None
