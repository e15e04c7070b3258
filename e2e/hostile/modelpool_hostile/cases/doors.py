"""Who may ask for what: administrative calls, the gateway's own pages, other sites' browsers."""

import random
from typing import Final

from ..asking import expect, request
from ..case import case
from ..wire import NotHeldError
from ..world import World

_PAGES: Final = ("/metrics", "/modelpool/routes", "/modelpool/demand")
_LISTS: Final = ("/", "/api/tags", "/api/ps", "/v1/models", "/api/version")
ADMIN: Final = (
    ("POST", "/api/pull"), ("POST", "/api/push"), ("POST", "/api/create"), ("POST", "/api/copy"),
    ("DELETE", "/api/delete"), ("POST", "/sleep"), ("POST", "/wake_up"), ("GET", "/is_sleeping"),
    ("POST", "/release_kv_cache_memory"), ("POST", "/reset_prefix_cache"), ("POST", "/reset_mm_cache"),
    ("POST", "/collective_rpc"), ("POST", "/v1/load_lora_adapter"), ("POST", "/v1/unload_lora_adapter"),
)  # fmt: skip
_DIGEST: Final = "sha256:" + "ab" * 32
_UP: Final = ("..", "%2e%2e", "%2E.", ".%2e", "%252e%252e", "..%00", "..;", "%c0%ae%c0%ae")
_SLASH: Final = ("/", "%2f", "%2F", "\\", "%5c", "//", "/./", "%252f")


@case()
async def closed_administration(world: World, chance: random.Random) -> None:
    """However it is spelled, a closed call is refused and comes to no engine."""
    method, path = chance.choice(ADMIN)
    spelled = chance.choice(
        (
            path, f"/ollama{path}", f"/{path}", f"{path}/", path.upper(), path.replace("a", "%61", 1),
            f"{path}?model=x",
            f"{path}#x", f"/x/..{path}", f"/.{path}", f"{path}%00", f"{path};x", f"http://127.0.0.1{path}",
        )
    )  # fmt: skip
    for engine in world.engines:
        engine.asked.clear()
    async with await world.caller() as caller:
        body = None if method == "GET" else {"model": world.served, "name": world.served}
        await caller.send(request(spelled, body, "X-HTTP-Method-Override: POST", method=method))
        expect(await caller.answer(), 400, 403, 404, 405, closed=True)
    reached = [asked for engine in world.engines for asked in engine.asked if asked[1].partition("?")[0].endswith(path)]
    if reached:
        raise NotHeldError(f"{method} {spelled} came to an engine as {reached[0]}")


@case()
async def blob_paths(world: World, chance: random.Random) -> None:
    """Blobs are open here, and nothing else can be reached by them: engines see digests only."""
    up, slash = chance.choice(_UP), chance.choice(_SLASH)
    rest = chance.choice(("pull", "delete", f"{up}{slash}api{slash}pull", "tags", f"blobs{slash}{_DIGEST}"))
    path = chance.choice(
        (
            f"/api/blobs/{up}{slash}{rest}",
            f"/api/blobs{slash}{up}{slash}{rest}",
            f"/api/blobs/{_DIGEST}{slash}{up}{slash}{up}{slash}{rest}",
            f"/api/blobs/{_DIGEST}%3f/../x",
            f"/api/blobs/{_DIGEST}%0d%0aX: y",
            f"/api/blobs/{_DIGEST}%20HTTP/1.1%0d%0a%0d%0aDELETE /api/delete",
            "/api/blobs/",
            "/api/blobs/x" * 50,
        )
    )
    path = path.replace(" ", "%20")
    for engine in world.engines:
        engine.asked.clear()
    async with await world.caller() as caller:
        await caller.send(request(path, b"x" * 10, method=chance.choice(("POST", "HEAD", "POST"))))
        answer = await caller.answer(bodiless=True)
        if answer is not None and answer.status not in (400, 403, 404, 405, 422):
            raise NotHeldError(f"{path}: {answer}; wanted it refused")
    for engine in world.engines:
        for _, seen in engine.asked:
            if "blobs" in seen or "pull" in seen or "delete" in seen or "tags" in seen:
                raise NotHeldError(f"{path} came to an engine as {seen}")


@case()
async def other_sites(world: World, chance: random.Random) -> None:
    """A page of another site, or one whose name points here, gets nothing: neither lists nor the gateway's pages."""
    path = chance.choice((*_PAGES, *_LISTS))
    evil = chance.choice(("evil.example", "evil.example:8100", "127.0.0.1.evil.example", "localhost.evil.example"))
    by_host = chance.random() < 0.5
    method = chance.choice(("GET", "GET", "HEAD", "OPTIONS"))
    origin = chance.choice((f"http://{evil}", "null", "https://evil.example", "http://localhost.evil.example"))
    async with await world.caller() as caller:
        wish = (
            request(path, host=evil, method=method)
            if by_host
            else request(path, None, f"Origin: {origin}", method=method)
        )
        await caller.send(wish)
        answer = await caller.answer(bodiless=method == "HEAD")
        expect(answer, 400, 403, 405, 421)
        if answer is not None and "access-control-allow-origin" in answer.headers:
            raise NotHeldError(f"{path} allows {origin or evil}: {answer.headers}")


@case()
async def odd_hosts(world: World, chance: random.Random) -> None:
    """Whatever stands in Host, it is judged and answered."""
    host = chance.choice(
        ("", "[::1", "[", "]", "a:b:c", "127.0.0.1:99999999", "localhost:x", "%", "é", "a" * 5000, "0", "1.2.3",
        "::1", "@",
         "x@localhost", "localhost/", "localhost#", "localhost?", "127.1", "0x7f000001", "[::ffff:127.0.0.1]")
    )  # fmt: skip
    path = chance.choice((*_PAGES, *_LISTS))
    async with await world.caller() as caller:
        await caller.send(request(path, host=host))
        expect(await caller.answer(), 200, 400, 403, 404, 421, 431, closed=True)
