"""A whole gateway in this process, on real sockets, with the engines that a test names."""

import asyncio
import io
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from modelpool_sidecar import app
from modelpool_sidecar.engines.registry import PROFILES, Profiles
from modelpool_sidecar.settings import Listen, Settings
from modelpool_sidecar.telemetry.access_log import AccessLog
from modelpool_sidecar.telemetry.access_record import AccessRecord

DEADLINE = 20.0
"""Seconds a condition may take on a busy machine."""
CHAT = {"model": "qwen3:8b", "messages": [{"role": "user", "content": "hi"}]}


async def until(condition: Callable[[], object], *, seen: Callable[[], object], deadline: float = DEADLINE) -> float:
    """Wait for a condition; the seconds it took. On failure the message holds what was seen."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    while not condition():
        assert loop.time() - began < deadline, f"after {deadline} s: {seen()}"
        await asyncio.sleep(0.005)
    return loop.time() - began


class Records:
    """An access log, read back as soon as somebody looks at it."""

    def __init__(self) -> None:
        self._text = io.StringIO()
        self.access = AccessLog(self._text, json=True)

    @property
    def lines(self) -> list[AccessRecord]:
        """All lines so far."""
        self.access.flush()
        return msgspec.json.Decoder(AccessRecord).decode_lines(self._text.getvalue())


@dataclass
class Scene:
    """A running gateway and a client for it."""

    running: app.Running
    session: aiohttp.ClientSession
    routes: Path
    log: Records = field(default_factory=Records)

    @property
    def url(self) -> str:
        host, port = self.running.listening[0]
        return f"http://{host}:{port}"

    def post(self, path: str, body: object, **fields: Any) -> Any:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"Content-Type": "application/json", **fields.pop("headers", {})}
        return self.session.post(self.url + path, data=io.BytesIO(data), headers=headers, **fields)

    def get(self, path: str, **fields: Any) -> Any:
        return self.session.get(self.url + path, **fields)

    def ready(self, model: str = "qwen3:8b") -> list[bool]:
        found = self.running.directory.table.find(model)
        return [] if found is None else [backend.ready for backend in found.backends]

    async def until_ready(self, *want: bool, model: str = "qwen3:8b") -> float:
        return await until(lambda: self.ready(model) == list(want), seen=lambda: self.ready(model))

    async def until_idle(self) -> float:
        in_flight = self.running.admission.in_flight
        return await until(lambda: in_flight.running == 0 and not in_flight.queues, seen=lambda: in_flight.running)


def backend(engine: str, url: str, *, model: str = "qwen3:8b", room: int = 8, **more: object) -> dict[str, object]:
    return {"engine": engine, "url": url, "model": model, "maxConcurrency": room, **more}


def document(*backends: dict[str, object], name: str = "qwen3:8b", **more: Any) -> dict[str, Any]:
    queue = {"maxPending": more.pop("pending", 8), "timeoutSeconds": more.pop("timeout", 10)}
    return {
        "version": 1,
        "pool": {"namespace": "llm", "name": "agentic", "created": "2026-11-22T10:00:00Z"},
        "queue": queue,
        "models": [{"name": name, "backends": list(backends), **more}],
    }


def put(path: Path, routes: object) -> None:
    """Replace a file as a careful writer does."""
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(routes))
    fresh.rename(path)


@asynccontextmanager
async def scene(
    folder: Path, routes: dict[str, Any] | list[Any], *, profiles: Profiles = PROFILES, **settings: Any
) -> AsyncIterator[Scene]:
    """A gateway that has read the routes; readiness is for the test to await."""
    path = folder / "routes.json"
    put(path, routes)
    log = Records()
    chosen = {"listen": (Listen("127.0.0.1", 0),), "shutdown_timeout": 10.0, "connect_timeout": 5.0, **settings}
    async with (
        app.gateway(Settings(routes_file=path, **chosen), log.access, profiles=profiles) as running,
        aiohttp.ClientSession(auto_decompress=False) as session,
    ):
        made = Scene(running=running, session=session, routes=path, log=log)
        await until(lambda: running.directory.loaded, seen=lambda: path.read_text())
        yield made
        await made.until_idle()
