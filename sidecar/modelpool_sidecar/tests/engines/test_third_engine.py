"""A third kind of engine, in one file of its own: routed to, probed, translated for, admitted and shown."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar

from modelpool_sidecar.engines.profile import Get, Native, Profile, Translated, Way
from modelpool_sidecar.engines.registry import PROFILES, Profiles
from modelpool_sidecar.routing.health import Failure
from modelpool_sidecar.routing.table import Probed
from modelpool_sidecar.translation import Translation

from ..gateway.scenes import CHAT, backend, document, scene
from ..gateway.scripted import Received, engine


class Third(Profile):
    """Speaks OpenAI's chat alone, and says at `/up` whether it is."""

    name: ClassVar[str] = "third"
    title: ClassVar[str] = "Third"
    weights_format: ClassVar[str] = "gguf"
    inference: ClassVar[Mapping[str, Way]] = MappingProxyType(
        {"/v1/chat/completions": Native("/v1/chat/completions"), "/api/chat": Translated(Translation.CHAT)}
    )
    holds_many: ClassVar[bool] = True

    async def probe(self, get: Get) -> Probed:
        status, _ = await get("/up", 1024)
        return Probed(alive=status == 204)

    def failure_of(self, status: int, body: bytes) -> Failure | None:
        return Failure.BUSY if status == 418 else super().failure_of(status, body)


async def test_an_engine_is_one_file(tmp_path: Path) -> None:
    busy = True

    async def answer(request: Received) -> None:
        nonlocal busy
        if request.path == "/up":
            await request.answer(b"", status=204)
        elif busy:
            busy = False
            await request.answer(b"{}", status=418)
        else:
            choice = b'{"index":0,"delta":{"content":"hi"},"finish_reason":"stop"}'
            event = b'data: {"id":"1","model":"m","choices":[%b]}\n\n' % choice
            await request.answer(event + b"data: [DONE]\n\n", kind="text/event-stream")

    async with engine(answer) as first, engine(answer) as second:
        routes = document(backend("third", first.url), backend("third", second.url))
        async with scene(tmp_path, routes, profiles=Profiles([*PROFILES, Third()])) as gate:
            await gate.until_ready(True, True)
            async with gate.post("/api/chat", CHAT | {"stream": False}) as response:
                said = await response.json()
                assert response.headers["X-ModelPool-Backend"] == "third"
            assert said["message"]["content"] == "hi"
            assert [one.attempts for one in gate.log.lines] == [2], "the first was busy, in its own words"
            async with gate.post("/v1/completions", {"model": CHAT["model"], "prompt": "x"}) as refused:
                assert refused.status == 404
            async with gate.get("/modelpool/routes") as page:
                shown = await page.json()
            assert [one["engine"] for one in shown["pools"][0]["models"][0]["backends"]] == ["third", "third"]
            async with gate.post("/api/show", {"model": CHAT["model"]}) as card:
                assert (await card.json())["details"]["format"] == "gguf"
