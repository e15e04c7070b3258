"""Callers that ask without pause while something happens to the system, and remember every answer."""

import asyncio
import collections
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Final

import aiohttp

_SECONDS: Final = 60
"""Until an answer must have come; and the longest that callers ask without being told to stop."""


@dataclass(slots=True)
class Told:
    """All answers, by status and route; what was no answer, by its words."""

    answers: collections.Counter[tuple[int, str]] = field(default_factory=collections.Counter)
    broken: collections.Counter[str] = field(default_factory=collections.Counter)

    @property
    def count(self) -> int:
        """How many requests were sent."""
        return self.answers.total() + self.broken.total()

    @property
    def routes(self) -> set[str]:
        """The routes over which answers came."""
        return {route for _, route in self.answers}

    def assert_nothing_lost(self) -> None:
        """Fail when any request was not answered with 200."""
        assert not self.broken, self
        assert {status for status, _ in self.answers} == {200}, self


async def ask(address: str, model: str, told: Told, session: aiohttp.ClientSession) -> None:
    """Send one request, on a connection of its own as a new client would."""
    body = {"model": model, "max_tokens": 8, "messages": [{"role": "user", "content": "Say hello"}]}
    try:
        async with session.post(f"http://{address}:8100/v1/chat/completions", json=body) as answer:
            await answer.read()
            told.answers[answer.status, answer.headers.get("X-ModelPool-Route", "")] += 1
    except (aiohttp.ClientError, TimeoutError) as exc:
        told.broken[repr(exc)] += 1


def session() -> aiohttp.ClientSession:
    """Return a client that keeps no connection: each request finds its own gateway."""
    connector = aiohttp.TCPConnector(force_close=True, limit=0)
    return aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=_SECONDS))


@contextlib.asynccontextmanager
async def under_load(address: str, model: str, *, callers: int = 4) -> AsyncIterator[Told]:
    """Ask from several callers, each one request after the other, until the block ends."""
    told, enough = Told(), asyncio.Event()

    async def caller(client: aiohttp.ClientSession) -> None:
        while not enough.is_set():
            await ask(address, model, told, client)

    async with session() as client, asyncio.TaskGroup() as tasks:
        for number in range(callers):
            tasks.create_task(caller(client), name=f"caller-{number}")
        try:
            yield told
        finally:
            enough.set()


async def many(address: str, model: str, *, count: int, at_once: int) -> Told:
    """Send a number of requests, some at once."""
    told, room = Told(), asyncio.Semaphore(at_once)

    async def one(client: aiohttp.ClientSession) -> None:
        async with room:
            await ask(address, model, told, client)

    async with session() as client, asyncio.TaskGroup() as tasks:
        for number in range(count):
            tasks.create_task(one(client), name=f"request-{number}")
    return told
