"""A running local pool: its folder, its ports, its programs, its gateway's view of what can answer."""

import asyncio
import os
import secrets
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from modelpool_cli.local import layout, ports
from modelpool_cli.local.processes import Listener, Program, Supervisor
from modelpool_operator.api.pool import ModelPool
from modelpool_operator.planning.engines.ollama import models as ollama
from modelpool_operator.planning.engines.registry import PROFILES
from modelpool_operator.planning.sharing.shares import Placement

EVERYWHERE = ("0.0.0.0", "[::]")  # noqa: S104 -- compared, not bound
LAST_LINES = 8
"""Of a program's log, shown when something did not come up."""


class CannotRunError(Exception):
    """The pool cannot run on this machine as it is. The text says what is missing and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalPool:
    """A pool whose programs run."""

    url: str
    """Of the gateway, for every dialect."""
    folder: Path
    supervisor: Supervisor
    programs: Mapping[str, Program]
    session: aiohttp.ClientSession

    async def serving(self) -> Mapping[str, tuple[str, ...]] | None:
        """Return the engines that can answer for each model now, in the gateway's eyes; None when it is not up."""
        try:
            async with self.session.get(f"{self.url}/modelpool/routes") as response:
                response.raise_for_status()
                return ready_engines(await response.json())
        except (aiohttp.ClientConnectionError, aiohttp.ClientResponseError, TimeoutError):
            return None

    async def until_serving(self, wanted: Mapping[str, str], seconds: float) -> None:
        """Wait until each named model is served by the named engine.

        Raises:
            TimeoutError: it did not come to that; the text says what was seen.
        """
        seen: Mapping[str, tuple[str, ...]] | None = None
        try:
            async with asyncio.timeout(seconds):
                while True:
                    seen = await self.serving()
                    if seen is not None and all(engine in seen.get(model, ()) for model, engine in wanted.items()):
                        return
                    await asyncio.sleep(0.1)
        except TimeoutError:
            missing = [
                f"{model} on {engine}" for model, engine in wanted.items() if engine not in (seen or {}).get(model, ())
            ]
            raise TimeoutError(f"waited {seconds:g} s for {', '.join(missing)}\n{self.last_words()}") from None

    def last_words(self) -> str:
        """Return the last lines of every program's log."""
        return "\n".join(
            f"--- {log.name}\n" + "\n".join(log.read_text(errors="replace").splitlines()[-LAST_LINES:])
            for log in sorted((self.folder / "logs").iterdir())
        )


def ready_engines(view: Mapping[str, Any]) -> Mapping[str, tuple[str, ...]]:
    """Return the engines with a ready endpoint for each model of the gateway's view of its routes."""
    return {
        model["name"]: tuple(
            backend["engine"]
            for backend in model["backends"]
            if any(endpoint["ready"] for endpoint in backend["endpoints"])
        )
        for pool in view["pools"]
        for model in pool["models"]
    }


def check(pool: ModelPool, commands: layout.Commands, listen: tuple[tuple[str, int], ...]) -> None:
    """Make sure that the programs are here and the gateway's ports are free.

    Raises:
        CannotRunError: one is not.
    """
    needed = [("vllm", commands.vllm[0], "pip install vllm")] if PROFILES.with_own(pool.spec) else []
    if ollama.is_needed(pool.spec):
        needed.append(("ollama", commands.ollama[0], "see ollama's own page, or set `spec.ollama.enabled: false`"))
    for name, program, how in needed:
        if shutil.which(program) is None:
            raise CannotRunError(f"{name} is not on the PATH: install it ({how}), or add --simulate")
    for host, port in listen:
        if ports.taken(host, port):
            raise CannotRunError(f"port {port} of {host} is taken by another program: choose others with --listen")


def _write_secret(path: Path, secret: bytes) -> None:
    """Write a file that nobody else on this machine may read, at no moment."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(secret)


@asynccontextmanager
async def running(
    pool: ModelPool,
    placement: Placement,
    folder: Path,
    commands: layout.Commands,
    listen: tuple[tuple[str, int], ...],
    listener: Listener,
) -> AsyncIterator[LocalPool]:
    """Run the pool's programs until the context ends, then end them all."""
    engines = layout.names_of_engines(pool, placement)
    place = layout.Place(
        folder=folder,
        ports=dict(zip(engines, ports.pick(len(engines)), strict=True)),
        listen=tuple(f"{host}:{port}" for host, port in listen),
        release=secrets.token_hex(32).encode(),
    )
    for name in ("locks", "logs", "cards", "ollama"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    place.routes.write_bytes(layout.routes_document(pool, placement, place))
    _write_secret(place.key, place.release)
    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session,
        Supervisor(listener, os.environ) as supervisor,
    ):
        programs = {program.name: program for program in layout.programs(pool, placement, place, commands)}
        for program in programs.values():
            supervisor.start(program)
        host, port = listen[0]
        url = f"http://{ports.LOOPBACK if host in EVERYWHERE else host}:{port}"
        yield LocalPool(url=url, folder=folder, supervisor=supervisor, programs=programs, session=session)
