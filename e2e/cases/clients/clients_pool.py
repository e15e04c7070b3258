"""A gateway as a program, with simulated engines of both kinds behind it, for the clients that people use.

Every ability is there twice, once at vLLM (where Ollama's clients need a translation) and once at Ollama.
"""

import base64
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelpool_sidecar.tests.gateway import processes
from modelpool_sidecar.tests.gateway.processes import Program


@dataclass(frozen=True, slots=True, kw_only=True)
class Models:
    """The models of one engine, by what they can do."""

    engine: str
    thinks: str
    sees: str
    embeds: str
    endless: str
    """Answers slowly, and for longer than any test waits."""


VLLM = Models(engine="vllm", thinks="qwen3:8b", sees="gemma3:4b", embeds="bge-m3:vllm", endless="endless:vllm")
OLLAMA = Models(
    engine="ollama", thinks="cogito:8b", sees="llava:7b", embeds="nomic-embed-text:latest", endless="endless:ollama"
)
ALL_NAMES = {name for one in (VLLM, OLLAMA) for name in (one.thinks, one.sees, one.embeds, one.endless)}
_ENDLESS = {"SENTENCES": "400", "DECODE_TOKENS_PER_SECOND": "40"}

ASK = "Say something short."
WEATHER_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string", "description": "Name of a city"}},
    "required": ["city"],
}
WEATHER_TOOL: dict[str, Any] = {
    "type": "function",
    "function": {"name": "get_weather", "description": "Weather of a city", "parameters": WEATHER_SCHEMA},
}
ASK_FOR_TOOL = "Use get_weather for Paris"
ANSWER_SCHEMA: dict[str, Any] = {
    "title": "Answer",
    "description": "An answer",
    "type": "object",
    "properties": {"ok": {"type": "boolean"}, "word": {"type": "string"}},
    "required": ["ok", "word"],
    "additionalProperties": False,
}


def png() -> bytes:
    """One white pixel."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"\0\xff\xff\xff")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def png_base64() -> str:
    """The pixel as Ollama takes it."""
    return base64.b64encode(png()).decode()


def png_uri() -> str:
    """The pixel as OpenAI's API takes it."""
    return f"data:image/png;base64,{png_base64()}"


@contextmanager
def running(folder: Path) -> Iterator[Program]:
    """Start everything; the gateway, once all models are ready."""
    tools = ("--enable-auto-tool-choice", "--tool-call-parser", "hermes")
    with (
        processes.vllm(folder, VLLM.thinks, *tools, "--reasoning-parser", "qwen3", weights="Qwen/Qwen3-8B") as thinks,
        processes.vllm(folder, VLLM.sees, *tools, weights="google/gemma-3-4b-it") as sees,
        processes.vllm(folder, VLLM.embeds, "--runner", "pooling", weights="BAAI/bge-m3") as embeds,
        processes.vllm(
            folder, VLLM.endless, **{f"FAKE_VLLM_{name}": value for name, value in _ENDLESS.items()}
        ) as slow,
        processes.ollama(folder, OLLAMA.thinks, OLLAMA.sees, OLLAMA.embeds) as ollama,
        processes.ollama(
            folder, OLLAMA.endless, **{f"FAKE_OLLAMA_{name}": value for name, value in _ENDLESS.items()}
        ) as slow_ollama,
    ):
        rows = (
            (VLLM.thinks, "vllm", thinks.url, ["completion", "tools", "thinking"]),
            (VLLM.sees, "vllm", sees.url, ["completion", "tools", "vision"]),
            (VLLM.embeds, "vllm", embeds.url, ["embedding"]),
            (VLLM.endless, "vllm", slow.url, ["completion"]),
            (OLLAMA.endless, "ollama", slow_ollama.url, ["completion"]),
            (OLLAMA.thinks, "ollama", ollama.url, ["completion", "tools", "thinking"]),
            (OLLAMA.sees, "ollama", ollama.url, ["completion", "vision"]),
            (OLLAMA.embeds, "ollama", ollama.url, ["embedding"]),
        )
        models = [
            {
                "name": name,
                "capabilities": abilities,
                "contextLength": 8192,
                "backends": [{"engine": kind, "url": url, "model": name, "maxConcurrency": 4}],
            }
            for name, kind, url, abilities in rows
        ]
        routes = {"version": 1, "pool": {"namespace": "llm", "name": "agentic"}, "models": models}
        with processes.gateway(folder, routes) as gateway:
            yield gateway
