"""What HTTP itself allows and forbids: sizes, depths, encodings, old clients, browsers, names."""

import asyncio
import gzip
import json
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import brotli
import pytest

from modelpool_sidecar.http.server.general.inflating import zstd

from .scenes import CHAT, Scene, backend, document, scene
from .scripted import Engine, Received, engine

WHOLE = b'{"model":"qwen3:8b","choices":[]}'
DIALECTS = {"ollama": "/api/chat", "openai": "/v1/chat/completions", "anthropic": "/v1/messages"}


async def answers(request: Received) -> None:
    if request.json.get("stream"):
        await request.begin()
        await request.chunk(b'data: {"choices":[{"index":0,"delta":{"content":"x"}}]}\n\n')
        await request.chunk(b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n')
        await request.end()
        return
    await request.answer(WHOLE)


@asynccontextmanager
async def gates(folder: Path, **settings: Any) -> AsyncIterator[tuple[Scene, Engine]]:
    async with engine(answers) as vllm, scene(folder, document(backend("vllm", vllm.url)), **settings) as gate:
        await gate.until_ready(True)
        yield gate, vllm


async def raw(gate: Scene, data: bytes) -> bytes:
    """Send bytes on a fresh connection; everything that comes back until it is closed."""
    reader, writer = await asyncio.open_connection(*gate.running.listening[0])
    writer.write(data)
    try:
        return await asyncio.wait_for(reader.read(), 20)
    finally:
        writer.close()


def message(path: str, body: bytes, *lines: str, version: str = "1.1") -> bytes:
    head = (f"POST {path} HTTP/{version}", "Host: localhost", f"Content-Length: {len(body)}", *lines, "", "")
    return "\r\n".join(head).encode() + body


def told(body: bytes, dialect: str) -> str:
    """The message of an error, which also has the dialect's shape."""
    found = json.loads(body)
    if dialect == "ollama":
        assert set(found) == {"error"}
        return str(found["error"])
    if dialect == "anthropic":
        assert found["type"] == "error"
    return str(found["error"]["message"])


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_beyond_the_limit(tmp_path: Path, dialect: str, chunked: bool) -> None:
    async with gates(tmp_path, max_body_bytes=10_000) as (gate, vllm):
        body = json.dumps(CHAT | {"x": "y" * 20_000}).encode()

        async def pieces() -> AsyncIterator[bytes]:
            for begin in range(0, len(body), 1000):
                yield body[begin : begin + 1000]

        data: Any = pieces() if chunked else body
        async with gate.session.post(gate.url + DIALECTS[dialect], data=data) as response:
            assert response.status == 413
            assert "10000" in told(await response.read(), dialect)
        assert not vllm.received


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_body_that_does_not_come(tmp_path: Path, dialect: str) -> None:
    async with gates(tmp_path, body_timeout=0.1) as (gate, vllm):
        head, _, body = (await raw(gate, message(DIALECTS[dialect], json.dumps(CHAT).encode())[:-1])).partition(
            b"\r\n\r\n"
        )
        assert head.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
        assert b"\r\nConnection: close" in head
        assert told(body, dialect) == "the request body did not come in time"
        await gate.until_idle()
        assert [line.status for line in gate.log.lines] == [408]
        assert not vllm.received


PACKERS = {"gzip": gzip.compress, "deflate": zlib.compress, "br": brotli.compress, "zstd": zstd.compress}


@pytest.mark.parametrize("coding", PACKERS)
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/responses"])
async def test_a_compressed_body_is_inflated_within_the_limit(tmp_path: Path, coding: str, path: str) -> None:
    pack: Callable[[bytes], bytes] = PACKERS[coding]
    async with gates(tmp_path, max_body_bytes=100_000) as (gate, vllm):
        body = json.dumps(CHAT).encode()
        headers = {"Content-Encoding": coding, "Content-Type": "application/json"}
        async with gate.post(path, pack(body), headers=headers) as response:
            assert (response.status, await response.read()) == (200, WHOLE)
        assert vllm.received[0].body == body
        assert "content-encoding" not in vllm.received[0].headers
        bomb = pack(json.dumps(CHAT | {"x": "y" * 50_000_000}).encode())
        async with gate.post(path, bomb, headers=headers) as response:
            assert (len(bomb) < 100_000, response.status) == (True, 413)


async def test_a_chunked_upload_arrives_whole(tmp_path: Path) -> None:
    async with gates(tmp_path) as (gate, vllm):
        body = json.dumps(CHAT).encode()

        async def pieces() -> AsyncIterator[bytes]:
            for place in range(len(body)):
                yield body[place : place + 1]

        async with gate.session.post(gate.url + "/v1/chat/completions", data=pieces()) as response:
            assert response.status == 200
        assert vllm.received[0].body == body


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_json_that_is_nested_too_deeply(tmp_path: Path, dialect: str) -> None:
    async with gates(tmp_path) as (gate, vllm):
        deep = b'{"model":"qwen3:8b","messages":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
        async with gate.post(DIALECTS[dialect], deep) as response:
            assert (response.status, told(await response.read(), dialect)) == (
                400,
                "the request body is nested too deeply",
            )
        assert not vllm.received


@pytest.mark.parametrize("line", ["X-Long: " + "x" * 20_000, *(["\r\n".join(f"X-{n}: 1" for n in range(300))])])
async def test_too_much_header(tmp_path: Path, line: str) -> None:
    async with gates(tmp_path) as (gate, vllm):
        answer = await raw(gate, message("/v1/chat/completions", b"{}", line))
        assert answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.0 400 "))
        assert not vllm.received


@pytest.mark.parametrize(
    ("path", "stream"),
    [("/api/chat", True), ("/v1/chat/completions", True), ("/v1/chat/completions", False)],
)
async def test_an_old_client_reads_until_the_end(tmp_path: Path, path: str, stream: bool) -> None:
    async with gates(tmp_path) as (gate, _):
        body = json.dumps(CHAT | {"stream": stream}).encode()
        head, _, rest = (await raw(gate, message(path, body, version="1.0"))).partition(b"\r\n\r\n")
        assert head.split(b"\r\n")[0].endswith(b"200 OK")
        assert b"chunked" not in head.lower()
        assert rest.endswith((b"[DONE]\n\n", b'"done":true}\n', b"}\n", WHOLE))


async def test_one_connection_serves_several_requests_even_sent_ahead(tmp_path: Path) -> None:
    async with gates(tmp_path) as (gate, vllm):
        body = json.dumps(CHAT).encode()
        one = message("/v1/chat/completions", body)
        last = message("/v1/chat/completions", body, "Connection: close")
        answer = await raw(gate, one + one + last)
        assert answer.count(b"HTTP/1.1 200 OK") == 3
        assert answer.count(WHOLE) == 3
        assert len(vllm.received) == 3


@pytest.mark.parametrize("path", ["/", "/api/version", "/api/tags", "/v1/models", "/healthz"])
async def test_head_is_get_without_a_body(tmp_path: Path, path: str) -> None:
    async with gates(tmp_path) as (gate, _):
        async with gate.get(path) as response:
            length = len(await response.read())
        async with gate.session.head(gate.url + path) as response:
            assert (response.status, response.headers["Content-Length"]) == (200, str(length))
            assert await response.read() == b""


async def test_browsers_are_let_in_by_origin(tmp_path: Path) -> None:
    async with gates(tmp_path, origins=("https://*.example.org",)) as (gate, vllm):
        for origin, status in (
            ("https://chat.example.org", 200),
            ("http://localhost:3000", 200),
            ("https://example.com", 403),
        ):
            async with gate.post("/v1/chat/completions", CHAT, headers={"Origin": origin}) as response:
                assert response.status == status
                allowed = response.headers.get("Access-Control-Allow-Origin")
                assert allowed == (origin if status == 200 else None)
        assert all("origin" not in request.headers for request in vllm.received)
        own = {"Origin": gate.url}
        async with gate.post("/v1/chat/completions", CHAT, headers=own) as response:
            assert (response.status, "Access-Control-Allow-Origin" in response.headers) == (200, False)


async def test_all_origins_when_told_so(tmp_path: Path) -> None:
    async with gates(tmp_path, origins=("*",)) as (gate, _):
        preflight = {"Origin": "https://example.com", "Access-Control-Request-Method": "POST"}
        async with gate.session.options(gate.url + "/v1/chat/completions", headers=preflight) as response:
            assert (response.status, response.headers["Access-Control-Allow-Origin"]) == (204, "*")


async def test_a_request_may_pretend_no_second_model(tmp_path: Path) -> None:
    """Go's decoder ignores case: what is routed by `model` must not be served by `MODEL`."""

    async def serves(request: Received) -> None:
        await request.answer(b'{"model":"qwen3:8b","response":"","done":true}')

    async with engine(serves, models=["qwen3:8b"]) as ollama:
        async with scene(tmp_path, document(backend("ollama", ollama.url))) as gate:
            await gate.until_ready(True)
            body = b'{"model":"qwen3:8b","prompt":"x","MODEL":"secret","stream":false}'
            async with gate.post("/api/generate", body) as response:
                assert response.status == 200
        assert b"secret" not in ollama.received[0].body


async def test_what_was_dropped_is_told(tmp_path: Path) -> None:
    async with gates(tmp_path) as (gate, _):
        odd = {"mirostat": 1, "x\r\nSet-Cookie: y": 1}
        async with gate.post("/api/chat", CHAT | {"stream": True, "options": odd}) as response:
            assert response.status == 200
            warning = response.headers["X-ModelPool-Warning"]
            assert "Set-Cookie" not in response.headers
        assert "option 'mirostat' has no effect on this engine" in warning
        async with gate.post("/api/chat", CHAT | {"stream": True}) as response:
            assert "X-ModelPool-Warning" not in response.headers


async def test_nobody_learns_our_libraries(tmp_path: Path) -> None:
    async with gates(tmp_path) as (gate, _), gate.get("/api/version") as response:
        assert "Server" not in response.headers
