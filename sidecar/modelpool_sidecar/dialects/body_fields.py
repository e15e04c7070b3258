"""What is read of a request's body to route it, as the decoder takes it. By itself: who uses it is compiled.

What is not asked for stays raw. None of it can be part of a cycle, so the collector need not look at it.
"""

from typing import Final

import msgspec

NOTHING: Final = msgspec.Raw(b"")
"""Stands for what is absent, and for nothing else; looking at its bytes would take longer than to read them."""


class Fields(msgspec.Struct, gc=False):
    """What every body may hold."""

    model: str | None = None
    name: str | None = None
    stream: bool | None = None
    prompt: msgspec.Raw = NOTHING
    input: msgspec.Raw = NOTHING
    images: msgspec.Raw = NOTHING
    tools: msgspec.Raw = NOTHING
    think: msgspec.Raw = NOTHING
    thinking: msgspec.Raw = NOTHING
    reasoning_effort: msgspec.Raw = NOTHING
    keep_alive: msgspec.Raw = NOTHING


class Message(msgspec.Struct, gc=False):
    """One message of a conversation."""

    content: msgspec.Raw = NOTHING
    images: msgspec.Raw = NOTHING


class Body(Fields, gc=False):
    """A body of which nothing is known."""

    messages: msgspec.Raw = NOTHING


class Chat(Fields, gc=False):
    """A body whose messages are read in the same pass: a long conversation is gone through once."""

    messages: list[Message] = []


class Part(msgspec.Struct, gc=False):
    """One part of a message's content. Of any shape, so that one that is wrong hides no other."""

    type: str | int | float | bool | list[msgspec.Raw] | dict[str, msgspec.Raw] | None = ""


Parts = list[Part | str | int | float | bool | list[msgspec.Raw] | None]
"""The content of a message that is no text."""


class Prefix(msgspec.Struct, gc=False):
    """What a prompt may stand in."""

    messages: msgspec.Raw = NOTHING
    prompt: msgspec.Raw = NOTHING
    input: msgspec.Raw = NOTHING
