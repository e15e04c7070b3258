"""Engines that do not come to an end: lines, documents, answers.

The caller gets one error or its answer, and the engine is let go at once.
"""

import asyncio
import json
import time
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from modelpool_sidecar.dialects.bounds import Bounds
from modelpool_sidecar.dialects.dialect import Operation
from modelpool_sidecar.dialects.sse import LineSplitter
from modelpool_sidecar.http.client.response_parser import ResponseParser
from modelpool_sidecar.serving.model_renaming import Renamer
from modelpool_sidecar.translation import Timings
from modelpool_sidecar.translation.replies import TextReply

from .scenes import CHAT, Scene, backend, document, scene, until
from .scripted import Behaviour, Engine, Received, engine

LINE = 200_000
ANSWER = 1_000_000
FLOOD = 64 * 1024 * 1024
SENT = 24 * 1024 * 1024
"""What an engine can have sent at most until it was let go: limit and sockets."""
WORD = b'data: {"id":"1","model":"served","choices":[{"index":0,"delta":{"content":"w"},"finish_reason":null}]}\n\n'
THOUGHT = WORD.replace(b"content", b"reasoning")
CALL = b'{"index":0,"function":{"name":"f","arguments":"%b"}}'
TOOL = b'data: {"choices":[{"index":0,"delta":{"tool_calls":[%b]}}]}\n\n' % CALL
ROLE = b'data: {"id":"1","model":"served","choices":[{"index":0,"delta":{"role":"assistant"}}]}\n\n'
LAST = b'data: {"id":"1","model":"served","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
DONE = b"data: [DONE]\n\n"
ERROR = b'data: {"error": {"message": "EngineCore encountered an issue.", "code": 500}}\n\n'
LINES = b'{"model":"served","message":{"role":"assistant","content":"w"},"done":false}\n'
SAID = b'{"model":"served","done":true,"done_reason":"stop","total_duration":1}\n'
STOP = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
MESSAGE = b'event: content_block_delta\ndata: {"type":"content_block_delta","model":"served"}\n\n'
EVENTS, NDJSON, JSON = "text/event-stream", "application/x-ndjson", "application/json"


class Endless:
    """An engine that begins as it is told to, and then goes on with the same for as long as somebody takes it."""

    def __init__(self, kind: str, begin: bytes, again: bytes) -> None:
        self.kind = kind
        self.begin = begin
        self.again = again
        self.sent = 0
        self.gone: float | None = None

    async def __call__(self, request: Received) -> None:
        try:
            await request.begin(self.kind)
            if self.begin:
                await request.chunk(self.begin)
            while self.sent < FLOOD:
                await request.chunk(self.again)
                self.sent += len(self.again)
        finally:
            self.gone = time.monotonic()


@asynccontextmanager
async def gated(folder: Path, behave: Behaviour, *, ollama: bool = False) -> AsyncIterator[tuple[Scene, Engine]]:
    async with engine(behave, models=["served"]) as played:
        routes = document(
            backend("ollama" if ollama else "vllm", played.url, model="served"), name="served", aliases=["alias"]
        )
        async with scene(folder, routes, max_engine_line_bytes=LINE, max_engine_answer_bytes=ANSWER) as gate:
            await gate.until_ready(True, model="served")
            yield gate, played


async def reached(gate: Scene, limit: str) -> float:
    async with gate.get("/metrics") as response:
        text = await response.text()
    (value,) = (line.split()[1] for line in text.splitlines() if f'limits_reached_total{{limit="{limit}"}}' in line)
    return float(value)


async def told(gate: Scene, path: str, body: dict[str, Any]) -> tuple[int, bytes]:
    """Status and body, also of an answer that breaks off."""
    text = b""
    async with asyncio.timeout(60), gate.post(path, CHAT | body) as response:
        try:
            async for piece in response.content.iter_any():
                text += piece
        except aiohttp.ClientPayloadError:
            pass
        return response.status, text


BULK = b"x" * 65536
LONG_LINES: dict[str, tuple[str, dict[str, Any], str, bytes]] = {
    "OpenAI's, renamed": ("/v1/chat/completions", {"model": "alias", "stream": True}, EVENTS, WORD),
    "Anthropic's, renamed": ("/v1/messages", {"model": "alias", "stream": True}, EVENTS, MESSAGE),
    "Ollama's, renamed": ("/api/chat", {"model": "alias"}, NDJSON, LINES),
    "translated": ("/api/chat", {"model": "served"}, EVENTS, WORD),
}


@pytest.mark.parametrize("begun", [True, False], ids=["later", "at once"])
@pytest.mark.parametrize("case", LONG_LINES)
async def test_a_line_beyond_the_limit_is_one_error(tmp_path: Path, case: str, begun: bool) -> None:
    path, body, kind, first = LONG_LINES[case]
    endless = Endless(kind, first if begun else b"", BULK)
    async with gated(tmp_path, endless, ollama=kind == NDJSON) as (gate, _):
        status, text = await told(gate, path, body)
        await until(lambda: endless.gone, seen=lambda: endless.sent)
        assert endless.sent < SENT
        assert status == (200 if begun else 502)
        assert text.count(b"more than 200000 bytes") == text.count(b'"error":') + text.count(b'"error"}') == 1, text
        assert text.count(b'"w"') == (1 if begun and first in (WORD, LINES) else 0)
        assert len(text) < 1000
        if path == "/api/chat":
            assert set(json.loads(text.splitlines()[-1])) == {"error"}
            assert b"\n\n" not in text
        assert await reached(gate, "engine_line_bytes") == 1
        await gate.until_idle()
        assert gate.log.lines[-1].error


@pytest.mark.parametrize("aliased", [False, True])
async def test_an_event_of_lines_without_number_is_one_error(tmp_path: Path, aliased: bool) -> None:
    """Each line is short; a translator keeps them until the event is over."""
    endless = Endless(EVENTS, WORD, b"data:\n" * 10_000)
    async with gated(tmp_path, endless) as (gate, _):
        _, text = await told(gate, "/api/chat", {"model": "alias" if aliased else "served"})
        await until(lambda: endless.gone, seen=lambda: endless.sent)
        assert endless.sent < SENT
        assert [set(json.loads(line)) == {"error"} for line in text.splitlines()] == [False, True]


async def test_a_long_line_that_nobody_looks_into_passes(tmp_path: Path) -> None:
    line = b'data: {"x":"' + b"y" * (3 * LINE) + b'"}\n\n'

    async def sends(request: Received) -> None:
        await request.begin()
        await request.chunk(WORD)
        for place in range(0, len(line), 10_000):
            await request.chunk(line[place : place + 10_000])
        await request.chunk(DONE)
        await request.end()

    async with gated(tmp_path, sends) as (gate, _):
        assert await told(gate, "/v1/chat/completions", {"model": "served", "stream": True}) == (
            200,
            WORD + line + DONE,
        )
        assert await reached(gate, "engine_line_bytes") == 0


EMBED = {"model": "served", "input": "x"}
GATHERED: dict[str, tuple[str, dict[str, Any], bytes]] = {
    "a document of a stream": ("/api/chat", {"model": "served", "stream": False}, WORD * 100),
    "a prompt's": ("/api/generate", {"model": "served", "prompt": "x", "stream": False}, WORD * 100),
    "a document of a document": ("/api/chat", {"model": "served", "stream": False}, b'{"x":"' + b"y" * 60_000 + b'",'),
    "embeddings": ("/api/embed", EMBED, b'{"data":[{"embedding":[' + b"0.1," * 10_000),
    "an embedding": ("/api/embeddings", {"model": "served", "prompt": "x"}, b'{"data":[' + b"1," * 10_000),
    "a stream of thinking that may be the answer": ("/api/chat", {"model": "served", "think": False}, THOUGHT * 100),
    "a stream of one tool call": ("/api/chat", {"model": "served"}, TOOL % (b"x" * 10_000)),
    "a stream that is a document": ("/api/chat", {"model": "served"}, b'{"x":"' + b"y" * 60_000 + b'",'),
    "a stream of white thinking": (
        "/api/chat",
        {"model": "served"},
        THOUGHT.replace(b'"w"', b'"' + b" " * 5000 + b'"'),
    ),
}


@pytest.mark.parametrize("case", GATHERED)
async def test_what_is_gathered_beyond_the_limit_is_one_error(tmp_path: Path, case: str) -> None:
    path, body, again = GATHERED[case]
    endless = Endless(EVENTS if again.startswith(b"data") else JSON, b"", again)
    async with gated(tmp_path, endless) as (gate, _):
        status, text = await told(gate, path, body)
        await until(lambda: endless.gone, seen=lambda: endless.sent)
        assert endless.sent < SENT
        assert status == 502, text
        assert json.loads(text) == {"error": "the engine sent an answer of more than 1000000 bytes"}
        assert await reached(gate, "engine_answer_bytes") == 1
        await gate.until_idle()


async def test_answers_that_are_gathered_at_once_are_bounded_together(tmp_path: Path) -> None:
    """Each of them may be as large as the limit, but not all of them at once. None of it is the engine's fault."""
    more, count = asyncio.Event(), 8

    async def sends(request: Received) -> None:
        await request.begin()
        await request.chunk(WORD * ((ANSWER // 2 - 1000) // len(WORD)))
        while not more.is_set() and not request.gone.is_set():
            await asyncio.sleep(0.005)
        await request.chunk(LAST + DONE)
        await request.end()

    async with gated(tmp_path, sends) as (gate, played):
        async with asyncio.TaskGroup() as group:
            body = {"model": "served", "stream": False}
            asking = [group.create_task(told(gate, "/api/chat", body), name=f"ask {n}") for n in range(count)]
            await until(lambda: len(played.received) == count, seen=lambda: len(played.received))
            await until(lambda: sum(task.done() for task in asking) >= count - 4, seen=lambda: asking)
            more.set()
        statuses = sorted(task.result()[0] for task in asking)
        assert set(statuses) == {200, 503}, statuses
        assert 2 <= statuses.count(200) <= 4
        assert gate.ready("served") == [True]
        assert (await told(gate, "/api/chat", body))[0] == 200


BETWEEN_WORDS = {
    "a tool call": TOOL % (b"x" * 10_000),
    "white thinking": THOUGHT.replace(b'"w"', b'"' + b" " * 10_000 + b'"'),
}


@pytest.mark.parametrize("case", BETWEEN_WORDS)
async def test_what_is_held_back_while_something_is_given_is_bounded_too(case: str) -> None:
    """A reply gives each word as it comes, and may still hold what came with it."""
    timings = Timings(epoch_ns=0, started_ns=0, dispatched_ns=0)
    reply = TextReply(
        model="m", operation=Operation.CHAT, stream=True, thinking=None, timings=timings,
        bounds=Bounds(answer_bytes=ANSWER),
    )  # fmt: skip
    given, rounds = b"", 0
    tracemalloc.start()
    try:
        while not reply.over and rounds < 1000:
            given += reply.feed(BETWEEN_WORDS[case], 1) + reply.feed(WORD, 1)
            rounds += 1
        held = tracemalloc.get_traced_memory()[0] - len(given)
    finally:
        tracemalloc.stop()
    assert held < 2 * ANSWER
    assert reply.over is (case == "a tool call"), rounds
    if reply.over:
        assert json.loads(given.splitlines()[-1])["error"] == f"the engine sent an answer of more than {ANSWER} bytes"


@pytest.mark.parametrize("leaves", [False, True], ids=["all stay", "all leave"])
@pytest.mark.parametrize("begun", [b"", ROLE, WORD], ids=["nothing", "a role", "a word"])
async def test_what_streams_hold_back_at_once_is_bounded_together(tmp_path: Path, leaves: bool, begun: bytes) -> None:
    more, count = asyncio.Event(), 8

    async def sends(request: Received) -> None:
        await request.begin()
        if begun:
            await request.chunk(begun)
        for _ in range(5):
            await request.chunk(TOOL % (b"1" * (ANSWER // 10 - 200)))
        while not more.is_set() and not request.gone.is_set():
            await asyncio.sleep(0.005)
        await request.chunk(LAST.replace(b"stop", b"tool_calls") + DONE)
        await request.end()

    async with gated(tmp_path, sends) as (gate, played):
        bounds = gate.running.bounds
        body = {"model": "served", "stream": True}
        async with asyncio.TaskGroup() as group:
            asking = [group.create_task(told(gate, "/api/chat", body), name=f"ask {n}") for n in range(count)]
            await until(lambda: len(played.received) == count, seen=lambda: len(played.received))
            await until(lambda: sum(task.done() for task in asking) >= count - 4, seen=lambda: asking)
            assert ANSWER < bounds.kept <= bounds.all_answers_bytes
            if leaves:
                for task in asking:
                    task.cancel()
            more.set()
        answers = [task.result() for task in asking if not task.cancelled()]
        refused = [text for status, text in answers if b"too much is kept" in text or status == 503]
        assert {status for status, _ in answers} <= ({200} if begun == WORD else {200, 503})
        assert len(refused) >= count - 4
        for text in refused:
            assert set(json.loads(text.splitlines()[-1])) == {"error"}
        await gate.until_idle()
        await until(lambda: not bounds.kept, seen=lambda: bounds.kept)
        assert gate.ready("served") == [True]
        assert (await told(gate, "/api/chat", body))[0] == 200


ENDS: dict[str, tuple[str, dict[str, object], str, bytes, bytes]] = {
    "translated": ("/api/chat", {}, EVENTS, WORD + LAST + DONE, b'"done":true'),
    "translated, in pieces": ("/api/chat", {}, EVENTS, WORD + LAST, b'"done":true'),
    "translated prompt": ("/api/generate", {"prompt": "x"}, EVENTS, WORD + LAST + DONE, b'"done":true'),
    "translated document": ("/api/chat", {"stream": False}, EVENTS, WORD + LAST + DONE, b'"done":true'),
    "translated error": ("/api/chat", {}, EVENTS, WORD + ERROR, b'{"error"'),
    "Ollama's lines": ("/api/chat", {}, NDJSON, LINES + SAID, b'"done":true'),
    "Ollama's error": ("/api/chat", {}, NDJSON, LINES + b'{"error":"x"}\n', b'{"error"'),
    "OpenAI's": ("/v1/chat/completions", {"stream": True}, EVENTS, WORD + LAST + DONE, b"[DONE]"),
    "OpenAI's, renamed": (
        "/v1/chat/completions", {"stream": True, "model": "alias"}, EVENTS, WORD + LAST + DONE, b"[DONE]"
    ),
    "Anthropic's": ("/v1/messages", {"stream": True}, EVENTS, MESSAGE + STOP, b"message_stop"),
}  # fmt: skip


@pytest.mark.parametrize("case", ENDS)
async def test_an_answer_ends_where_its_dialect_ends_it(tmp_path: Path, case: str) -> None:
    """The engine does not end its body and does not close. It is let go."""
    path, body, kind, sent, last = ENDS[case]

    async def never_closes(request: Received) -> None:
        await request.begin(kind)
        await request.chunk(sent)
        if case.endswith("in pieces"):
            await request.chunk(DONE[:7])
            await request.chunk(DONE[7:])
        await asyncio.wait_for(request.gone.wait(), 30)

    async with gated(tmp_path, never_closes, ollama=kind == NDJSON) as (gate, played):
        status, text = await asyncio.wait_for(told(gate, path, {"model": "served"} | body), 10)
        assert status == 200
        assert last in text.splitlines()[-1] or last in text.rstrip().splitlines()[-1]
        assert text.count(b'"error"') == (1 if b"error" in last else 0)
        await until(played.received[0].gone.is_set, seen=lambda: played.received)
        await gate.until_idle()


@pytest.mark.parametrize("again", [WORD, b": ping\n\n", DONE, b"\n"])
async def test_what_follows_the_end_of_a_translated_answer_is_not_read(tmp_path: Path, again: bytes) -> None:
    endless = Endless(EVENTS, WORD + LAST + DONE, again * 1000)
    async with gated(tmp_path, endless) as (gate, _):
        status, text = await told(gate, "/api/chat", {"model": "served"})
        await until(lambda: endless.gone, seen=lambda: endless.sent)
        assert endless.sent < SENT
        assert [json.loads(line)["done"] for line in text.splitlines()] == [False, True]
        assert status == 200


@pytest.mark.parametrize("path", ["/api/chat", "/v1/chat/completions"])
@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("apart", [True, False])
async def test_an_engine_that_ends_properly_keeps_its_connection(
    tmp_path: Path, path: str, stream: bool, apart: bool
) -> None:
    """The end of a body may come a little later than the end of the answer in it, or in the same moment."""
    told_all = asyncio.Event()

    async def ends_late(request: Received) -> None:
        if path != "/api/chat" and not stream:
            await request.answer(b"{}")
            return
        await request.begin()
        if apart:
            await request.chunk(WORD + LAST + DONE)
            if path == "/api/chat":
                await asyncio.wait_for(told_all.wait(), 20)
            await request.end()
        else:
            await request.send(b"%x\r\n%b\r\n0\r\n\r\n" % (len(WORD + LAST + DONE), WORD + LAST + DONE))

    async with gated(tmp_path, ends_late) as (gate, played):
        for _ in range(3):
            told_all.clear()
            assert (await told(gate, path, {"model": "served", "stream": stream}))[0] == 200
            told_all.set()
            await asyncio.sleep(0.1 if apart else 0)  # not to be right, but for the connection to be back
        assert len({id(request.writer) for request in played.received}) == 1


def test_a_long_line_costs_what_it_holds() -> None:
    """Byte by byte, where a line is kept: work that grows with the square of it would take minutes."""
    began = time.process_time()
    renamer, splitter = Renamer("a", "b"), LineSplitter(cr=True)
    for _ in range(400_000):
        renamer.feed(b"x")
        splitter.feed(b"x")
    reader = ResponseParser()
    reader.feed(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(10):
        for byte in b"4000\r\n" + b"x" * 0x4000 + b"\r\n":
            reader.feed(bytes((byte,)))
        assert len(reader.taken()) == 0x4000
    assert time.process_time() - began < 10
