"""Routes files that are wrong, odd or broken: what was right stays in force, and every list can still be asked for."""

import asyncio
import copy
import json
import random
from typing import Any, Final

from ..asking import chat, dialect_of, expect, request
from ..case import case
from ..gateway import CONNECT_SECONDS, READ_SECONDS, SLACK_SECONDS
from ..wire import NotHeldError
from ..world import World

_LISTS: Final = ("/api/tags", "/v1/models", "/api/ps", "/modelpool/routes", "/modelpool/demand", "/metrics", "/readyz")
_TAKEN_SECONDS: Final = 0.5
"""The file is looked at ten times a second."""


def document(
    created: Any = "2021-01-01T00:00:00Z", url: str = "http://127.0.0.1:9", name: str = "odd"
) -> dict[str, Any]:
    """A document that is right but for what a case makes of it; `created` None: none."""
    backend = {"engine": "vllm", "url": url, "model": "m", "maxConcurrency": 2}
    pool = {"namespace": "odd", "name": "odd", "generation": 1} | ({"created": created} if created is not None else {})
    model = {"name": name, "aliases": [f"{name}-alias"], "capabilities": ["completion"], "backends": [backend]}
    return {"version": 1, "pool": pool, "queue": {"maxPending": 4, "timeoutSeconds": 1}, "models": [model]}


async def _try(world: World, text: bytes, what: str, model: str = "odd") -> None:
    """Put a file in place, ask for all lists and for the model, and put the right one back. Raises NotHeldError."""
    async with world.writes:
        world.write(text)
        try:
            await asyncio.sleep(_TAKEN_SECONDS)
            for path in (*_LISTS, f"/v1/models/{model}"):
                async with await world.caller() as caller:
                    await caller.send(request(path, None, "anthropic-version: 2023-06-01"))
                    expect(await caller.answer(), *((200, 404) if path.endswith(model) else (200,)))
            for path in ("/api/show", "/v1/chat/completions", "/api/chat"):
                async with await world.caller() as caller:
                    await caller.send(request(path, chat(model)))
                    answer = await caller.answer(within=3 * (READ_SECONDS + CONNECT_SECONDS) + SLACK_SECONDS)
                    expect(answer, 200, 400, 404, 429, 502, 503, 504)
                    if answer is not None and answer.status >= 400:
                        expect(answer, answer.status, path="" if answer.status == 404 else dialect_of(path) and path)
            await world.until_served("innocent")
        except NotHeldError as wrong:
            raise NotHeldError(f"{what}: {wrong}") from wrong
        finally:
            world.write(world.text())
            await asyncio.sleep(_TAKEN_SECONDS)
    await world.until_served(world.served)


@case(files=True, seconds=60)
async def odd_creation_times(world: World, chance: random.Random) -> None:
    """Without a zone, at the calendar's edge, absent, or no time at all."""
    created: Any = chance.choice(
        (
            None, "2026-01-01T00:00:00", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59Z",
            "9999-12-31T23:59:59-23:59", "9999-12-31T23:59:59.999999999Z", "1969-12-31T23:59:59Z",
            "2026-02-30T00:00:00Z",
            "2016-12-31T23:59:60Z", "2026-01-01", "", "now", 0, -1, 1e300, True, {}, "2026-01-01T00:00:00+00:00:01",
            "-0001-01-01T00:00:00Z", "12026-01-01T00:00:00Z", "2026-01-01T24:00:00Z",
        )
    )  # fmt: skip
    odd = document() if created is None else document(created)
    if created is None:
        del odd["pool"]["created"]
    two = [odd, {**document("2022-01-01T00:00:00Z"), "pool": {**document()["pool"], "name": "other"}}]
    await _try(world, world.text(*two), f"created {created!r}")


@case(files=True, seconds=60)
async def deep_documents(world: World, chance: random.Random) -> None:
    """Unknown fields, nested by thousands."""
    depth = chance.choice((500, 5000, 20_000, 100_000))
    opening, closing = chance.choice((("[", "]"), ('{"a":', "}")))
    deep = opening * depth + ("1" if opening != "[" else "") + closing * depth
    text = json.dumps(document())
    place = chance.choice(("top", "pool", "model", "backend"))
    at = {
        "top": 1,
        "pool": text.index('"namespace"'),
        "model": text.index('"aliases"'),
        "backend": text.index('"engine"'),
    }
    odd = text[: at[place]] + f'"x":{deep},' + text[at[place] :]
    whole = world.text().decode()[:-1] + "," + odd + "]"
    await _try(world, whole.encode(), f"{depth} deep in {place}")


@case(files=True, seconds=60)
async def odd_hosts_of_engines(world: World, chance: random.Random) -> None:
    """URLs that lead nowhere: their models have no engine, and all else goes on."""
    url = chance.choice(
        (
            "http://a..b:80", f"http://{'x' * 64}.example:80", f"http://{'y.' * 150}example", "http://127.0.0.1:99999",
            "http://127.0.0.1:-1", "http://127.0.0.1:0", "http://127.0.0.1:x", "http://a b:80",
            "http://127.0.0.1:80 80",
            "http://", "http:///", "http://:80", "http://[::1", "http://[::1]:1x", "http://[zz]:80", "http://é.example",
            "http://\u2024.example", "http://a\r\nX: y:80", "http://a\0b", "http://user:pass@127.0.0.1:9",
            "http://127.0.0.1:9/p?q#f",
            "https://127.0.0.1:9", "http://127.0.0.1:9/" + "p" * 5000, "http://xn--a.example", "http://.",
            "http://..", "http://*",
            "http://%00", "http://1.2.3.4.5", "http://\ud800",
        )
    )  # fmt: skip
    await _try(world, world.text(document(url=url)), f"url {url!r}")


@case(files=True, seconds=60)
async def taken_names(world: World, chance: random.Random) -> None:
    """A younger pool claims the innocent's name, as a name or an alias, spelled in any way."""
    name = chance.choice(("innocent", "Innocent", "INNOCENT", "innocent:latest"))
    odd = document("2024-01-01T00:00:00Z", name=name)
    if chance.random() < 0.5:
        odd["models"][0] |= {"name": "odd", "aliases": [name]}
    if chance.random() < 0.3:
        odd["pool"] |= {"namespace": "hostile", "name": "innocent"}
    await _try(world, world.text(odd), f"claims {name!r}")


@case(files=True, seconds=60)
async def changed_documents(world: World, chance: random.Random) -> None:
    """A valid document with some values changed, lost, doubled, or of another kind."""
    odd: Any = document()
    for _ in range(chance.randrange(1, 6)):
        odd = changed(odd, chance)
    await _try(world, world.text(odd), f"{json.dumps(odd)[:400]}")


_OTHER: Final[tuple[Any, ...]] = (
    None, True, 0, -1, 1.5, 10**30, -(10**30), 1e308, "", "x", "\0", "\ud800", "ü" * 300, "x" * 100_000, [], {}, [[]],
    [None],
    {"a": 1}, "vllm", "ollama", "http://127.0.0.1:9", "innocent", ["innocent"] * 50, 65536, float("1e400"),
)  # fmt: skip


def changed(value: Any, chance: random.Random) -> Any:
    """The same JSON with one change somewhere."""
    found = copy.deepcopy(value)
    if not found or not isinstance(found, dict | list) or chance.random() < 0.1:
        return chance.choice(_OTHER)
    keys = list(found) if isinstance(found, dict) else list(range(len(found)))
    key = chance.choice(keys)
    what = chance.randrange(8)
    if what == 0:
        del found[key]
    elif what == 1 and isinstance(found, list):
        found.append(found[key])
    elif what == 2 and isinstance(found, dict):
        found[chance.choice(("x", "", "Name", "version"))] = found.pop(key)
    else:
        found[key] = changed(found[key], chance)
    return found


@case(files=True, seconds=60)
async def broken_files(world: World, chance: random.Random) -> None:
    """A file that is cut off, empty, no text, or not there."""
    text = world.text(document())
    broken = chance.choice(
        (
            text[: chance.randrange(len(text))], b"", b"\0" * 1000, b"\xff\xfe" + text, b"[]", b"{}", b"null",
            b"[null]",
            text + text, text + b",", b"[" * 50_000, bytes(chance.randrange(256) for _ in range(500)),
            b"\xef\xbb\xbf" + text,
        )
    )  # fmt: skip
    if broken == b"[]":  # a file that is right, and takes every model away: not hostile
        broken = b"[1]"
    await _try(world, broken, f"{broken[:40]!r} of {len(broken)} bytes")
    if chance.random() < 0.5:
        async with world.writes:
            try:
                world.routes.unlink()
                await asyncio.sleep(_TAKEN_SECONDS)
                await world.until_served("innocent")
                world.routes.mkdir()
                await asyncio.sleep(_TAKEN_SECONDS)
                await world.until_served("innocent")
            finally:
                if world.routes.is_dir():
                    world.routes.rmdir()
                world.write(world.text())
                await asyncio.sleep(_TAKEN_SECONDS)
