"""Whatever a door refuses is refused in one form: in the caller's dialect, with an id, with one line in the log."""

import asyncio
import contextlib
import gzip
import json
import logging
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import brotli
import pytest

from modelpool_sidecar.http.server import head_rules
from modelpool_sidecar.http.server.general.inflating import zstd

from .scenes import CHAT, Scene, backend, document, scene, until
from .scripted import Engine, Received, engine

WHOLE = b'{"model":"qwen3:8b","choices":[]}'
BODY = json.dumps(CHAT).encode()
DIALECTS = {"/api/chat": "ollama", "/v1/chat/completions": "openai", "/v1/messages": "anthropic", "": "ollama"}
GET_NEXT = b"GET /api/version HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


@asynccontextmanager
async def gates(folder: Path, **settings: Any) -> AsyncIterator[tuple[Scene, Engine]]:
    async def answers(request: Received) -> None:
        await request.answer(WHOLE)

    async with engine(answers) as vllm, scene(folder, document(backend("vllm", vllm.url)), **settings) as gate:
        await gate.until_ready(True)
        yield gate, vllm


async def talk(gate: Scene, *pieces: bytes) -> bytes:
    """Send bytes on a fresh connection, and read until it is closed."""
    reader, writer = await asyncio.open_connection(*gate.running.listening[0])
    for piece in pieces:
        writer.write(piece)
        await writer.drain()
    async with asyncio.timeout(5):
        answer = await reader.read()
    writer.close()
    return answer


def head(path: str, *lines: str, method: str = "POST", version: str = "1.1") -> bytes:
    return "\r\n".join((f"{method} {path} HTTP/{version}", "Host: localhost", *lines, "", "")).encode()


def message(body: bytes, dialect: str) -> str:
    """What an error says, which also has the dialect's shape."""
    found = json.loads(body)
    if dialect == "ollama":
        assert set(found) == {"error"}
        return str(found["error"])
    if dialect == "anthropic":
        assert (found["type"], set(found["error"])) == ("error", {"type", "message"})
    else:
        assert set(found["error"]) == {"message", "type", "param", "code"}
    return str(found["error"]["message"])


async def is_refused(gate: Scene, answer: bytes, status: int, path: str, *, head_only: bool = False) -> str:
    """Hold a refusal to its form; what it says."""
    told, _, body = answer.partition(b"\r\n\r\n")
    lines = told.split(b"\r\n")
    assert lines[0].startswith(b"HTTP/1.1 %d " % status), answer
    assert len(lines[0]) > len(b"HTTP/1.1 400 "), "it has no phrase"
    fields = dict(line.split(b": ", 1) for line in lines[1:])
    assert {b"X-Request-Id", b"Date", b"Content-Length", b"Content-Type"} <= set(fields)
    assert fields[b"Connection"] == b"close"
    assert b"Server" not in fields
    accepted = {one.strip() for one in fields.get(b"Accept-Encoding", b"").decode().split(",")} - {""}
    assert accepted == (set(head_rules.CODINGS) - {"x-gzip"} if status == 415 else set())  # which means gzip
    assert head_only or int(fields[b"Content-Length"]) == len(body)
    await until(lambda: gate.log.lines, seen=lambda: answer)
    (line,) = gate.log.lines
    assert (line.status, line.path, line.request_id) == (status, path, fields[b"X-Request-Id"].decode())
    assert line.error
    assert b"api_error" not in body, "it is the caller's fault"
    assert b"InternalServerError" not in body, "it is the caller's fault"
    return "" if head_only else message(body, DIALECTS[path])


CHUNKED = "Transfer-Encoding: chunked"
PACKED = gzip.compress(BODY)


def packed(data: bytes, coding: str = "gzip") -> bytes:
    return (
        head("/v1/messages", f"Content-Encoding: {coding}", "Connection: close", f"Content-Length: {len(data)}") + data
    )


MALFORMED: dict[str, tuple[bytes, int, str]] = {
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x07" * 40, 400, ""),
    "words": (b"hello?\r\n\r\n", 400, ""),
    "other words": (b"HELO example.org\r\n\r\n", 400, ""),
    "an answer": (b"HTTP/1.1 200 OK\r\n\r\n", 400, ""),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0", 505, ""),
    "HTTP/2 in name": (b"GET /api/chat HTTP/2.0\r\nHost: x\r\n\r\n", 505, "/api/chat"),
    "HTTP/0.9": (b"GET /api/chat\r\n\r\n", 400, "/api/chat"),
    "HTTP/1.2": (b"GET /api/chat HTTP/1.2\r\nHost: x\r\n\r\n", 505, "/api/chat"),
    "bare LF": (b"POST /v1/messages HTTP/1.1\nHost: x\n\n", 400, "/v1/messages"),
    "no Host": (b"POST /v1/messages HTTP/1.1\r\nContent-Length: 0\r\n\r\n", 400, "/v1/messages"),
    "two Hosts": (head("/v1/chat/completions", "Host: localhost"), 400, "/v1/chat/completions"),
    "two Hosts, old": (head("/v1/chat/completions", "Host: b", version="1.0"), 400, "/v1/chat/completions"),
    "two authors": (head("/v1/messages", "Authorization: a", "Authorization: b"), 400, "/v1/messages"),
    "two origins": (
        head("/v1/messages", "Origin: http://localhost", "Origin: http://evil.example"), 400, "/v1/messages",
    ),
    "two types": (head("/v1/messages", "Content-Type: a/b", "content-type: a/b"), 400, "/v1/messages"),
    "two lengths": (head("/v1/messages", "Content-Length: 1", "Content-Length: 1") + b"x", 400, "/v1/messages"),
    "space in a name": (head("/v1/messages", "X Y: z"), 400, "/v1/messages"),
    "a target in full of another scheme": (head("ftp://localhost/api/chat"), 400, ""),
    "fragment": (head("/api/chat#x"), 400, "/api/chat"),
    "expectation": (head("/v1/messages", "Expect: 200-ok", "Content-Length: 2"), 417, "/v1/messages"),
    "transfer coding": (head("/v1/messages", "Transfer-Encoding: gzip, chunked"), 501, "/v1/messages"),
    "transfer coding of old": (head("/v1/messages", CHUNKED, version="1.0"), 400, "/v1/messages"),
    "content coding": (packed(PACKED, "compress"), 415, "/v1/messages"),
    "no brotli": (packed(PACKED, "br"), 400, "/v1/messages"),
    "no zstd": (packed(PACKED, "zstd"), 400, "/v1/messages"),
    "brotli cut short": (packed(brotli.compress(BODY)[:-2], "br"), 400, "/v1/messages"),
    "zstd cut short": (packed(zstd.compress(BODY)[:-2], "zstd"), 400, "/v1/messages"),
    "two content codings": (packed(gzip.compress(PACKED), "gzip, gzip"), 415, "/v1/messages"),
    "no gzip": (packed(BODY), 400, "/v1/messages"),
    "gzip cut short": (packed(PACKED[:-9]), 400, "/v1/messages"),
    "gzip without its end": (packed(PACKED[:-1]), 400, "/v1/messages"),
    "gzip with more": (packed(PACKED + b"more"), 400, "/v1/messages"),
    "gzip that says deflate": (packed(PACKED, "deflate"), 400, "/v1/messages"),
    "deflate cut short": (packed(zlib.compress(BODY)[:-4], "deflate"), 400, "/v1/messages"),
    "no chunks": (head("/v1/messages", CHUNKED) + b"hello\r\n", 400, "/v1/messages"),
    "no chunk's end": (head("/v1/messages", CHUNKED) + b"2\r\nhi2\r\n", 400, "/v1/messages"),
    "no chunks for nobody": (head("/nope", CHUNKED) + b"x\r\n", 400, "/nope"),
    "too long a line": (head("/v1/messages", "X: " + "x" * 9000), 400, "/v1/messages"),
    "too many lines": (head("/v1/messages", *(f"X-{n}: 1" for n in range(129))), 400, "/v1/messages"),
    "too long a head": (head("/v1/messages", *(f"X-{n}: {'x' * 8000}" for n in range(9))), 400, "/v1/messages"),
    "too long a target": (head("/v1/messages?" + "x" * 9000), 400, "/v1/messages"),
    "too large": (head("/v1/messages", "Content-Length: 20000"), 413, "/v1/messages"),
    "too large in chunks": (head("/v1/messages", CHUNKED) + b"4e20\r\n" + b"x" * 20000, 413, "/v1/messages"),
    "too large inside": (packed(gzip.compress(b"x" * 20000)), 413, "/v1/messages"),
    "too large inside brotli": (packed(brotli.compress(b"x" * 20000), "br"), 413, "/v1/messages"),
    "too large inside zstd": (packed(zstd.compress(b"x" * 20000), "zstd"), 413, "/v1/messages"),
}  # fmt: skip
DIALECTS |= {"/nope": "ollama", "/v1/mess": "openai"}


@pytest.mark.parametrize("byte_by_byte", [False, True])
@pytest.mark.parametrize("case", MALFORMED)
async def test_a_refusal_has_one_form(
    tmp_path: Path, case: str, byte_by_byte: bool, caplog: pytest.LogCaptureFixture
) -> None:
    data, status, path = MALFORMED[case]
    async with gates(tmp_path, max_body_bytes=10_000) as (gate, vllm):
        pieces = [data[at : at + 1] for at in range(len(data))] if byte_by_byte else [data]
        try:
            answer = await talk(gate, *pieces)
        except ConnectionError:
            pytest.fail("the answer was lost, because the connection was cut while the caller was sending")
        assert await is_refused(gate, answer, status, path)
        assert not vllm.received
    assert not [record for record in caplog.records if record.levelno > logging.INFO]


IN_CHUNKS = head("/v1/messages", CHUNKED) + b"%x\r\n" % len(BODY) + BODY + b"\r\n0\r\n\r\n"


async def test_a_later_head_has_its_own_time_and_empty_lines_have_none(
    tmp_path: Path,
) -> None:
    async with gates(tmp_path, head_timeout=2.0) as (gate, _):
        gate.running.limits.idle_timeout = 0.5
        for sent, least in ((b"POST /v1/mess", 1.5), (b"\r\n", 0.0)):
            reader, writer = await asyncio.open_connection(*gate.running.listening[0])
            writer.write(IN_CHUNKS)
            async with asyncio.timeout(20):
                await reader.readuntil(WHOLE)
                began = asyncio.get_running_loop().time()
                writer.write(sent)
                rest = b""
                while not reader.at_eof():
                    if not least:
                        writer.write(sent)
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(0.05):
                            rest += await reader.read(100)
            assert asyncio.get_running_loop().time() - began > least
            assert rest.startswith(b"HTTP/1.1 408 " if least else b"")
            assert rest or not least
            writer.close()


BEGUN = (b"POST /v1/mess", b"POST /v1/messages HTTP/1.1\r\nHost: x\r\n")


@pytest.mark.parametrize("begun", [*BEGUN, b"\x01"])
async def test_a_later_head_that_does_not_come(tmp_path: Path, begun: bytes) -> None:
    """At the side door, where the first request came in chunks."""
    async with gates(tmp_path, head_timeout=0.2) as (gate, vllm):
        answer = await talk(gate, IN_CHUNKS + begun)
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
        statuses = [line.status for line in gate.log.lines]
        if begun == b"\x01":
            assert statuses == [200, 400]
            return
        assert statuses == [200, 408]
        assert b'"type":"error"' in answer.rpartition(b"\r\n\r\n")[2] or begun.endswith(b"mess")
        assert b"\r\nConnection: close\r\n" in answer.rpartition(b"HTTP/1.1 408 Request Timeout")[2]
        assert len(vllm.received) == 1


@pytest.mark.parametrize(
    "begun", [b"", b"POST /v1/mess", b"POST /v1/messages HTTP/1.1\r\nHost: x\r\n", b"HEAD /api/chat HT"]
)
async def test_a_first_head_that_does_not_come(tmp_path: Path, begun: bytes) -> None:
    """At the front door."""
    async with gates(tmp_path, head_timeout=0.2) as (gate, _):
        answer = await talk(gate, begun)
        path = (
            "/v1/messages" if b"Host" in begun else "/api/chat" if b"HEAD" in begun else "" if not begun else "/v1/mess"
        )
        told = await is_refused(gate, answer, 408, path, head_only=begun.startswith(b"HEAD"))
        assert told == ("" if begun.startswith(b"HEAD") else "the request's head did not come in time")
        async with gate.get("/metrics") as metrics:
            assert 'limits_reached_total{limit="head_seconds"} 1' in await metrics.text()


SLOW = {
    "front": head("/v1/messages", "Content-Length: 100") + b"x",
    "in chunks": head("/v1/messages", CHUNKED) + b"64\r\nx",
    "before its first chunk": head("/v1/messages", CHUNKED),
    "compressed": head("/v1/messages", "Content-Encoding: gzip", "Content-Length: 100") + PACKED[:20],
    "old": head("/v1/messages", "Content-Length: 100", version="1.0") + b"x",
    "upgrade": head("/v1/messages", "Content-Length: 100", "Connection: Upgrade", "Upgrade: h2c") + b"x",
    "too large for one piece": head("/v1/messages", "Content-Length: 100000", "Upgrade: x") + b"x" * 90_000,
    "large at the front": head("/v1/messages", "Content-Length: 100000") + b"x" * 90_000,
}


@pytest.mark.parametrize("case", SLOW)
async def test_a_body_that_does_not_come_in_time(tmp_path: Path, case: str) -> None:
    async with gates(tmp_path, body_timeout=0.3) as (gate, _):
        answer = await talk(gate, SLOW[case])
        assert "in time" in await is_refused(gate, answer, 408, "/v1/messages")
        async with gate.get("/metrics") as metrics:
            assert 'limits_reached_total{limit="body_seconds"} 1' in await metrics.text()


async def test_a_body_that_its_caller_never_sends_after_all(tmp_path: Path) -> None:
    async with gates(tmp_path, body_timeout=0.3) as (gate, _):
        answer = await talk(gate, head("/v1/messages", "Expect: 100-continue", "Content-Length: 100"))
        go_on, _, answer = answer.partition(b"\r\n\r\n")
        assert go_on == b"HTTP/1.1 100 Continue"
        assert "in time" in await is_refused(gate, answer, 408, "/v1/messages")
