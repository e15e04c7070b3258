"""A gateway that is asked to stop: what callers are told meanwhile, and when the time is up."""

import asyncio
import contextlib
import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from modelpool_sidecar.http.server.server import STOPPED
from modelpool_sidecar.stopping import Stop

from . import processes
from .scenes import CHAT, Scene, backend, document, put, scene, until
from .scripted import Engine, Received, engine

DOORS = {"front": "X: y", "side": "Upgrade: none"}
WORD = b'data: {"id":"1","model":"qwen3:8b","choices":[{"index":0,"delta":{"content":"w"},"finish_reason":null}]}\n\n'
MESSAGE = b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0}\n\n'


def message(method: str, path: str, line: str, body: bytes = b"", version: str = "1.1") -> bytes:
    head = (f"{method} {path} HTTP/{version}", "Host: localhost", line, f"Content-Length: {len(body)}", "", "")
    return "\r\n".join(head).encode() + body


async def talk(gate: Scene, sent: bytes) -> bytes:
    """What comes back until the connection is closed by the gateway."""
    reader, writer = await asyncio.open_connection(*gate.running.listening[0])
    writer.write(sent)
    try:
        async with asyncio.timeout(20):
            return await reader.read()
    finally:
        writer.close()


async def speaks(request: Received) -> None:
    if request.json.get("stream"):
        await request.begin()
        await request.chunk(WORD)
        await request.chunk(b"data: [DONE]\n\n")
        await request.end()
    else:
        await request.answer(b'{"model":"qwen3:8b","choices":[]}')


ASKED = {
    "page": ("GET", "/metrics", b""),
    "list": ("GET", "/api/tags", b""),
    "head": ("HEAD", "/v1/models", b""),
    "refused": ("POST", "/nope", b""),
    "document": ("POST", "/v1/chat/completions", json.dumps(CHAT).encode()),
    "stream": ("POST", "/v1/chat/completions", json.dumps(CHAT | {"stream": True}).encode()),
    "translated": ("POST", "/api/chat", json.dumps(CHAT).encode()),
}


@pytest.mark.parametrize("version", ["1.1", "1.0"])
@pytest.mark.parametrize("line", DOORS.values(), ids=DOORS.keys())
async def test_every_answer_of_a_draining_gateway_closes_its_connection(
    tmp_path: Path, line: str, version: str
) -> None:
    """That of a connection which was open, and that of a new one, also where more was sent ahead."""
    async with engine(speaks) as vllm, scene(tmp_path, document(backend("vllm", vllm.url))) as gate:
        await gate.until_ready(True)
        kept = line if version == "1.1" else f"{line}\r\nConnection: keep-alive"
        open_before = []
        for asked in ASKED.values():
            reader, writer = await asyncio.open_connection(*gate.running.listening[0])
            writer.write(message("GET", "/healthz", kept, version=version))
            told = await reader.readuntil(b"ok\n")
            assert (b"Connection: close" in told, b"keep-alive" in told) == (False, version == "1.0")
            open_before.append((asked, reader, writer))
        gate.running.server.drain()
        for (method, path, body), reader, writer in open_before:
            sent = message(method, path, kept, body, version)
            writer.write(sent + sent)
            async with asyncio.timeout(20):
                answers = [await reader.read(), await talk(gate, sent + sent)]
            writer.close()
            for answer in answers:
                head = answer.partition(b"\r\n\r\n")[0]
                assert head.startswith(b"HTTP/1.1 "), (path, answer)
                assert b"\r\nConnection: close" in head, (path, head)
                assert answer.count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize("line", DOORS.values(), ids=DOORS.keys())
async def test_a_stream_that_had_begun_is_the_last_of_its_connection(tmp_path: Path, line: str) -> None:
    going = asyncio.Event()

    async def slow(request: Received) -> None:
        await request.begin()
        await request.chunk(WORD)
        await going.wait()
        await request.chunk(b"data: [DONE]\n\n")
        await request.end()

    async with engine(slow) as vllm, scene(tmp_path, document(backend("vllm", vllm.url))) as gate:
        await gate.until_ready(True)
        method, path, body = ASKED["stream"]
        reader, writer = await asyncio.open_connection(*gate.running.listening[0])
        writer.write(message(method, path, line, body) * 2)
        await reader.readuntil(WORD)
        gate.running.server.drain()
        going.set()
        async with asyncio.timeout(20):
            rest = await reader.read()
        writer.close()
        assert rest.endswith(b"[DONE]\n\n\r\n0\r\n\r\n")
        assert len(vllm.received) == 1


@dataclass
class Program:
    """A gateway that is its own process, and what it writes."""

    process: asyncio.subprocess.Process
    host: str
    port: int

    async def end(self) -> list[dict[str, Any]]:
        _, told = await asyncio.wait_for(self.process.communicate(), 60)
        assert self.process.returncode == 0, told
        return [json.loads(line) for line in told.splitlines()]


@asynccontextmanager
async def program(folder: Path, one: Engine, *flags: str) -> AsyncIterator[Program]:
    routes = folder / "routes.json"
    put(routes, document(backend("vllm", one.url, room=64)))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "error", "-m", "modelpool_sidecar", "--routes-file", str(routes)),
        *("--listen", "127.0.0.1:0", *flags),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    where = json.loads(await process.stdout.readline())["listening"][0]
    try:
        await asyncio.to_thread(processes.until_ok, f"http://{where}/modelpool/routes", '"ready": true')
        host, _, port = where.rpartition(":")
        yield Program(process, host, int(port))
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def openai(error: bytes) -> str:
    return str(json.loads(error.removeprefix(b"data: "))["error"]["message"])


def anthropic(error: bytes) -> str:
    name, _, data = error.partition(b"\n")
    assert name == b"event: error"
    found = json.loads(data.removeprefix(b"data: "))
    assert found["type"] == "error"
    return str(found["error"]["message"])


def ollama(error: bytes) -> str:
    found = json.loads(error)
    assert set(found) == {"error"}
    return str(found["error"])


STREAMS: dict[str, tuple[str, bytes, Any]] = {
    "OpenAI": ("/v1/chat/completions", WORD, openai),
    "Anthropic": ("/v1/messages", MESSAGE, anthropic),
    "Ollama, translated": ("/api/chat", WORD, ollama),
}
ENDS = {
    "time is up": (("--drain-delay", "0", "--shutdown-timeout", "0.5"), (signal.SIGTERM,)),
    "SIGTERM twice": (("--drain-delay", "300"), (signal.SIGTERM, signal.SIGTERM)),
    "SIGINT twice": (("--drain-delay", "0"), (signal.SIGINT, signal.SIGINT)),
    "SIGHUP, then SIGTERM": (("--drain-delay", "0"), (signal.SIGHUP, signal.SIGTERM)),
    "SIGHUP twice": (("--drain-delay", "300"), (signal.SIGHUP, signal.SIGHUP)),
}


@pytest.mark.parametrize("how", ENDS.values(), ids=ENDS.keys())
async def test_when_time_is_up_answers_end_with_their_dialects_error(
    tmp_path: Path, how: tuple[tuple[str, ...], tuple[signal.Signals, ...]]
) -> None:
    """Streams with their last line or event; who has seen nothing yet gets 503. At both doors."""
    flags, signals = how

    async def hangs(request: Received) -> None:
        if request.json.get("stream"):
            await request.begin()
            await request.chunk(MESSAGE if request.path == "/v1/messages" else WORD)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(request.gone.wait(), 60)

    async with engine(hangs) as vllm, program(tmp_path, vllm, *flags) as gate:
        asked: list[tuple[bool, Any, asyncio.StreamReader, asyncio.StreamWriter]] = []
        for line in DOORS.values():
            for path, first, error in STREAMS.values():
                for stream in (True, False):
                    reader, writer = await asyncio.open_connection(gate.host, gate.port)
                    writer.write(message("POST", path, line, json.dumps(CHAT | {"stream": stream}).encode()))
                    if stream:
                        await asyncio.wait_for(reader.readuntil(b"w" if error is ollama else first), 20)
                    asked.append((stream, error, reader, writer))
        await until(lambda: len(vllm.received) == len(asked), seen=lambda: vllm.received)
        for number in signals:
            gate.process.send_signal(number)
            await asyncio.sleep(0.2)
        for stream, error, reader, writer in asked:
            async with asyncio.timeout(20):
                rest = await reader.read()
            writer.close()
            if stream:
                text = b"".join(line for line in rest.split(b"\r\n") if len(line) > 3).strip()
                last = text.split(b"\n\n")[-1] if error is not ollama else text.splitlines()[-1]
                assert error(last) == STOPPED, rest
                assert rest.endswith(b"\r\n0\r\n\r\n") is (error is ollama)
            else:
                head, _, body = rest.partition(b"\r\n\r\n")
                assert head.startswith(b"HTTP/1.1 503 "), rest
                assert b"\r\nConnection: close" in head
                assert (
                    json.loads(body)["error"] if error is ollama else json.loads(body)["error"]["message"]
                ) == STOPPED
        lines = await gate.end()
        told = [(line["status"], line["error"]) for line in lines if line.get("path", "").startswith(("/v1/", "/api/"))]
        assert sorted(told) == [(200, STOPPED)] * 6 + [(503, STOPPED)] * 6


async def test_a_gateway_that_nobody_uses_ends_at_once_in_a_hurry(tmp_path: Path) -> None:
    async with engine(speaks) as vllm, program(tmp_path, vllm, "--drain-delay", "300") as gate:
        gate.process.send_signal(signal.SIGTERM)
        await asyncio.sleep(0.1)
        gate.process.send_signal(signal.SIGTERM)
        assert (await gate.end())[-1]["message"] == "Draining"


@pytest.mark.parametrize("line", DOORS.values(), ids=DOORS.keys())
@pytest.mark.parametrize("path", ["/api/chat", "/v1/chat/completions"])
async def test_who_is_still_sending_its_request_is_told_why_not(tmp_path: Path, line: str, path: str) -> None:
    async with engine(speaks) as vllm:
        async with scene(tmp_path, document(backend("vllm", vllm.url)), shutdown_timeout=0.3) as gate:
            await gate.until_ready(True)
            reader, writer = await asyncio.open_connection(*gate.running.listening[0])
            begun = message("POST", path, line, json.dumps(CHAT).encode())[:-1]
            writer.write(message("GET", "/healthz", line) + begun)
            await reader.readuntil(b"ok\n")  # so the rest has come, too
            async with asyncio.timeout(20), asyncio.TaskGroup() as group:
                group.create_task(gate.running.server.close(0.3), name="close")
                answer = await reader.read()
                writer.close()
            assert answer.startswith(b"HTTP/1.1 503 "), answer
            assert STOPPED.encode() in answer
        assert not vllm.received


def test_to_ask_again_is_to_hurry() -> None:
    stop = Stop()
    told = []
    for _ in range(3):
        stop.ask()
        told.append((stop.asked.is_set(), stop.hurried.is_set()))
    assert told == [(True, False), (True, True), (True, True)]
