"""What a case works with: the gateway's address, engines that do as they are told, and the routes file."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from .apiserver import ADDRESS, HOME, ApiServer
from .asking import chat, request
from .engine import Engine
from .gateway import Build, Gateway
from .wire import Caller, NotHeldError

_SLOTS: Final = {"vllm": 6, "ollama": 3}
_CROWD: Final = 350
_LONG_NAME: Final = 230
"""So many models with names so long make lists of some 250 KB."""
_READY_SECONDS: Final = 20.0
GREEDY: Final = "greedy"
"""A model of one engine that takes one request at a time; eight may wait."""
CROWD: Final = "crowd"


class World:
    """One gateway and all around it. `start` first, `stop` last. `api`: the routes are there, and in no file."""

    def __init__(self, build: Build, folder: Path, innocent_port: int, api: ApiServer | None = None) -> None:
        self.build = build
        self.folder = folder
        self.api = api
        self.host = "127.0.0.1" if api is None else ADDRESS
        """Where engines listen."""
        self.probed = ("vllm", "ollama") if api is None else ("ollama",)
        """Which engines the gateway asks by itself whether they are ready: in a cluster, kubelets ask vLLM."""
        self.routes = folder / "routes.json"
        self.writes = asyncio.Lock()
        """Held by whoever changes the routes file."""
        source = f"--routes-file={self.routes}" if api is None else f"--kubeconfig={api.kubeconfig}"
        self.flags: tuple[str, ...] = (source,)
        """What a gateway is told beside its limits."""
        self.gateway: Gateway
        self.uids: dict[str, str] = {}
        """Of the right pools on the API server, by name."""
        self._innocent_port = innocent_port
        self.engines = [
            Engine(model=f"{kind}-{number}", serves=f"org/{kind}-{number}-weights", kind=kind)
            for kind, count in _SLOTS.items()
            for number in range(count)
        ]
        self.greedy = Engine(model=GREEDY, serves=GREEDY, kind="vllm")
        self.thief = Engine(model="thief", serves="m", kind="vllm")
        """Somebody's engine that nobody should be sent to."""
        self._free: dict[str, asyncio.Queue[Engine]] = {kind: asyncio.Queue() for kind in _SLOTS}

    async def start(self) -> None:
        """Start the engines, write the routes."""
        for engine in (*self.engines, self.greedy, self.thief):
            engine.host = self.host
            await engine.start()
        for engine in self.engines[1:]:
            self._free[engine.kind].put_nowait(engine)
        if self.api is None:
            self.write(self.text())
        else:
            await self._publish(self.api)

    async def start_gateway(self) -> None:
        """Start the gateway, or another one in place of one that has ended. Raises GatewayFailedError."""
        self.gateway = await Gateway.start(self.build, self.folder, *self.flags)

    async def stop(self) -> None:
        """End the gateway, and close the engines' doors."""
        await self.gateway.stop()
        for engine in (*self.engines, self.greedy, self.thief):
            await engine.stop()

    async def caller(self, *, window: int | None = None) -> Caller:
        """A new connection to the gateway."""
        return await Caller.to(self.gateway.address, window=window)

    @property
    def served(self) -> str:
        """A model whose engine behaves: no case attacks it."""
        return self.engines[0].model

    @asynccontextmanager
    async def engine(self, kind: str = "vllm") -> AsyncIterator[Engine]:
        """One engine for a case alone, known to be ready. It must be taken back once it behaves again.

        Raises NotHeldError when the gateway does not use it any more.
        """
        engine = await self._free[kind].get()
        try:
            await self.until_served(engine.model)
            engine.good()
            yield engine
            engine.good()
            await self.until_served(engine.model)
        finally:
            engine.good()
            self._free[kind].put_nowait(engine)

    async def until_served(self, model: str) -> None:
        """Wait until a model's engine answers. Raises NotHeldError."""
        ends = time.monotonic() + _READY_SECONDS
        while True:
            async with await self.caller() as caller:
                await caller.send(request("/v1/chat/completions", chat(model)))
                answer = await caller.answer()
            if answer is not None and answer.status == 200:
                return
            if time.monotonic() > ends:
                raise NotHeldError(f"{model} behaves, and is not used again within {_READY_SECONDS:.0f} s: {answer}")
            await asyncio.sleep(0.1)

    # The routes file.

    def documents(self) -> list[dict[str, Any]]:
        """The documents that are right."""
        return [
            {"version": 1, "pool": {"namespace": HOME, "name": name, "created": created}, "models": models,
             "queue": {"maxPending": pending, "timeoutSeconds": 5}}
            for name, created, pending, models in self._pools()
        ]  # fmt: skip

    def _pools(self) -> list[tuple[str, str, int, list[dict[str, Any]]]]:
        """Name, age, queue and models of each."""
        served = self.engines[0]
        crowd = [
            self._model(f"crowd-{number:04}-{'x' * _LONG_NAME}", served.serves, "served", served.port, "vllm")
            for number in range(_CROWD)
        ]
        slots = [self._model(one.model, one.serves, one.model, one.port, one.kind) for one in self.engines[1:]]
        return [
            ("innocent", "2020-01-01T00:00:00Z", 64, [
                self._model("innocent", "innocent", "innocent", self._innocent_port, "vllm")]),
            ("served", "2020-01-02T00:00:00Z", 64, [
                self._model(served.model, served.serves, "served", served.port, "vllm")]),
            ("slots", "2020-01-03T00:00:00Z", 64, slots),
            (GREEDY, "2020-01-04T00:00:00Z", 8, [self._model(GREEDY, GREEDY, GREEDY, self.greedy.port, "vllm", 1)]),
            (CROWD, "2020-01-05T00:00:00Z", 64, crowd),
        ]  # fmt: skip

    def _model(self, name: str, serves: str, service: str, port: int, kind: str, most: int = 32) -> dict[str, Any]:
        where = {"url": f"http://{self.host}:{port}"} if self.api is None else {"service": service, "port": port}
        backend = {"engine": kind, "model": serves, "maxConcurrency": most, **where}
        return {"name": name, "capabilities": ["completion", "tools"], "backends": [backend]}

    async def _publish(self, api: ApiServer) -> None:
        """Make pools, routes and EndpointSlices, as the operator and Kubernetes would."""
        for document in self.documents():
            name = str(document["pool"]["name"])
            owner = await api.add_pool(HOME, name)
            self.uids[name] = owner["uid"]
            await api.add_routes(HOME, f"{name}-routes", json.dumps(document), owner)
            services = {(one["service"], one["port"]) for model in document["models"] for one in model["backends"]}
            for service, port in services:
                if (service, name) != ("served", CROWD):
                    await api.add_slice(HOME, service, port)

    def text(self, *more: Any) -> bytes:
        """The file's text, with further documents behind the right ones."""
        return json.dumps([*self.documents(), *more]).encode()

    def write(self, text: bytes) -> None:
        """Replace the routes file in one step."""
        made = self.folder / "routes.json.new"
        made.write_bytes(text)
        made.replace(self.routes)
