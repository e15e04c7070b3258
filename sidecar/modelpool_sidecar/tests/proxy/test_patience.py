"""Callers that are slow to say what they want, at a real socket."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from modelpool_sidecar.proxy.patience import PatientSite


@asynccontextmanager
async def server(head_seconds: float) -> AsyncIterator[int]:
    async def told(request: web.Request) -> web.Response:
        return web.Response(text=f"{request.method} {request.path} {(await request.read()).decode()}\n")

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", told)
    runner = web.AppRunner(application, handler_cancellation=True)
    await runner.setup()
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    site = PatientSite(runner, listener)
    site.head_seconds = head_seconds
    await site.start()
    try:
        yield listener.getsockname()[1]
    finally:
        await runner.cleanup()


async def talk(port: int, *pieces: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for piece in pieces:
        writer.write(piece)
        await writer.drain()
    async with asyncio.timeout(20):
        answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


REQUEST = b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi"


@pytest.mark.parametrize(
    "pieces",
    [
        (REQUEST,),
        tuple(REQUEST[place : place + 1] for place in range(len(REQUEST))),
        (REQUEST[:-4], REQUEST[-4:]),
    ],
    ids=["whole", "byte by byte", "blank line apart"],
)
async def test_a_request_arrives_in_whatever_pieces(pieces: tuple[bytes, ...]) -> None:
    async with server(head_seconds=20) as port:
        answer = await talk(port, *pieces)
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.endswith(b"POST /a hi\n")


async def test_two_requests_in_one_piece_are_both_answered() -> None:
    async with server(head_seconds=20) as port:
        answer = await talk(port, REQUEST.replace(b"Connection: close\r\n", b"") + REQUEST)
    assert answer.count(b"POST /a hi\n") == 2


@pytest.mark.parametrize("begun", [b"", b"POST /a HTTP/1.1\r\nHost: x\r\n"], ids=["nothing", "half a head"])
async def test_who_sends_no_head_in_time_is_shown_out(begun: bytes) -> None:
    async with server(head_seconds=0.1) as port:
        answer = await talk(port, begun)
    assert answer.startswith(b"HTTP/1.1 408 Request Timeout\r\n")


async def test_a_body_may_take_its_time() -> None:
    async with server(head_seconds=0.1) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(REQUEST[:-2])
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await reader.read(1)
        writer.write(b"hi")
        async with asyncio.timeout(20):
            answer = await reader.read()
        writer.close()
        await writer.wait_closed()
    assert answer.endswith(b"POST /a hi\n")


async def test_a_head_without_end_reaches_the_servers_own_limits() -> None:
    async with server(head_seconds=20) as port:
        answer = await talk(port, b"POST /a HTTP/1.1\r\nX: " + b"a" * 70_000)
    assert answer.startswith((b"HTTP/1.0 400", b"HTTP/1.1 400"))


async def test_leaving_before_the_head_is_whole_leaves_nothing_behind() -> None:
    async with server(head_seconds=0.1) as port:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET")
        writer.close()
        await writer.wait_closed()
