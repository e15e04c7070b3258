"""The gateway as users run it, a process with its own runner, and ways to see what it and its engines are doing."""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp

MODEL = "qwen3:8b"
DEADLINE = 30.0
RUNNING = "vllm:num_requests_running"
WAITING = "vllm:num_requests_waiting"
QUEUED = "modelpool_gateway_queue_depth"


def routes(url: str, *, room: int = 8, abilities: tuple[str, ...] = ("completion", "vision")) -> dict[str, Any]:
    """One model, at one vLLM."""
    backend = {"engine": "vllm", "url": url, "model": MODEL, "maxConcurrency": room}
    model = {"name": MODEL, "aliases": ["alias"], "capabilities": list(abilities), "backends": [backend]}
    return {"version": 1, "pool": {"namespace": "llm", "name": "agentic"}, "models": [model]}


def said(text: str, **more: Any) -> dict[str, Any]:
    """A chat in Ollama's and OpenAI's dialect at once."""
    return {"model": MODEL, "messages": [{"role": "user", "content": text}], **more}


async def metric(session: aiohttp.ClientSession, url: str, *names: str) -> float:
    """The sum of a server's metrics of these names."""
    async with session.get(url + "/metrics") as response:
        text = await response.text()
    found = [re.findall(rf"(?m)^{re.escape(name)}(?:{{[^}}]*}})? (\S+)$", text) for name in names]
    return sum(float(value) for values in found for value in values)


async def until(ask: Callable[[], Awaitable[float]], want: float) -> float:
    """Ask until the answer is as wanted; the seconds it took."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    while (seen := await ask()) != want:
        assert loop.time() - began < DEADLINE, f"waited {DEADLINE} s for {want}, saw {seen}"
        await asyncio.sleep(0.002)
    return loop.time() - began


class Caller:
    """A caller on a bare socket, who can leave at any moment."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self._writer = writer

    @classmethod
    async def comes(cls, url: str, path: str, body: object) -> "Caller":
        """Connect and send a request."""
        host, _, port = url.removeprefix("http://").partition(":")
        made = cls(*await asyncio.open_connection(host, int(port)))
        data = json.dumps(body).encode()
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        made._writer.write(f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data)
        return made

    async def sees(self, text: bytes) -> None:
        """Read until this has come."""
        async with asyncio.timeout(DEADLINE):
            await self.reader.readuntil(text)

    def leaves(self) -> None:
        """Close the connection without a word."""
        self._writer.transport.abort()


def resident_bytes(process: int) -> int:
    """The memory that a process holds now."""
    text = Path(f"/proc/{process}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+) kB", text)
    assert found is not None, text
    return int(found[1]) * 1024
