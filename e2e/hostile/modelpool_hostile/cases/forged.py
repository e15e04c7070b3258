"""Objects on a real API server that nobody should believe: what they claim is served to nobody, at nobody's cost."""

import asyncio
import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from modelpool_cluster.rest import ApiError

from ..apiserver import HOME, STRANGER, ApiServer
from ..asking import chat, expect, request
from ..case import case
from ..wire import NotHeldError
from ..world import World
from .documents import changed, document

_LISTS: Final = ("/api/tags", "/v1/models", "/api/ps", "/modelpool/routes", "/modelpool/demand", "/metrics", "/readyz")
_SEEN_SECONDS: Final = 1.0
"""Long enough for the gateway to have taken an object up, were it to."""
_DEEP: Final = 20_000
_POOL: Final = "strange"
_REFUSED: Final = (400, 413, 422)
_ODD_CREATED: Final = ("1970-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "2020-01-01T00:00:00", None)


def claim(namespace: str, pool: str, name: str, created: str | None, **backend: Any) -> dict[str, Any]:
    """A document of somebody who wants requests for a model."""
    found = document(created, name=name)
    found["pool"] |= {"namespace": namespace, "name": pool}
    found["models"][0]["backends"] = [{"engine": "vllm", "model": "m", "maxConcurrency": 2} | backend]
    return found


@asynccontextmanager
async def _stranger(world: World) -> AsyncIterator[tuple[ApiServer, str, dict[str, Any]]]:
    """The API server, and a stranger's pool with who owns it; all that is in the stranger's namespace goes again.

    What the API server itself refuses attacks nobody.
    """
    assert world.api is not None, "this case runs beside an API server"
    async with world.writes:
        world.thief.good()
        try:
            owner = await world.api.add_pool(STRANGER, _POOL)
            yield world.api, _POOL, owner
        except ApiError as refused:
            if refused.status not in _REFUSED:
                raise
        finally:
            await world.api.forget(STRANGER)


async def _hold(world: World, what: str, *unserved: str) -> None:
    """Every list can be had, the innocent's and all right names are served by their own, and these by nobody."""
    await asyncio.sleep(_SEEN_SECONDS)
    try:
        for path in _LISTS:
            async with await world.caller() as caller:
                await caller.send(request(path))
                expect(await caller.answer(), 200)
        await world.until_served("innocent")
        await world.until_served(world.served)
        for model in unserved:
            async with await world.caller() as caller:
                await caller.send(request("/v1/chat/completions", chat(model)))
                expect(await caller.answer(), 404)
        if world.thief.asked:
            raise NotHeldError(f"the thief's engine was asked {world.thief.asked[:3]}")
    except NotHeldError as wrong:
        raise NotHeldError(f"{what}: {wrong}") from wrong


@case(cluster=True, seconds=60)
async def forged_config_maps(world: World, chance: random.Random) -> None:
    """ConfigMaps labelled as routes that no ModelPool of their namespace owns."""
    async with _stranger(world) as (api, pool, owner):
        forged = f"forged-{chance.randrange(10**9)}"
        name = chance.choice(("innocent", "Innocent", world.served, forged))
        service = {"service": "thief", "port": 8000}
        url = {"url": f"http://{world.host}:{world.thief.port}"}
        text = json.dumps(claim(STRANGER, pool, name, chance.choice(_ODD_CREATED), **chance.choice((service, url))))
        owners: dict[str, dict[str, Any] | None] = {
            "no owner": None,
            "a wrong uid": {**owner, "uid": "00000000-0000-0000-0000-000000000000"},
            "the uid of another's pool": {**owner, "name": "innocent", "uid": world.uids["innocent"]},
            "another kind": {**owner, "kind": "ConfigMap", "apiVersion": "v1"},
            "no controller": {**owner, "controller": False},
            "another group": {**owner, "apiVersion": "evil.example/v1"},
        }
        what = chance.choice(list(owners))
        await api.add_slice(STRANGER, "thief", world.thief.port)
        await api.add_routes(STRANGER, chance.choice((f"{pool}-routes", "innocent-routes", "x")), text, owners[what])
        await _hold(world, f"{name} claimed by {what}: {text[:300]}", *((forged,) if name == forged else ()))


@case(cluster=True, seconds=60)
async def owned_and_hostile(world: World, chance: random.Random) -> None:
    """A tenant's own pool with a document of his own making: another's names, namespaces, addresses; nonsense."""
    async with _stranger(world) as (api, pool, owner):
        forged = f"forged-{chance.randrange(10**9)}"
        created = chance.choice(_ODD_CREATED)
        by_service = {"service": "thief", "port": 8000}

        def of(namespace: str, name: str, said: str, **backend: Any) -> str:
            return json.dumps(claim(namespace, name, said, created, **(backend or by_service)))

        url = f"http://{world.host}:{world.thief.port}"
        plain, port = of(STRANGER, pool, forged, url=url), chance.choice((0, -1, 99_999))
        deep = f'{plain[:-1]},"x":{"[" * _DEEP}{"]" * _DEEP}}}'
        many = {
            **json.loads(of(STRANGER, pool, "x")),
            "models": [{"name": f"n{n}", "backends": []} for n in range(8000)],
        }
        texts = {
            "a url": (plain, forged),
            "the innocent's name": (of(STRANGER, pool, "innocent"), ""),
            "the innocent's alias": (of(STRANGER, pool, "x").replace("x-alias", "INNOCENT"), ""),
            "another namespace": (of(HOME, pool, forged), forged),
            "another pool": (of(HOME, "innocent", forged), forged),
            "depth": (deep, forged),
            "changes": (json.dumps(changed(changed(json.loads(plain), chance), chance)), ""),
            "a cut": (plain[: chance.randrange(200)], forged),
            "a bad port": (of(STRANGER, pool, "x", service="thief", port=port), ""),
            "a bad service": (of(STRANGER, pool, "x", service="../hostile/innocent", port=8000), ""),
            "many models": (json.dumps(many), ""),
        }
        what = chance.choice(list(texts))
        text, unserved = texts[what]
        await api.add_slice(STRANGER, "thief", world.thief.port)
        await api.add_routes(STRANGER, f"{pool}-routes", text, owner)
        await _hold(world, f"{what}: {text[:300]}", *([unserved] if unserved else []))


@case(cluster=True, seconds=60)
async def odd_config_maps(world: World, chance: random.Random) -> None:
    """A pool's own ConfigMap without the key, with an empty one, with bytes in its place, or with a great deal."""
    async with _stranger(world) as (api, pool, owner):
        more: dict[str, Any] = chance.choice(
            (
                {"data": {}}, {"data": {"routes.json": ""}}, {"data": {"routes.json": "null"}},
                {"data": {"other": "{}"}},
                {"data": {}, "binaryData": {"routes.json": "//79"}}, {"data": {"routes.json": " " * 900_000}},
                {"data": {"routes.json": "[" * 900_000}},
                {"data": {"routes.json": '{"version":1,"x":"' + "\\ud800" * 100_000 + '"}'}},
                {"immutable": True},
            )
        )  # fmt: skip
        await api.add_routes(STRANGER, f"{pool}-routes", "{}", owner, **more)
        await _hold(world, f"{str(more)[:200]}")


@case(cluster=True, seconds=60)
async def odd_slices(world: World, chance: random.Random) -> None:
    """EndpointSlices of another namespace that name the innocent's service, or hold anything that is allowed in one."""
    async with _stranger(world) as (api, _, _):
        more: dict[str, Any] = chance.choice(
            (
                {}, {"ports": []}, {"ports": [{"name": "http"}]}, {"ports": [{"name": f"p{n}",
                "port": n + 1} for n in range(99)]},
                {"endpoints": []}, {"endpoints": [{"addresses": [world.host], "conditions": {}}] * 1},
                {"endpoints": [{"addresses": [f"10.{n // 250}.{n % 250}.1"]} for n in range(900)]},
                {"addressType": "FQDN", "endpoints": [{"addresses": ["a.example"]}]},
                {"addressType": "IPv6", "endpoints": [{"addresses": ["2001:db8::1"], "conditions": {"ready": True}}]},
                {"endpoints": [{"addresses": [world.host], "conditions": {"ready": True, "terminating": True}}]},
            )
        )  # fmt: skip
        await api.add_slice(STRANGER, chance.choice(("innocent", "thief", "served")), world.thief.port, **more)
        await _hold(world, f"slice {str(more)[:200]}")
