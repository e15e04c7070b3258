"""The clients that run as programs of their own: their table, their starting, and what each of their answers must hold.

Each program is started once for all calls and speaks JSON by lines, so that its imports are paid once.
"""

import json
import os
import select
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import client_environments as environments
from clients_pool import ALL_NAMES, ANSWER_SCHEMA, ASK, ASK_FOR_TOOL, WEATHER_TOOL, png_base64

SAID: Final = {
    "ask": ASK, "ask_for_tool": ASK_FOR_TOOL, "tool": WEATHER_TOOL, "result": "22 degrees",
    "schema": ANSWER_SCHEMA, "png": png_base64(),
}  # fmt: skip
EVERY: Final = ("chat", "stream", "tools", "structured", "embeddings", "image", "thinking", "leaving")
_START: Final = 200.0
"""Seconds until a program is ready: its imports take a core five, and a busy machine has many who want one."""
_DEADLINE: Final = 60.0
"""Seconds for one call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """One client, by one of its ways to the gateway."""

    name: str
    kind: str
    """javascript, or the name of its environment."""
    program: str
    """Clients with the same program share its process."""
    way: str = ""
    calls: tuple[str, ...]


def _but(*left_out: str) -> tuple[str, ...]:
    return tuple(call for call in EVERY if call not in left_out)


def _javascript(name: str, program: str, *calls: str) -> Client:
    return Client(name=name, kind="javascript", program=program, calls=calls)


def _python(name: str, way: str, *left_out: str, kind: str = "frameworks") -> Client:
    """By one of its ways, with every call but some."""
    told = f"{name}, {way}" if way else name
    return Client(name=told, kind=kind, program=f"asked_{name.replace('-', '_')}", way=way, calls=_but(*left_out))


CLIENTS: Final = (
    _javascript("ollama (npm)", "ollama", *EVERY, "listing"),
    _javascript("openai (npm)", "openai", *EVERY, "listing", "responses"),
    _javascript("@anthropic-ai/sdk", "anthropic", *_but("structured", "embeddings"), "listing"),
    _javascript("ai, openai-compatible", "ai-openai-compatible", *EVERY),
    _javascript("ai, openai", "ai-openai", *_but("thinking"), "responses"),
    _javascript("ai, anthropic", "ai-anthropic", *_but("embeddings")),
    _javascript("ai, ai-sdk-ollama", "ai-ollama", *EVERY),
    _javascript("ai, ollama-ai-provider-v2", "ai-ollama-v2", *EVERY),
    _python("litellm", "ollama_chat", kind="litellm"),
    _python("litellm", "ollama", kind="litellm"),
    _python("litellm", "openai", kind="litellm"),
    _python("litellm", "anthropic", "embeddings", kind="litellm"),
    _python("pydantic-ai", "ollama", "embeddings"),
    _python("pydantic-ai", "openai"),
    _python("pydantic-ai", "anthropic", "embeddings"),
    _python("haystack", "ollama"),
    _python("haystack", "openai"),
    _python("haystack", "anthropic", "structured", "embeddings"),
    _python("instructor", "tools", *_but("structured"), kind="instructor"),
    _python("instructor", "json_schema", *_but("structured"), kind="instructor"),
    _python("smolagents", "", "embeddings", "thinking"),
)  # fmt: skip


class ClientError(Exception):
    """What a client raised; the message is its own."""


class Asked:
    """A client that runs."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process
        self._read = b""
        self._line(_START)

    def call(self, way: str, name: str, url: str, models: dict[str, str]) -> Any:
        """What the client makes of a call. Raises ClientError, and TimeoutError when it does not come back."""
        assert self._process.stdin is not None
        line = json.dumps({"way": way, "call": name, "url": url, "models": models, "said": SAID})
        self._process.stdin.write(line.encode() + b"\n")
        self._process.stdin.flush()
        answer = json.loads(self._line(_DEADLINE))
        if "error" in answer:
            raise ClientError(f"{answer['error']}\n{answer.get('stack', '')}")
        return answer["value"]

    def _line(self, deadline: float) -> bytes:
        assert self._process.stdout is not None
        ends = time.monotonic() + deadline
        while b"\n" not in self._read:
            left = ends - time.monotonic()
            if left <= 0 or not select.select([self._process.stdout], [], [], left)[0]:
                raise TimeoutError(f"no answer of the client within {deadline:.0f} s")
            more = os.read(self._process.stdout.fileno(), 65536)
            if not more:
                raise ClientError(f"the client's program ended with {self._process.wait()}")
            self._read += more
        line, _, self._read = self._read.partition(b"\n")
        return line


@contextmanager
def running(client: Client) -> Iterator[Asked]:
    """Start a client's program; it ends on the way out, and with its input when this process goes."""
    command: list[str] = []
    if client.kind == "javascript":
        folder = environments.place_programs()
        command = [str(environments.node()), "asked.mjs", client.program]
    else:
        folder = environments.PYTHON
        command = [str(environments.python(client.kind) / "bin" / "python"), "-B", "asked.py", client.program]
    # Nothing but the test says where to ask: what a developer's shell has for these clients is not for them.
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OPENAI", "ANTHROPIC", "OLLAMA"))}
    quiet = {"HAYSTACK_TELEMETRY_ENABLED": "False", "LITELLM_LOCAL_MODEL_COST_MAP": "True", "DO_NOT_TRACK": "1"}
    keys = {"ANTHROPIC_API_KEY": "none", "OPENAI_API_KEY": "none"}
    with subprocess.Popen(
        command, cwd=folder, env={**kept, **quiet, **keys}, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        try:
            yield Asked(process)  # ready
        finally:
            process.kill()


def _said(value: Any) -> None:
    assert value["text"], value
    assert value["tokens"] > 0, value


def _pieces(value: Any) -> None:
    assert value["pieces"] > 1, value
    assert value["text"], value


def _tool(value: Any) -> None:
    assert value["name"] == "get_weather", value
    assert list(value["arguments"]) == ["city"], value
    assert isinstance(value["arguments"]["city"], str), value
    assert value["ended"] is True, value


def _object(value: Any) -> None:
    assert set(value) == {"ok", "word"}, value
    assert isinstance(value["ok"], bool), value


def _vectors(value: Any) -> None:
    assert len(value) == 2, value
    assert value[0] == value[1] > 0, value


def _text(value: Any) -> None:
    assert value["text"], value


def _thought(value: Any) -> None:
    assert value["thinking"], value
    assert value["text"], value
    assert "<think>" not in value["text"], value


def _names(value: Any) -> None:
    assert set(value) == ALL_NAMES, value


def _left(value: Any) -> None:
    assert 3 <= value["pieces"] < 50, value  # some clients hand out what had come before they left


HOLDS: Final[dict[str, Callable[[Any], None]]] = {
    "chat": _said, "responses": _said, "stream": _pieces, "tools": _tool, "structured": _object, "embeddings": _vectors,
    "image": _text, "thinking": _thought, "listing": _names, "leaving": _left,
}  # fmt: skip
