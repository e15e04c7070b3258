"""IPv6 beside IPv4, and alone: where the gateway listens, and how it reaches engines."""

import asyncio
import socket
from pathlib import Path

import aiohttp
import pytest

from modelpool_sidecar.settings import EVERYWHERE, Listen

from .scenes import CHAT, backend, document, scene
from .scripted import Engine, Received

WHOLE = b'{"id":"1","model":"qwen3:8b","choices":[{"message":{"content":"x"},"finish_reason":"stop"}]}'


async def answers(request: Received) -> None:
    await request.answer(WHOLE)


async def reached(host: str, port: int) -> int:
    async with aiohttp.ClientSession() as session, session.get(f"http://{host}:{port}/healthz") as answer:
        return answer.status


@pytest.mark.parametrize("both", [True, False])
async def test_all_addresses_are_those_of_both_families_where_the_machine_has_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, both: bool
) -> None:
    has = socket.has_dualstack_ipv6()
    monkeypatch.setattr(socket, "has_dualstack_ipv6", lambda: both and has)
    async with scene(tmp_path, document(), listen=(Listen(EVERYWHERE, 0),)) as gate:
        host, port = gate.running.listening[0]
        assert host == ("::" if both and has else "0.0.0.0")
        assert await reached("127.0.0.1", port) == 200
        if both and has:
            assert await reached("[::1]", port) == 200


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")
async def test_an_engine_is_reached_and_probed_by_ipv6(tmp_path: Path) -> None:
    made = Engine(answers)
    server = await asyncio.start_server(made._serve, "::1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        async with scene(tmp_path, document(backend("vllm", f"http://[::1]:{port}"))) as gate:
            await gate.until_ready(True)
            async with gate.post("/v1/chat/completions", CHAT) as response:
                assert (response.status, await response.read()) == (200, WHOLE)
    finally:
        server.close()
    assert made.received[0].headers["host"] == f"[::1]:{port}"


@pytest.mark.parametrize(("listen", "want"), [(Listen("::", 80), "[::]:80"), (Listen("127.0.0.1", 1), "127.0.0.1:1")])
def test_an_address_is_told_as_a_url_has_it(listen: Listen, want: str) -> None:
    assert str(listen) == want
