"""What people ask of a published model: texts of every kind, conversations, options at their limits, vectors."""

from typing import Any, Final

from . import real_scene
from .answers import Call

_MODEL: Final = real_scene.CHAT
_EMBED: Final = real_scene.EMBED
_STORY: Final = "Write a long story about a river that carries boats to the sea."
_KNOWN: Final = "What is the capital of France?"
"""Answered with "The capital of France is Paris." where nothing is left to chance."""
_FIXED: Final = {"temperature": 0}
TEXTS: Final = {
    "Latin": "Über die Brücke führt ein Weg, naïve façade, señor, Łódź, İstanbul.",
    "Greek and Cyrillic": "Ο ποταμός κυλά. Река течёт мимо старой мельницы.",
    "Chinese and Japanese": "河流带着船驶向大海。川は海へ流れる。カタカナもある。",
    "right to left": "النهر يجري إلى البحر. הנהר זורם אל הים.",
    "Indic and Thai": "नदी समुद्र की ओर बहती है। แม่น้ำไหลลงสู่ทะเล",
    "emoji": "Waves 🌊🌊 and a family 👨‍👩‍👧‍👦, flags 🇩🇪🇯🇵, skin 👍🏽.",
    "combining and invisible": "é is e\u0301, zero\u200bwidth, no\u00a0break, soft\u00adhyphen, \ufeffmark.",
    "numbers": "0 7 42 1234567890 3.14159 1e-9 0x7F 2026-11-30T21:00:00Z",
    "code": "def f(x):\n\treturn {'a': [x, -x]}  # <b>not HTML</b> & \"quoted\" \\ back",
    "control tokens": "The template says <|im_start|> and <|im_end|> and </s>.",
    "white space": "  two  spaces\n\n\n\ttab  \r\nand the end   ",
}


def _chat(name: str, messages: Any, **more: Any) -> list[Call]:
    said = [{"role": "user", "content": messages}] if isinstance(messages, str) else messages
    body = {"model": _MODEL, "messages": said, **more}
    return [
        Call(name=f"chat: {name}, stream", path="/api/chat", body={**body, "stream": True}),
        Call(name=f"chat: {name}", path="/api/chat", body={**body, "stream": False}),
    ]


def _generate(name: str, prompt: str, **more: Any) -> list[Call]:
    body = {"model": _MODEL, "prompt": prompt, **more}
    return [
        Call(name=f"generate: {name}, stream", path="/api/generate", body={**body, "stream": True}),
        Call(name=f"generate: {name}", path="/api/generate", body={**body, "stream": False}),
    ]


def _short(**options: Any) -> dict[str, Any]:
    return {**_FIXED, "num_predict": 8, **options}


def texts() -> list[Call]:
    """Chats and completions: lengths, stops, seeds, templates, and texts of many scripts."""
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}
    system = [{"role": "system", "content": "Answer like a pirate."}, {"role": "user", "content": "Who are you?"}]
    found = [
        *_chat("its own end", _KNOWN, options=_FIXED),
        *_chat("length", _STORY, options=_short()),
        *_chat("one token", _STORY, options=_short(num_predict=1)),
        *_chat("system", system, options=_short()),
        *_chat("turns", turns(6), options=_short()),
        *_chat("stop", _KNOWN, options={**_FIXED, "num_predict": 60, "stop": ["Paris"]}),
        *_chat("many stops", _KNOWN, options={**_FIXED, "num_predict": 60, "stop": [*_UNSEEN[:9], "Paris"]}),
        *_chat("seed", _STORY, options=_short(temperature=0.8, seed=42)),
        *_chat("tools that the template lacks", "Weather in Paris?", tools=[tool], options=_short()),
        *_chat("think", "Hello", think=True, options=_short()),
        *_generate("its own end", _KNOWN, options=_FIXED),
        *_generate("length", _STORY, options=_short()),
        *_generate("system", "Who are you?", system="Answer like a pirate.", options=_short()),
        *_generate("raw", "The river flows", raw=True, options=_short()),
    ]
    for name, text in TEXTS.items():
        found += _chat(f"{name} text", text, options=_short())[1:]
        found += _generate(f"{name} text, raw", text, raw=True, options=_short())[1:]
    return found


_UNSEEN: Final = [f"never {number}" for number in range(20)]


def turns(count: int, words: int = 40) -> list[dict[str, str]]:
    """A conversation of so many turns, the last being the user's; each is `words` words long, no two are the same."""
    who = ("user", "assistant")
    said = []
    for number in range(count):
        text = " ".join(f"word{number}x{place}" if place % 8 == 0 else "river" for place in range(words))
        said.append({"role": who[number % 2], "content": f"Turn {number}: {text}."})
    return said if count % 2 else [*said, {"role": "user", "content": "And what was the last word?"}]


def conversations() -> list[Call]:
    """Conversations that outgrow the context, and single texts that do."""
    system = [{"role": "system", "content": "Answer in one word."}]
    long = "river " * 1500
    return [
        *_chat("forty turns", turns(40), options=_short()),
        *_chat("forty turns with a system message", [*system, *turns(40)], options=_short()),
        *_chat("forty turns, room for an answer asked", turns(40), options=_short(num_predict=200, stop=["e"])),
        *_chat("forty turns, not cut", turns(40), truncate=False, options=_short()),
        *_chat("one turn too long", long, options=_short()),
        *_chat("one turn too long, not cut", long, truncate=False, options=_short()),
        *_generate("too long", long, options=_short()),
        *_generate("too long, not cut", long, truncate=False, options=_short()),
        *_chat("more asked than there is room", _KNOWN,
               options={**_FIXED, "num_predict": 4000}),
    ]  # fmt: skip


_LIMITS: Final[dict[str, tuple[Any, ...]]] = {
    "temperature": (-1, 0, 2, 2.1, 100, "0.5", "hot", None, True),
    "top_k": (-1, 0, 1, 49152, 100000, 1.5, "40"),
    "top_p": (-0.1, 0, 1, 1.1),
    "min_p": (-0.1, 0, 1, 1.5),
    "repeat_penalty": (-1, 0, 0.5, 2, 2.5),
    "presence_penalty": (-3, -2, 0, 2, 3),
    "frequency_penalty": (-3, -2, 0, 2, 3),
    "seed": (-1, 0, 2**31, 2**53, 2**63 - 1, 2**63, 2**64, -(2**63), 1.5),
    "num_predict": (0, 1, 4000, "5"),
    "repeat_last_n": (-1, 0, 64, 100000),
    "stop": ([], [""], _UNSEEN[:1], _UNSEEN[:4], _UNSEEN[:5], _UNSEEN, "x", [3]),
    "mirostat": (0, 2),
    "nobody knows it": (1,),
}
_FORMATS: Final[dict[str, Any]] = {
    "empty": "", "null": None, "xml": "xml", "an empty schema": {}, "a type that is none": {"type": "nonsense"},
    "a reference that leads nowhere": {"$ref": "#/$defs/missing"}, "an enum without a value": {"enum": []},
    "a list": [1], "a number": 3,
}  # fmt: skip


def options() -> list[Call]:
    """Each option below, at and beyond every limit that one of the engines has, and formats that are none."""
    said = [{"role": "user", "content": _KNOWN}]
    body = {"model": _MODEL, "messages": said, "stream": False}
    found = [
        Call(name=f"option: {name}={_named(value)}", path="/api/chat",
             body={**body, "options": {"num_predict": 2, name: value}})
        for name, values in _LIMITS.items() for value in values
    ]  # fmt: skip
    found += [
        Call(name=f"format: {name}", path="/api/chat", body={**body, "format": value, "options": {"num_predict": 2}})
        for name, value in _FORMATS.items()
    ]
    return found


def _named(value: Any) -> str:
    return f"{len(value)} strings" if isinstance(value, list) and len(value) > 1 else repr(value)


def embeddings() -> list[Call]:
    """Vectors: of one text and many, of every script, too long, cut and not, of widths at and beyond the model's."""

    def embed(name: str, **body: Any) -> Call:
        return Call(name=f"embed: {name}", path="/api/embed", body={"model": _EMBED, **body})

    long = "river " * 400
    return [
        embed("one", input="The river flows."),
        embed("many", input=[*TEXTS.values()]),
        embed("empty", input=""),
        embed("none", input=[]),
        embed("too long, cut", input=long),
        embed("too long, not cut", input=long, truncate=False),
        embed("too long among others", input=["short", long]),
        embed("its own width", input="The river flows.", dimensions=384),
        embed("narrower", input="The river flows.", dimensions=64),
        embed("wider", input="The river flows.", dimensions=385),
        embed("a smaller context", input=long, options={"num_ctx": 64}),
        embed("a smaller context, not cut", input=long, truncate=False, options={"num_ctx": 64}),
        Call(
            name="embed: the older call", path="/api/embeddings", body={"model": _EMBED, "prompt": "The river flows."}
        ),
    ]
