"""The same request through either door: what the caller reads and what the engine was asked are the same bytes.

A request that names `Upgrade` is not common, so the side door reads it; the header itself ends at the gateway. What
differs by nature is masked: ids, dates, the times in Ollama's answers.
"""

import asyncio
import json
import logging
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest

from modelpool_sidecar.http.server.general.connections import GeneralConnections

from .scenes import CHAT, Scene, backend, document, scene
from .scripted import Engine, Received, engine

MASKS = (
    (rb"(?m)^Date: .*?\r$", b"Date: -\r"),
    (rb"(?m)^X-Request-Id: .*?\r$", b"X-Request-Id: -\r"),
    (rb"(?m)^X-ModelPool-Queue-Ms: \d+\r$", b"X-ModelPool-Queue-Ms: -\r"),
    (rb'"(\w+_duration)":\d+', rb'"\1":0'),
    (rb'"created_at":"[^"]*"', b'"created_at":""'),
    (rb"\r\n[0-9a-f]+\r\n", b""),  # where a stream is cut is chance
    (rb'"(expires_at|modified_at)":"[^"]*"', rb'"\1":""'),
)
WORD = b'data: {"id":"1","model":"qwen3:8b","choices":[{"index":0,"delta":{"content":"w"},"finish_reason":null}]}\n\n'
LAST = b'data: {"id":"1","model":"qwen3:8b","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
DONE = b"data: [DONE]\n\n"
WHOLE = b'{"model":"qwen3:8b","choices":[{"message":{"content":"w"},"finish_reason":"stop"}]}'


async def answers(request: Received) -> None:
    what = str(request.json.get("user", ""))
    if what == "unwell":
        await request.answer(b'{"error":{"message":"too long","code":400}}', status=400)
    elif what == "busy":
        await request.answer(b'{"error":{"message":"busy"}}', status=503)
    elif what == "large":
        await request.answer(b'{"x":"' + b"y" * 2_000_000 + b'"}')
    elif not request.json.get("stream"):
        await request.answer(WHOLE, extra="X-Engine: 1\r\nServer: uvicorn\r\n")
    else:
        await request.begin()
        await request.chunk(WORD + WORD)
        if what == "breaks":
            request.die()
            return
        await request.chunk(LAST + DONE)
        await request.end()


def body(**more: Any) -> bytes:
    return json.dumps(CHAT | {"prompt": "x"} | more).encode()


LARGE = {"messages": [{"role": "user", "content": "word " * 40_000}]}
REQUESTS: dict[str, tuple[str, str, bytes]] = {
    "document": ("POST", "/v1/chat/completions", body()),
    "large document": ("POST", "/v1/chat/completions", body(**LARGE)),
    "large answer": ("POST", "/v1/chat/completions", body(user="large")),
    "query": ("POST", "/v1/completions?a=b%20c&d", body()),
    "prefix": ("POST", "/openai/v1/embeddings", body(input="x")),
    "alias": ("POST", "/v1/chat/completions", body(model="alias")),
    "stream": ("POST", "/v1/chat/completions", body(stream=True)),
    "alias' stream": ("POST", "/v1/completions", body(model="alias", stream=True)),
    "broken stream": ("POST", "/v1/chat/completions", body(stream=True, user="breaks")),
    "Anthropic": ("POST", "/v1/messages", body()),
    "translated document": ("POST", "/api/chat", body(stream=False)),
    "translated stream": ("POST", "/api/chat", body()),
    "translated prompt": ("POST", "/ollama/api/generate", body()),
    "loading": ("POST", "/api/chat", b'{"model":"qwen3:8b"}'),
    "refused by the engine": ("POST", "/v1/chat/completions", body(user="unwell")),
    "busy engine": ("POST", "/v1/chat/completions", body(user="busy")),
    "no JSON": ("POST", "/v1/chat/completions", b"{"),
    "no body": ("POST", "/api/chat", b""),
    "unknown model": ("POST", "/api/generate", body(model="nope")),
    "unknown path": ("POST", "/nope", b"x"),
    "wrong method": ("GET", "/api/chat", b""),
    "show": ("POST", "/api/show", b'{"model":"qwen3:8b"}'),
    "list": ("GET", "/api/tags", b""),
    "one model": ("GET", "/v1/models/qwen3:8b", b""),
    "HEAD": ("HEAD", "/api/version", b""),
    "sign of life": ("GET", "/", b""),
    "health": ("GET", "/healthz", b""),
}
WAYS = {"stays": "X-A: b", "leaves": "Connection: close", "names a caller": "Authorization: Bearer k\r\nX-Source: \xe4"}


async def ask(gate: Scene, request: tuple[str, str, bytes], way: str, *lines: str) -> bytes:
    """The answer to one request on a fresh connection, up to a request behind it that closes the connection."""
    method, path, data = request
    reader, writer = await asyncio.open_connection(*gate.running.listening[0])
    head = (f"{method} {path} HTTP/1.1", "Host: localhost", way, *lines, f"Content-Length: {len(data)}", "", "")
    writer.write("\r\n".join(head).encode() + data)
    if "close" not in way:
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    async with asyncio.timeout(30):
        answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return masked(answer)


def masked(answer: bytes) -> bytes:
    for pattern, mask in MASKS:
        answer = re.sub(pattern, mask, answer)
    return answer


@asynccontextmanager
async def world(folder: Path) -> AsyncIterator[tuple[Scene, Engine]]:
    async with (
        engine(answers) as vllm,
        scene(folder, document(backend("vllm", vllm.url), aliases=["alias"])) as gate,
    ):
        await gate.until_ready(True)
        yield gate, vllm


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
async def test_both_doors_give_the_same_bytes(tmp_path: Path, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    lent = 0
    protocol = GeneralConnections.protocol

    def counted(self: GeneralConnections, due: float) -> asyncio.Protocol:
        nonlocal lent
        lent += 1
        return protocol(self, due)

    monkeypatch.setattr(GeneralConnections, "protocol", counted)
    async with world(tmp_path) as (gate, vllm):
        seen = 0
        for name, request in REQUESTS.items():
            front = await ask(gate, request, way)
            assert lent == 0, name
            aside = await ask(gate, request, way, "Upgrade: none")
            assert lent == 1, name
            lent = 0
            if name.startswith(("translated", "loading")):  # its times have more digits or fewer
                front, aside = (re.sub(rb"Content-Length: \d+", b"", one) for one in (front, aside))
            assert front == aside, name
            assert front.startswith(b"HTTP/1.1 "), name
            await gate.until_idle()
            if len(vllm.received) > seen:
                one, other = vllm.received[seen:]
                seen += 2
                ids = (one.headers.pop("x-request-id"), other.headers.pop("x-request-id"))
                assert ids[0] != ids[1]
                assert (one.method, one.path, one.headers, one.body) == (
                    other.method, other.path, other.headers, other.body,
                ), name  # fmt: skip
        statuses = [line.status for line in gate.log.lines if line.path != "/healthz"]
        assert statuses[::2] == statuses[1::2]


HOSTS: tuple[list[str], ...] = (
    [], ["Host: localhost"], ["host: localhost"], ["Host: localhost", "Host: localhost"], ["Host: a", "Host: b"],
         ["Host: "], ["Host: a b"], ["Host: a/b"], ["Host: [::1]:80"])  # fmt: skip
LENGTHS = (
    ["Content-Length: {}"], ["content-length: {}"], ["Content-Length: {}", "Content-Length: {}"],
    ["Content-Length: {}, {}"], ["Content-Length: +{}"], ["Content-Length:{}"], ["Content-Length: 00{}"],
)  # fmt: skip
ODD: tuple[list[str], ...] = (
    [], ["Connection: close"], ["Connection: keep-alive"], ["Connection: X-A", "X-A: b"], ["Expect: 100-continue"],
    ["Expect: 100-CONTINUE"], ["Expect: 100-continue, 100-continue"], ["Expect: 100-continue", "Expect: other"],
    ["Expect: other"], ["Expect: "], ["Content-Type: a/b", "Content-Type: a/b"],
    ["Authorization: a", "Authorization: b"],
    ["Origin: http://localhost", "Origin: http://evil.example"], ["Origin: http://evil.example"],
    ["User-Agent: a", "User-Agent: b"], ["X-Request-Id: a", "X-Request-Id: b"], ["Content-Encoding: identity"],
    ["Content-Encoding: br"], ["Content-Encoding: gzip"], ["Content-Encoding: gzip, gzip"], ["Upgrade: h2c"],
    ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"],
    ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: x"],
    ["TE: trailers"],
    ["Bad Name: x"], ["X: \x01"], [" folded"], ["No-Colon"], [": nameless"],
)  # fmt: skip
METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "get", "FOO", "TRACE", "PROPFIND")
TARGETS = (
    "/v1/chat/completions", "/api/chat", "/v1/messages", "/api/version", "/healthz", "/nope", "/v1/nope", "/api/pull",
    "/v1/ch%61t/completions", "http://localhost/api/version", "*", "nope", "/a b", "/api/version#x",
)  # fmt: skip
VERSIONS = ("1.1", "1.0", "0.9", "2.0", "1.2", "3.0", "1.1 ", "x")


STATUS = re.compile(rb"HTTP/1\.1 (\d+) [^\r]*\r\n(?:[^\r]+\r\n)*")
PAGE = b"Content-Type: text/plain; charset=utf-8\r\n"


def some_head(chance: Random, data: bytes) -> tuple[str, list[str]]:
    """A request's line and its headers, most of them as they should be, and some not."""
    method = chance.choice(METHODS[:4] * 4 + METHODS[4:])
    version = chance.choice(VERSIONS[:1] * 12 + VERSIONS[1:2] * 4 + VERSIONS[2:])
    lines = [*chance.choice(HOSTS[1:2] * 12 + HOSTS), *chance.choice(LENGTHS[:1] * 8 + LENGTHS)]
    for _ in range(chance.choice((0, 1, 1, 2))):
        lines += chance.choice(ODD)
    return f"{method} {chance.choice(TARGETS)} HTTP/{version}", [line.format(len(data), len(data)) for line in lines]


@pytest.mark.parametrize("seed", range(4))
async def test_both_doors_have_one_manner(tmp_path: Path, seed: int, caplog: pytest.LogCaptureFixture) -> None:
    """Whichever door reads a head, its caller gets the same, of one form, with one line in the log."""
    chance = Random(seed)
    seen: set[bytes] = set()
    async with world(tmp_path) as (gate, _):
        for _ in range(300):
            data = chance.choice([b"", b"hi", body(), b'{"model":"nope"}'])
            start, lines = some_head(chance, data)
            answers: list[bytes] = []
            head = b""
            for more in ([], ["Upgrade: none"]):
                head = "\r\n".join([start, *more, *lines, "", ""]).encode("latin-1")
                before = len(gate.log.lines)
                answer = await talk(gate, head + data)
                answer = re.sub(rb"(?s)^HTTP/1.1 100 Continue\r\n\r\n", b"", answer)
                answers.append(answer)
                told = [one for one in STATUS.finditer(answer) if PAGE not in one[0]]
                assert answer.startswith(b"HTTP/1.1 "), (head, answer)
                assert all(b"X-Request-Id: " in one[0] and b"Date: " in one[0] for one in told), (head, answer)
                assert [line.status for line in gate.log.lines[before:]] == [int(one[1]) for one in told], (
                    head,
                    answer,
                )
                seen.update(one[1] for one in told)
            assert masked(answers[0]) == masked(answers[1]), head
    assert {b"200", b"400", b"404", b"405", b"417", b"415", b"505"} <= seen
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


async def talk(gate: Scene, data: bytes) -> bytes:
    """Send a request and one behind it that closes the connection: all that comes back."""
    reader, writer = await asyncio.open_connection(*gate.running.listening[0])
    writer.write(data + b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    async with asyncio.timeout(30):
        answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


SMUGGLED = b"POST /api/generate HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
MALFORMED = {
    "length and chunked": b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "chunked and length": b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "two lengths": b"Content-Length: 0\r\nContent-Length: 5\r\n\r\n" + SMUGGLED,
    "two equal lengths": b"Content-Length: 0\r\nContent-Length: 0\r\n\r\n" + SMUGGLED,
    "list of lengths": b"Content-Length: 0, 5\r\n\r\n" + SMUGGLED,
    "length with a sign": b"Content-Length: +5\r\n\r\n" + SMUGGLED,
    "length in hexadecimal": b"Content-Length: 0x5\r\n\r\n" + SMUGGLED,
    "space before colon": b"Content-Length : 5\r\n\r\n" + SMUGGLED,
    "folded header": b"X-A: b\r\n Content-Length: 5\r\n\r\n" + SMUGGLED,
    "bare LF": b"X-A: b\nContent-Length: 5\r\n\r\n" + SMUGGLED,
    "bare CR": b"X-A: b\rContent-Length: 5\r\n\r\n" + SMUGGLED,
    "NUL": b"X-A: b\0c\r\nContent-Length: 0\r\n\r\n" + SMUGGLED,
    "chunk size": b"Transfer-Encoding: chunked\r\n\r\n-1\r\nhi\r\n0\r\n\r\n" + SMUGGLED,
    "chunk size with a prefix": b"Transfer-Encoding: chunked\r\n\r\n0x2\r\nhi\r\n0\r\n\r\n" + SMUGGLED,
    "chunk without its end": b"Transfer-Encoding: chunked\r\n\r\n2\r\nhiX\r\n0\r\n\r\n" + SMUGGLED,
    "coding in another's name": b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
}


@pytest.mark.parametrize("rest", MALFORMED.values(), ids=MALFORMED.keys())
async def test_no_request_hides_behind_a_malformed_one(tmp_path: Path, rest: bytes) -> None:
    async with world(tmp_path) as (gate, vllm):
        reader, writer = await asyncio.open_connection(*gate.running.listening[0])
        writer.write(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n" + rest)
        async with asyncio.timeout(30):
            answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert answer.count(b"HTTP/1.") == 1
        assert not vllm.received
        assert all("generate" not in line.path for line in gate.log.lines)
