"""Callers that wait to be told to go on, and callers that ask for another protocol."""

import asyncio
import json
from pathlib import Path

import pytest

from ..gateway.scenes import CHAT, backend, document, scene
from ..gateway.scripted import Received, engine
from ..gateway.test_door_refusals import DIALECTS, gates, head, is_refused, talk

BODY = json.dumps(CHAT).encode()
WHOLE = b'{"model":"qwen3:8b","choices":[]}'
BLOB = "/api/blobs/sha256:" + "0" * 64
WAITS = "Expect: 100-continue"
HOPELESS: dict[str, tuple[bytes, int, str]] = {
    "unknown path": (head("/v1/nope", WAITS, "Content-Length: 5"), 404, "/v1/nope"),
    "unknown path, in chunks": (head("/v1/nope", WAITS, "Transfer-Encoding: chunked"), 404, "/v1/nope"),
    "wrong method": (head("/v1/messages", WAITS, "Content-Length: 5", method="PUT"), 405, "/v1/messages"),
    "closed call": (head(BLOB, WAITS, "Content-Length: 50000000"), 403, BLOB),
    "closed call, in chunks": (head("/sleep", WAITS, "Transfer-Encoding: chunked"), 403, "/sleep"),
    "too large": (head("/v1/messages", WAITS, "Content-Length: 10001"), 413, "/v1/messages"),
    "another expectation": (head("/v1/messages", WAITS + ", other", "Content-Length: 5"), 417, "/v1/messages"),
    "two hosts": (head("/v1/messages", WAITS, "Host: other", "Content-Length: 5"), 400, "/v1/messages"),
    "content coding": (head("/v1/messages", WAITS, "Content-Encoding: lzw", "Content-Length: 5"), 415, "/v1/messages"),
}  # fmt: skip


@pytest.mark.parametrize("case", HOPELESS)
async def test_what_the_head_alone_forbids_is_refused_instead(tmp_path: Path, case: str) -> None:
    data, status, path = HOPELESS[case]
    DIALECTS.update({"/v1/nope": "openai", BLOB: "ollama", "/sleep": "openai"})
    async with gates(tmp_path, max_body_bytes=10_000) as (gate, _):
        assert await is_refused(gate, await talk(gate, data), status, path)


async def test_a_forbidden_origin_and_host_are_refused_instead(tmp_path: Path) -> None:
    async with gates(tmp_path) as (gate, _):
        for data in (
            head("/v1/messages", WAITS, "Origin: http://evil.example", "Content-Length: 5"),
            head("/v1/messages", WAITS, "Content-Length: 5").replace(b"Host: localhost", b"Host: evil.example"),
        ):
            answer = await talk(gate, data)
            assert answer.startswith(b"HTTP/1.1 403 Forbidden\r\n")
            assert b"\r\nConnection: close\r\n" in answer


async def test_whoever_is_told_to_go_on_is_answered(tmp_path: Path) -> None:
    async with gates(tmp_path) as (gate, vllm):
        reader, writer = await asyncio.open_connection(*gate.running.listening[0])
        async with asyncio.timeout(20):
            for _ in range(2):
                writer.write(head("/v1/messages", WAITS, f"Content-Length: {len(BODY)}"))
                assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
                writer.write(BODY)
                assert (await reader.readuntil(WHOLE)).startswith(b"HTTP/1.1 200 OK\r\n")
            writer.write(head("/v1/messages", WAITS, f"Content-Length: {len(BODY)}") + BODY)  # who does not wait
            assert (await reader.readuntil(WHOLE)).startswith(b"HTTP/1.1 200 OK\r\n")
            writer.write(head("/api/version", WAITS, method="GET"))  # who has nothing to send
            assert (await reader.readuntil(b"}")).startswith(b"HTTP/1.1 200 OK\r\n")
            old = head("/v1/messages", WAITS, f"Content-Length: {len(BODY)}", version="1.0")
            writer.write(old)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await reader.read(1)
            writer.write(BODY)
            assert (await reader.read()).startswith(b"HTTP/1.1 200 OK\r\n")
        writer.close()
        await writer.wait_closed()
        assert len(vllm.received) == 4


H2C = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__")
SOCKET = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: eA==")
LAST = head("/api/version", "Connection: close", method="GET")


@pytest.mark.parametrize("asked", [H2C, SOCKET, ("Upgrade: h2c",), ("Connection: upgrade", "Upgrade: TLS/1.0, other")])
@pytest.mark.parametrize("cut", [False, True])
async def test_another_protocol_is_not_taken_up(tmp_path: Path, asked: tuple[str, ...], cut: bool) -> None:
    """The request is answered as if it had not asked, and so is the one behind it."""
    chunks = b"5\r\n" + BODY[:5] + b"\r\n%x\r\n" % (len(BODY) - 5) + BODY[5:] + b"\r\n0\r\n\r\n"
    for path, body in (("/v1/messages", f"Content-Length: {len(BODY)}"), ("/api/nope", "Content-Length: 2")):
        data = head(path, *asked, body) + (BODY if "messages" in path else b"hi")
        data += head("/v1/messages", *asked, "Transfer-Encoding: chunked") + chunks
        data += head("/api/version", *asked, method="GET") + LAST
        async with gates(tmp_path) as (gate, vllm):
            answer = await talk(gate, *([data[at : at + 1] for at in range(len(data))] if cut else [data]))
            first = 200 if "messages" in path else 404
            assert [line.status for line in gate.log.lines] == [first, 200, 200, 200]
            assert answer.count(b"HTTP/1.1 ") == 4
            assert {one.body for one in vllm.received} == {BODY}
            assert not {"upgrade", "http2-settings"} & set(vllm.received[0].headers) or asked[0].startswith("Upgrade")


async def test_old_callers_and_their_connections(tmp_path: Path) -> None:
    async with gates(tmp_path) as (gate, _):
        stays = head("/api/version", "Connection: keep-alive", method="GET", version="1.0")
        answer = await talk(gate, stays + stays + head("/api/version", method="GET", version="1.0") + stays)
        assert answer.count(b"HTTP/1.1 200 OK") == 3
        assert answer.count(b"\r\nConnection: keep-alive\r\n") == 2
        assert answer.count(b"\r\nConnection: close\r\n") == 1
        nameless = b"GET /api/version HTTP/1.0\r\n\r\n"
        assert (await talk(gate, nameless)).startswith(b"HTTP/1.1 200 OK")
        answer = await talk(gate, head("/api/version", method="HEAD", version="1.0"))
        assert answer.startswith(b"HTTP/1.1 200 OK")
        assert answer.endswith(b"\r\n\r\n")


async def test_nobody_answers_for_a_caller_that_left_while_it_sent(tmp_path: Path) -> None:
    async def answers(request: Received) -> None:
        await request.answer(WHOLE)

    async with engine(answers) as vllm, scene(tmp_path, document(backend("vllm", vllm.url))) as gate:
        await gate.until_ready(True)
        for lines in (("Transfer-Encoding: chunked",), (WAITS, "Content-Length: 200000"), ("Content-Length: 200000",)):
            reader, writer = await asyncio.open_connection(*gate.running.listening[0])
            writer.write(head("/v1/messages", *lines) + b"5\r\nx")
            writer.close()
            async with asyncio.timeout(20):
                await reader.read()
                await writer.wait_closed()
        assert not vllm.received
        async with gate.get("/api/version") as response:
            assert response.status == 200
