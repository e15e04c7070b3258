"""Conversations from Ollama's shape to vLLM's.

The two differ in images (bare base64 beside the text, or parts of the content), in tool calls (arguments as an
object, or as a JSON text), and in how a tool's answer names the call it belongs to (by the tool's name, or by the
call's id).
"""

from collections.abc import Sequence

import msgspec

from .images import data_uri
from .incoming import Message, ToolCall


def conversation(messages: Sequence[Message]) -> list[dict[str, object]]:
    """The same conversation for vLLM. Raises BadRequestError for an image that is none."""
    open_calls: list[tuple[str, str]] = []
    out: list[dict[str, object]] = []
    for turn, message in enumerate(messages):
        one: dict[str, object] = {"role": message.role or "", "content": content(message.content or "", message.images)}
        if message.thinking:
            one["reasoning_content"] = message.thinking
        if message.tool_calls:
            calls = [_call(call, f"call_{turn}_{index}") for index, call in enumerate(message.tool_calls)]
            open_calls = [(identity, name) for identity, name, _ in calls]
            one["tool_calls"] = [wire for _, _, wire in calls]
        if message.role == "tool":
            one["tool_call_id"] = _answered(message, open_calls)
            if message.tool_name:
                one["name"] = message.tool_name
        out.append(one)
    return out


def content(text: str, images: Sequence[str] | None) -> str | list[dict[str, object]]:
    """The text alone, or with its images as parts."""
    if not images:
        return text
    parts: list[dict[str, object]] = [{"type": "text", "text": text}] if text else []
    parts.extend({"type": "image_url", "image_url": {"url": data_uri(image)}} for image in images)
    return parts


def _call(call: ToolCall, spare: str) -> tuple[str, str, dict[str, object]]:
    identity = call.id or spare
    name = (call.function.name if call.function else None) or ""
    arguments = bytes(call.function.arguments) if call.function else b"{}"
    text = msgspec.json.decode(arguments, type=str) if arguments.startswith(b'"') else arguments.decode()
    return identity, name, {"id": identity, "type": "function", "function": {"name": name, "arguments": text}}


def _answered(message: Message, open_calls: list[tuple[str, str]]) -> str:
    """The id of the call that is answered: as said, else the first open call of that tool, else the first open."""
    if message.tool_call_id:
        open_calls[:] = [call for call in open_calls if call[0] != message.tool_call_id]
        return message.tool_call_id
    for place, (_, name) in enumerate(open_calls):
        if not message.tool_name or name == message.tool_name:
            return open_calls.pop(place)[0]
    return open_calls.pop(0)[0] if open_calls else "call_unknown"
