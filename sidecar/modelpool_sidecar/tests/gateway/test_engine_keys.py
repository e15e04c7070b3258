"""Engines that ask for a key: the gateway has it, callers' keys are none, and a refusal is no answer for a caller."""

import json
from pathlib import Path

import pytest

from modelpool_sidecar import app
from modelpool_sidecar.discovery.sources import key_file
from modelpool_sidecar.routing.keys import key_of
from modelpool_sidecar.settings import Listen, Settings
from modelpool_sidecar.telemetry.access_log import AccessLog

from .scenes import CHAT, backend, document, scene, until
from .scripted import Received, engine

RELEASE = "0123456789abcdef0123456789abcdef"
KEY = key_of(RELEASE.encode(), "llm", "agentic", "")
WHOLE = b'{"id":"1","model":"qwen3:8b","choices":[{"message":{"content":"x"},"finish_reason":"stop"}]}'
LINE = b'{"model":"qwen3:8b","message":{"role":"assistant","content":"x"},"done":true}\n'
PATHS = ["/v1/chat/completions", "/api/chat", "/v1/messages"]


async def guarded(request: Received) -> None:
    """vLLM's manners below /v1 when it was started with a key."""
    if request.headers.get("authorization") == f"Bearer {KEY}":
        await request.answer(WHOLE)
    else:
        await request.answer(b'{"error":"Unauthorized"}', status=401)


async def stands_in(request: Received) -> None:
    await request.answer(LINE if request.path.startswith("/api") else WHOLE)


@pytest.fixture
def release(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    path.write_text(f"{RELEASE}\n")
    return path


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("door", [{}, {"Expect": "100-continue"}], ids=["front", "side"])
async def test_the_gateway_is_answered_and_nobody_who_comes_past_it(
    tmp_path: Path, release: Path, path: str, door: dict[str, str]
) -> None:
    routes = document(backend("vllm", "http://x", keyed=True))
    async with engine(guarded) as vllm:
        routes["models"][0]["backends"][0]["url"] = vllm.url
        async with scene(tmp_path, routes, engine_key_file=release) as gate:
            await gate.until_ready(True)
            for told in ({}, {"Authorization": "Bearer a-callers-own"}):
                async with gate.post(
                    path, CHAT | {"max_tokens": 1, "stream": False}, headers={**door, **told}
                ) as response:
                    assert response.status == 200, await response.read()
                    assert KEY not in str(response.headers)
            for told in ({}, {"Authorization": "Bearer a-callers-own"}):
                async with gate.session.post(vllm.url + "/v1/chat/completions", json=CHAT, headers=told) as past:
                    assert (past.status, await past.json()) == (401, {"error": "Unauthorized"})
        assert [request.headers.get("authorization") for request in vllm.received] == [
            f"Bearer {KEY}",
            f"Bearer {KEY}",
            None,
            "Bearer a-callers-own",
        ]


async def test_the_key_goes_to_engines_that_ask_for_it_and_to_no_ollama(tmp_path: Path, release: Path) -> None:
    async with engine(stands_in) as vllm, engine(stands_in, models=["qwen3:8b"]) as ollama:
        for asked, keyed in ((vllm, False), (ollama, True)):
            kind = "vllm" if asked is vllm else "ollama"
            routes = document(backend(kind, asked.url, keyed=keyed))
            async with scene(tmp_path, routes, engine_key_file=release) as gate:
                await gate.until_ready(True)
                async with gate.post("/api/chat", CHAT | {"stream": False}) as response:
                    assert response.status == 200
            assert ["authorization" in one.headers for one in asked.received] == [False]


@pytest.mark.parametrize("path", PATHS)
async def test_an_engine_that_refuses_the_key_is_passed_over_and_no_caller_is_told_401(
    tmp_path: Path, path: str
) -> None:
    async with engine(guarded) as vllm, scene(tmp_path, document(backend("vllm", vllm.url, keyed=True))) as gate:
        await gate.until_ready(True)
        async with gate.post(path, CHAT | {"max_tokens": 1, "stream": False}) as response:
            said = json.loads(await response.read())
        assert (response.status, "refused the gateway's credentials" in str(said)) == (502, True)
        assert gate.ready() == [True], "it lives, and refuses"
    async with engine(guarded) as vllm, engine(stands_in, models=["qwen3:8b"]) as ollama:
        routes = document(backend("vllm", vllm.url, keyed=True), backend("ollama", ollama.url))
        async with scene(tmp_path, routes) as gate:
            await gate.until_ready(True, True)
            async with gate.post("/api/chat", CHAT | {"stream": False}) as response:
                assert (response.status, response.headers["X-ModelPool-Backend"]) == (200, "ollama")


async def test_a_gateway_without_the_key_says_so_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with engine(guarded) as vllm, scene(tmp_path, document(backend("vllm", vllm.url, keyed=True))) as gate:
        await gate.until_ready(True)
        gate.running.directory.load(gate.running.directory._documents, gate.running.directory._addresses, trusted=False)
    assert [one.message for one in caplog.records if "--engine-key-file" in one.message] == [
        "Engines ask for a key, and no --engine-key-file was given"
    ]


async def test_an_opened_call_of_vllms_carries_the_key(tmp_path: Path, release: Path) -> None:
    async with engine(guarded) as vllm:
        routes = document(backend("vllm", vllm.url, keyed=True))
        async with scene(tmp_path, routes, engine_key_file=release, open_admin=frozenset({"sleep"})) as gate:
            await gate.until_ready(True)
            async with gate.post("/sleep?model=qwen3:8b", b"") as response:
                assert response.status == 200


async def test_no_page_and_no_line_of_the_log_shows_the_key(tmp_path: Path, release: Path) -> None:
    async with engine(guarded) as vllm:
        routes = document(backend("vllm", vllm.url, keyed=True))
        async with scene(tmp_path, routes, engine_key_file=release) as gate:
            await gate.until_ready(True)
            async with gate.post("/v1/chat/completions", CHAT):
                pass
            shown = []
            for page in ("/modelpool/routes", "/modelpool/demand", "/metrics"):
                async with gate.get(page) as response:
                    shown.append(await response.text())
            await gate.until_idle()
            shown.append(str(gate.log.lines))
        assert not [text for text in shown if KEY in text or RELEASE in text]


async def test_another_release_key_is_taken_up_and_what_is_none_is_not(
    tmp_path: Path, release: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(key_file, "POLL_INTERVAL", 0.01)
    other = "fedcba9876543210fedcba9876543210"
    async with engine(stands_in) as vllm:
        routes = document(backend("vllm", vllm.url, keyed=True))
        async with scene(tmp_path, routes, engine_key_file=release) as gate:
            await gate.until_ready(True)
            release.write_text("short")
            await until(lambda: "Could not read the release key again" in caplog.text, seen=lambda: caplog.text)
            release.write_text(other)
            want = key_of(other.encode(), "llm", "agentic", "")

            def sent() -> bytes:
                found = gate.running.directory.table.find("qwen3:8b")
                assert found is not None
                return found.backends[0].authorization

            assert sent() in (f"Authorization: Bearer {KEY}\r\n".encode(), f"Authorization: Bearer {want}\r\n".encode())
            await until(lambda: want.encode() in sent(), seen=lambda: "the key of the first file")
            async with gate.post("/v1/chat/completions", CHAT) as response:
                assert response.status == 200
    assert vllm.received[0].headers["authorization"] == f"Bearer {want}"


@pytest.mark.parametrize("content", [None, "", "short"])
async def test_a_gateway_that_cannot_read_its_key_does_not_start(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "key"
    if content is not None:
        path.write_text(content)
    told = Settings(listen=(Listen("127.0.0.1", 0),), routes_file=tmp_path / "routes.json", engine_key_file=path)
    with pytest.raises(OSError, match="key"):
        async with app.gateway(told, AccessLog(None, json=True)):
            raise AssertionError("it started")
