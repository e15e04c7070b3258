"""Callers who ask, and stream, while something changes, at a constant rate or without pause; no answer is forgotten.

Each request comes on a connection of its own, as from a new client. An answer is good when it is
complete: status 200, text in it and, of a stream, its last event.
"""

import asyncio
import collections
import contextlib
import json
import math
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp

from modelpool_cluster import waiting
from modelpool_cluster.cluster import Cluster

PORT: Final = 8100
PER_SECOND: Final = 100
STREAMED: Final = 0.05
"""Of the requests: long answers, of which several are under way at any moment."""
_SECONDS: Final = 60
"""Until an answer must be complete."""
_END_SECONDS: Final = 180
_TOKENS: Final = {False: 4, True: 60}
_EVENT: Final = b"data: "
_END: Final = _EVENT + b"[DONE]\n\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One request and what came of it."""

    began: float
    """Wall clock, in seconds."""
    ended: float
    streamed: bool
    route: str
    failure: str = ""
    """Why it is no good answer."""


@dataclass(slots=True, kw_only=True)
class Traffic:
    """All that was asked."""

    began: float = field(default_factory=time.time)
    ended: float = math.inf
    """When the last request was sent."""
    exchanges: list[Exchange] = field(default_factory=list)

    @property
    def routes(self) -> collections.Counter[str]:
        """How many good answers came over which route."""
        return collections.Counter(one.route for one in self.exchanges if not one.failure)

    @property
    def failures(self) -> collections.Counter[str]:
        """How many answers were no good, by why."""
        return collections.Counter(one.failure for one in self.exchanges if one.failure)

    @property
    def rate(self) -> float:
        """Requests sent per second."""
        return len(self.exchanges) / (self.ended - self.began)

    def streams_across(self, moment: float) -> int:
        """Return how many streams that are complete were under way at a moment."""
        return sum(one.streamed and not one.failure and one.began < moment < one.ended for one in self.exchanges)

    def __str__(self) -> str:
        taken = sorted(one.ended - one.began for one in self.exchanges if not one.streamed) or [math.nan]
        streams = sum(one.streamed for one in self.exchanges)
        routes = ", ".join(f"{count} over {route}" for route, count in self.routes.most_common())
        return (
            f"{len(self.exchanges)} requests at {self.rate:.0f}/s, {streams} of them streams: {routes};"
            f" {self.failures.total()} lost{f' {dict(self.failures)}' if self.failures else ''};"
            f" p50 {taken[len(taken) // 2] * 1000:.0f} ms, p99 {taken[int(len(taken) * 0.99)] * 1000:.0f} ms"
        )

    def assert_nothing_lost(self, *, per_second: float) -> None:
        """Fail when a request was lost, when none was streamed, or when fewer were sent than so many per second."""
        assert not self.failures, str(self)
        assert any(one.streamed for one in self.exchanges), str(self)
        assert self.rate > 0.9 * per_second, str(self)


@contextlib.asynccontextmanager
async def at_rate(address: str, models: Sequence[str], *, per_second: float = PER_SECOND) -> AsyncIterator[Traffic]:
    """Ask for the models in turn, so often, until the block ends; then wait for the answers that are under way."""
    async with _client(address, PORT) as client, asyncio.TaskGroup() as tasks:
        traffic, enough = Traffic(), asyncio.Event()

        async def send() -> None:
            began = asyncio.get_running_loop().time()
            for number, request in enumerate(_requests(models)):
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout_at(began + number / per_second):
                        await enough.wait()
                if enough.is_set():
                    break
                tasks.create_task(_ask(client, request, traffic), name=f"request-{number}")
            traffic.ended = time.time()

        tasks.create_task(send(), name="callers")
        try:
            yield traffic
        finally:
            enough.set()


@contextlib.asynccontextmanager
async def without_pause(
    address: str, models: Sequence[str], *, callers: int, streamers: int = 0, port: int = PORT
) -> AsyncIterator[Traffic]:
    """Ask from several callers, each one request after the other: as much as a slow fallback can take, too.

    `streamers` ask for nothing but streams, so that some are under way at any moment and not only most of the time.
    """
    async with _client(address, port) as client, asyncio.TaskGroup() as tasks:
        traffic, enough = Traffic(), asyncio.Event()

        async def caller(requests: Iterator[dict[str, Any]]) -> None:
            while not enough.is_set():
                await _ask(client, next(requests), traffic)
            traffic.ended = time.time()

        mixed, streams = _requests(models), _requests(models, streamed=1.0)
        for number in range(callers):
            tasks.create_task(caller(mixed), name=f"caller-{number}")
        for number in range(streamers):
            tasks.create_task(caller(streams), name=f"streamer-{number}")
        try:
            yield traffic
        finally:
            enough.set()


def told_to_end(cluster: Cluster, pod: dict[str, Any]) -> float:
    """Wait until a pod is told to end, and return when that was seen, on the wall clock."""
    path = f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods/{pod['metadata']['name']}"

    def told() -> bool:
        found = cluster.api.find(path)
        return found is None or "deletionTimestamp" in found["metadata"]

    waiting.wait_for("the pod's end to begin", told, timeout=_END_SECONDS, every=0.05)
    return time.time()


def _client(address: str, port: int) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        f"http://{address}:{port}",
        connector=aiohttp.TCPConnector(force_close=True, limit=0),
        timeout=aiohttp.ClientTimeout(total=_SECONDS),
    )


def _requests(models: Sequence[str], *, streamed: float = STREAMED) -> Iterator[dict[str, Any]]:
    number, every = 0, round(1 / streamed)
    while True:
        stream = number % every == every - 1
        yield {
            "model": models[(number + number // every) % len(models)],  # of each model, some are streamed
            "max_tokens": _TOKENS[stream],
            "stream": stream,
            "messages": [{"role": "user", "content": f"Count to {number}"}],
        }
        number += 1


async def _ask(client: aiohttp.ClientSession, request: dict[str, Any], traffic: Traffic) -> None:
    began, route = time.time(), ""
    try:
        async with client.post("/v1/chat/completions", json=request) as answer:
            route = answer.headers.get("X-ModelPool-Route", "")
            failure = fault(answer.status, await answer.read(), streamed=request["stream"])
    except (aiohttp.ClientError, TimeoutError) as exc:
        failure = repr(exc)
    traffic.exchanges.append(
        Exchange(began=began, ended=time.time(), streamed=request["stream"], route=route, failure=failure)
    )


def fault(status: int, body: bytes, *, streamed: bool) -> str:
    """Return what is wrong with an answer, or nothing."""
    if status != 200:
        return f"{status} {body[:300].decode(errors='replace')}"
    if not streamed:
        return "" if _text(json.loads(body)["choices"][0]["message"]) else f"no text in {body[:300]!r}"
    events = [json.loads(line[len(_EVENT) :]) for line in body.split(b"\n\n") if line.startswith(_EVENT + b"{")]
    text = "".join(_text(event["choices"][0]["delta"]) for event in events if event.get("choices"))
    return "" if text and body.endswith(_END) else f"broken stream …{body[-200:]!r}"


def _text(message: dict[str, Any]) -> str:
    """Return what a model said or, where it had no token left for that, what it thought."""
    return str(message.get("content") or message.get("reasoning") or "")
