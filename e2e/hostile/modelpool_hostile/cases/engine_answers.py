"""Engines that answer with what is no answer: their caller is told so in its dialect, or sees its answer break off."""

import asyncio
import random
from typing import Final

from .. import answers
from ..answers import EVENTS, JSON, LINES
from ..asking import DIALECTS, chat, dialect_of, ends_well, expect_refusal, request
from ..case import case
from ..engine import Asked, Line, behave
from ..gateway import READ_SECONDS, SLACK_SECONDS
from ..wire import Answer, NotHeldError
from ..world import World

_FAILED: Final = (500, 502, 503, 504)
_MARK: Final = 9999
_OK: Final = b'{"ok":true}'


async def _ask(
    world: World,
    chance: random.Random,
    said: bytes,
    end: str,
    *,
    whole: bool = False,
    refused: tuple[int, ...] = (),
    own_words: bool = False,
) -> None:
    """Let an engine say these bytes, and hold the caller's answer.

    `whole`: a good answer is a right one, too. `refused`: statuses that may come beside those of a failed engine.
    `own_words`: what the engine said may have been passed on as it is.
    """
    path, stream = chance.choice(tuple(DIALECTS.values())), chance.random() < 0.5

    async def lie(asked: Asked, line: Line) -> None:
        told = asked.json
        if _MARK not in (told.get("max_tokens"), (told.get("options") or {}).get("num_predict")):
            await behave(asked, line)
            return
        await line.send(said)
        if end == "hang":
            await line.gone()
        if end != "keep":
            (line.reset if end == "reset" else line.close)()

    kind = chance.choice(("vllm", "vllm", "ollama"))
    what = f"{path} stream={stream} of {kind}, which says {said[:80]!r} ({len(said)} bytes), then {end}"
    async with world.engine(kind) as engine:
        engine.script = lie
        async with await world.caller() as caller:
            await caller.send(request(path, chat(engine.model, stream=stream, words=_MARK)))
            try:
                answer = await caller.answer(within=3 * READ_SECONDS + SLACK_SECONDS)
                if not (own_words and answer is not None and answer.body and answer.body in said):
                    _hold(answer, path, whole=whole, refused=refused)
                if answer is not None and answer.whole and answer.headers.get("connection") != "close":
                    await caller.send(request(path, chat(engine.model)))
                    following = await caller.answer()
                    if following is not None and following.status not in (200, *_FAILED, 404):
                        raise NotHeldError(f"the next answer on the connection is {following}")
            except NotHeldError as wrong:
                raise NotHeldError(f"{what}: {wrong}") from wrong


def _hold(answer: Answer | None, path: str, *, whole: bool, refused: tuple[int, ...]) -> None:
    if answer is None:
        raise NotHeldError("closed without a word")
    if answer.status == 200:
        if not whole and answer.whole and (ends_well(answer, path) or not _has_error(answer)):
            raise NotHeldError(f"a good end of what is none: {answer}")
        return
    if answer.status not in (*_FAILED, *refused):
        raise NotHeldError(f"{answer}; wanted a failed engine's status, or {refused}")
    if answer.status in _FAILED:
        expect_refusal(answer, dialect_of(path))


def _has_error(answer: Answer) -> bool:
    return b"error" in answer.body


@case()
async def no_http(world: World, chance: random.Random) -> None:
    """Random bytes, other protocols, statuses out of range, broken heads."""
    junk = bytes(chance.randrange(256) for _ in range(chance.randrange(1, 4000)))
    head = b"HTTP/1.1 200 OK\r\n"
    said = chance.choice(
        (
            junk, b"", b"\r\n\r\n", b"SSH-2.0-x\r\n", b"\x15\x03\x01\x00\x02\x02\x16", b"HTTP/2.0 200 OK\r\n\r\n",
            b"HTTP/1.1 099 x\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 1000 x\r\nContent-Length: 0\r\n\r\n",
            b"HTTP/1.1 000 x\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 abc x\r\n\r\n", b"HTTP/1.1 -1 x\r\n\r\n",
            b"HTTP/1.1 999 x\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 600 x\r\nContent-Length: 0\r\n\r\n",
            head + b"X\0: y\r\nContent-Length: 2\r\n\r\n{}", head + b"no colon\r\n\r\n", head + b" folded: x\r\n\r\n",
            head + b"Content-Length: x\r\n\r\n", head + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
            head + b"Transfer-Encoding: gzip\r\n\r\n{}", head + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n",
            head + b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n{}", head + b"X: " + b"y" * 300_000,
            head + b"".join(b"X-%d: y\r\n" % number for number in range(5000)),
        )
    )  # fmt: skip
    await _ask(world, chance, said, chance.choice(("close", "reset", "hang")), refused=(429,))


@case()
async def statuses(world: World, chance: random.Random) -> None:
    """Statuses that are no error of the engine's, or that say something else: passed on, or a failed engine."""
    status, more = chance.choice(
        (
            ("404 Not Found", ""), ("429 Too Many", "Retry-After: 7\r\n"), ("301 Moved", "Location: /x\r\n"),
            ("204 No Content", ""), ("205 Reset", ""), ("206 Partial", ""), ("304 Not Modified", ""), ("401 No", ""),
            ("418 Teapot", ""), ("503 Busy", "Retry-After: 1\r\n"), ("500 Oh", ""), ("511 Login", ""), ("201 Created",
            ""),
        )
    )  # fmt: skip
    body = chance.choice((b"404 page not found", _OK, b"<html>oh</html>", b"", b"\xff\xfe"))
    said = answers.whole(body, chance.choice((JSON, "text/plain", "text/html")), status=status, more=more)
    code = int(status[:3])
    passed = {code, 400, 404, 502} if 200 <= code < 600 else set()
    await _ask(world, chance, said, "keep", whole=True, refused=tuple(passed), own_words=True)


@case()
async def asked_to_wait(world: World, chance: random.Random) -> None:
    """429 with Retry-After reaches the caller with its Retry-After, in its dialect, and is nobody's death."""
    path = chance.choice(tuple(DIALECTS.values()))

    async def busy(asked: Asked, line: Line) -> None:
        told = b'{"error":{"message":"slow down","type":"RateLimitError","code":429}}'
        await line.send(answers.whole(told, status="429 Too Many Requests", more="Retry-After: 7\r\n"))

    async with world.engine("vllm") as engine:
        engine.script = busy
        async with await world.caller() as caller:
            await caller.send(request(path, chat(engine.model)))
            answer = await caller.answer()
        if answer is None or answer.status != 429 or answer.headers.get("retry-after") != "7":
            raise NotHeldError(f"{path}: {answer} {answer.headers if answer else ''}; wanted 429 with Retry-After: 7")


@case()
async def interim_without_end(world: World, chance: random.Random) -> None:
    """100, 102 and 103 for ever: the caller is told in time, and not by them."""
    code = chance.choice((100, 102, 103, 199))
    said = b"HTTP/1.1 %d Wait\r\n%b\r\n" % (code, b"Link: </x>\r\n" * chance.randrange(3))

    async def stall(asked: Asked, line: Line) -> None:
        if chance_flood:
            await line.flood(said * 500, 3000)
        while True:
            await line.send(said)
            await asyncio.sleep(0.1)

    chance_flood = chance.random() < 0.5
    path = chance.choice(tuple(DIALECTS.values()))
    async with world.engine("vllm") as engine:
        engine.script = stall
        async with await world.caller() as caller:
            await caller.send(request(path, chat(engine.model)))
            answer = await caller.answer(within=3 * READ_SECONDS + SLACK_SECONDS)
            _hold(answer, path, whole=False, refused=())
            if answer is not None and answer.interim:
                raise NotHeldError(f"the caller saw {answer.interim[:5]}")
        sent = engine.sent / 1024 / 1024
        if sent > 16:
            raise NotHeldError(f"took {sent:.0f} MiB of {code}")


@case()
async def breaks_off(world: World, chance: random.Random) -> None:
    """Answers cut short at any byte, by length, by chunks or by the connection's end."""
    kind, stream = chance.choice((JSON, EVENTS, LINES)), ""
    upstream = chance.choice(("/v1/chat/completions", "/v1/messages", "/api/chat"))
    body = b"".join(answers.pieces(upstream, "m", 40)) if kind != JSON else answers.document(upstream, "m", 200)
    framing = chance.choice(("length", "chunked", "old"))
    match framing:
        case "length":
            said = answers.whole(body, kind)
            least, most = said.find(b"\r\n\r\n") + 4, len(said)
        case "chunked":
            said = answers.head(kind) + b"".join(answers.chunk(body[at : at + 97]) for at in range(0, len(body), 97))
            least, most = said.find(b"\r\n\r\n") + 4, len(said)
        case _:
            said = f"HTTP/1.0 200 OK\r\nContent-Type: {kind}\r\n\r\n{stream}".encode() + body
            least, most = said.find(b"\r\n\r\n") + 5, len(said) - 30
    if chance.random() < 0.2:
        least, most = 1, least
    cut = chance.randrange(least, most)
    await _ask(world, chance, said[:cut], chance.choice(("close", "reset")))


@case()
async def says_too_much(world: World, chance: random.Random) -> None:
    """Two answers to one request, more than the length, and answers that nobody asked for."""
    one = answers.whole(answers.openai_document("m", 3))
    stray = answers.whole(b'{"stray":true}', status=chance.choice(("200 OK", "500 No")))
    said = chance.choice((one + stray, one + stray * 50, one + b"garbage", one + b"\r\n" * 100, one + b"\0" * 70_000))
    await _ask(world, chance, said, chance.choice(("keep", "close")), whole=True)


@case()
async def speaks_first(world: World, chance: random.Random) -> None:
    """An engine that answers before it is asked: nobody gets that answer as his own."""
    stray = answers.whole(b'{"stray":true}')
    path = chance.choice(tuple(DIALECTS.values()))

    async def greet(line: Line) -> None:
        await line.send(stray)

    async with world.engine("vllm") as engine:
        engine.greeting = greet
        for _ in range(3):
            async with await world.caller() as caller:
                await caller.send(request(path, chat(engine.model)))
                answer = await caller.answer()
            if answer is None or b"stray" in answer.body:
                raise NotHeldError(f"{path}: {answer}; wanted no answer that came before the request")


@case()
async def done_without_end(world: World, chance: random.Random) -> None:
    """[DONE] is said and the connection stays open: the caller is not left waiting beyond the engine's time."""
    body = b"".join(answers.pieces(chance.choice(("/v1/chat/completions", "/v1/messages")), "m", 5))
    said = answers.head(EVENTS) + answers.chunk(body)
    await _ask(world, chance, said, "hang", whole=True)


@case()
async def stream_of_nonsense(world: World, chance: random.Random) -> None:
    """Events and lines that are none, inside of good framing."""
    junk = bytes(chance.randrange(256) for _ in range(chance.randrange(1, 2000)))
    deep = chance.randrange(1000, 30_000)
    bad = chance.choice(
        (
            b"data: {\n\n", b"data: " + junk + b"\n\n", junk, b"data: null\n\n" * 10, b"data: []\n\n", b"{\n" * 10,
            b"data: " + b"[" * deep + b"\n\n", b'data: {"choices":[{"delta":{"content":' + b"[" * deep + b"\n\n",
            b'data: {"choices":[{"index":-1,"delta":{"tool_calls":[{"index":99999999,"function":{}}]}}]}\n\n',
            b'data: {"choices":7}\n\n', b"event: " + b"x" * 70_000 + b"\n\n", b"\n" * 5000, b"\r" * 5000, b":" * 5000,
            b'data: {"error":{"message":"\xff"}}\n\n', b'{"error":"oh"}\n', b"retry: 99999999999999999999\n\n",
        )
    )  # fmt: skip
    before = answers.openai_event("m", "word ") * chance.randrange(3)
    kind = chance.choice((EVENTS, EVENTS, LINES, JSON))
    said = answers.head(kind) + answers.chunk(before + bad) + answers.LAST
    await _ask(world, chance, said, chance.choice(("keep", "close")), whole=True)


@case()
async def dribbling_engine(world: World, chance: random.Random) -> None:
    """A head or a body that comes byte by byte: slow is slow, but a caller who leaves ends it."""
    left = asyncio.Event()
    head = b"HTTP/1.1 200 OK\r\nX-Slow: " if chance.random() < 0.5 else answers.head(JSON, length=100_000) + b"{"

    async def dribble(asked: Asked, line: Line) -> None:
        try:
            for byte in head + b" " * 1000:
                await line.send(bytes([byte]))
                await asyncio.sleep(0.05)
        except ConnectionError:
            left.set()
            raise

    async with world.engine("vllm") as engine:
        engine.script = dribble
        async with await world.caller() as caller:
            await caller.send(request("/v1/chat/completions", chat(engine.model)))
            await asyncio.sleep(0.5 + chance.random())
        try:
            async with asyncio.timeout(SLACK_SECONDS):
                await left.wait()
        except TimeoutError as late:
            raise NotHeldError("the caller has left; the engine still dribbles") from late


@case()
async def refuses_or_resets(world: World, chance: random.Random) -> None:
    """An engine that refuses connections, or resets each."""
    path = chance.choice(tuple(DIALECTS.values()))

    async def reset(line: Line) -> None:
        line.reset()

    async with world.engine(chance.choice(("vllm", "ollama"))) as engine:
        if refuses := chance.random() < 0.5:
            await engine.stop()
        else:
            engine.greeting = reset
        try:
            async with await world.caller() as caller:
                await caller.send(request(path, chat(engine.model)))
                answer = await caller.answer()
            if answer is not None and answer.status == 200:  # over a connection that was kept
                return
            _hold(answer, path, whole=False, refused=())
        finally:
            if refuses:
                await engine.start()
