"""What counts as lost: the callers of the cases on a real node must not overlook an answer that is no good."""

import asyncio
import json

import pytest
from aiohttp import web

from modelpool_under_test.node.gateway_traffic import Exchange, Traffic, fault, without_pause

CHUNK = b'data: {"choices": [{"delta": {"content": "one"}}]}\n\n'
END = b"data: [DONE]\n\n"


def answer(text: str | None) -> bytes:
    return json.dumps({"choices": [{"message": {"content": text}}]}).encode()


@pytest.mark.parametrize(
    ("status", "body", "streamed", "found"),
    [
        (200, answer("one"), False, ""),
        (200, json.dumps({"choices": [{"message": {"content": None, "reasoning": "so"}}]}).encode(), False, ""),
        (200, CHUNK + END, True, ""),
        (200, CHUNK.replace(b"content", b"reasoning") + END, True, ""),
        (200, CHUNK.replace(b"one", b"") + END, True, "broken stream"),
        (200, answer(None), False, "no text"),
        (200, CHUNK, True, "broken stream"),
        (200, END, True, "broken stream"),
        (200, CHUNK + b'data: {"error": {}}\n\n', True, "broken stream"),
        (503, b"busy", False, "503 busy"),
    ],
)
def test_an_answer_is_complete_or_lost(status: int, body: bytes, streamed: bool, found: str) -> None:
    told = fault(status, body, streamed=streamed)
    assert told.startswith(found) if found else not told


def test_lost_requests_and_slow_callers_are_told() -> None:
    def of(*failures: str, rate: float = 10.0) -> Traffic:
        one = [Exchange(began=0, ended=1, streamed=True, route="primary", failure=each) for each in failures]
        return Traffic(began=0, ended=len(failures) / rate, exchanges=one)

    of("", "", "").assert_nothing_lost(per_second=10)
    with pytest.raises(AssertionError, match="1 lost"):
        of("", "", "broken").assert_nothing_lost(per_second=10)
    with pytest.raises(AssertionError, match="at 5/s"):
        of("", "", "", rate=5).assert_nothing_lost(per_second=10)


def test_streams_across_a_moment_are_complete_ones() -> None:
    def stream(began: float, ended: float, failure: str = "") -> Exchange:
        return Exchange(began=began, ended=ended, streamed=True, route="primary", failure=failure)

    traffic = Traffic(exchanges=[stream(0, 2), stream(0, 2, "broken"), stream(2, 3), stream(0, 1)])
    assert traffic.streams_across(1.5) == 1


async def test_a_connection_that_breaks_is_a_lost_request() -> None:
    async def hang_up(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    app = web.Application()
    app.router.add_post("/v1/chat/completions", hang_up)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        async with without_pause("127.0.0.1", ["some"], callers=1, port=port) as traffic:
            while not traffic.exchanges:
                await asyncio.sleep(0)
    finally:
        await runner.cleanup()
    assert traffic.failures.total() == len(traffic.exchanges) > 0
