"""What is whole, or can become no request, is not waited for: the front door hands it on in the moment it comes."""

import asyncio
import json
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from modelpool_sidecar.http.server.general.head import HeadReader
from modelpool_sidecar.http.server.request_parser import HeadCache
from modelpool_sidecar.http.server.request_reader import RequestReader

from ..gateway.scenes import CHAT, backend, document, scene
from ..gateway.scripted import Received, engine

PIECES = (
    b"GET ", b"POST ", b"PRI * HTTP/2.0", b"/", b"/api/tags", b" HTTP/1.1", b" HTTP/1.0", b" HTTP/2.0", b" HTTP/0.9",
    b"\r\n", b"\n", b"\r", b"\r\n\r\n", b"\n\r\n", b"\n\n", b" ", b"\t", b"\0", b"\x16\x03\x01\x02\x00", b"\xff",
    b"Host: x", b"Host", b": ", b":", b"X-A: b", b"X:" + b"y" * 4000, b"X: 1\r\n" * 129, b"Content-Length: 2",
    b"Content-Length: x",
    b"Transfer-Encoding: chunked", b"Upgrade: h2c\r\nConnection: Upgrade", b"Expect: 100-continue",
    b"get", b"x", b"(", b"?a=%zz", b"#",
)  # fmt: skip
SENT = st.lists(st.sampled_from(PIECES) | st.binary(max_size=4), min_size=1, max_size=12).map(b"".join)


def is_waited_for(sent: bytes, size: int) -> bool:
    """Whether the front door waits for more of a head, however what was sent is cut."""
    requests = RequestReader(HeadCache(1000, lambda _: False))
    for begin in range(0, len(sent), size):
        requests.feed(sent[begin : begin + size])
        while requests.take() is not None:
            pass
        if requests.uncommon:
            return False
    return bool(requests.held) and requests.reading is None


def is_settled(sent: bytes) -> bool:
    """Whether the side door would take up or refuse what begins with this at once."""
    begun = sent.lstrip(b"\r\n")
    return bool(begun) and HeadReader().read(begun) is not None


@given(SENT, st.integers(1, 40))
@example(b"GET / HTTP/1.1\r\nHost: x\n\r\n", 100)
@example(b"GET / HTTP/1.1\nHost: x\n\r\n", 100)
@example(b"\x16\x03\x01\x02\x00", 100)
@example(b"hello\r\n", 100)
@example(b"GET / HTTP/1.1\r\nHost x\r\n", 100)
@example(b"GET / HTTP/1.1\r\n" + b"X: 1\r\n" * 129, 100)
@example(b"GET / HTTP/9.9\r\n", 100)
@example(b"\r\nPRI * HTTP/2.0", 1)
@settings(max_examples=400, deadline=None)
def test_nothing_waits_that_the_side_door_would_settle(sent: bytes, size: int) -> None:
    """What was not taken by the front door begins where a head may, so the side door can be asked about that alone."""
    requests = RequestReader(HeadCache(1000, lambda _: False))
    requests.feed(sent)
    while requests.take() is not None:
        pass
    if not requests.uncommon and requests.reading is None and is_settled(requests.held):
        raise AssertionError(f"{requests.held!r} waits")
    if not requests.uncommon and requests.reading is None:
        assert is_waited_for(sent, size) == bool(requests.held)


@pytest.mark.parametrize(
    "hopeless",
    [
        b"GET / HTTP/1.1\r\nHost: localhost\n\r\n",
        b"GET / HTTP/1.1\nHost: localhost\n\r\n",
        b"POST /api/chat HTTP/1.1\r\nHost localhost\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"hello\r\n",
        b"GET / HTTP/3.0\r\n",
        b"GET / HTTP/1.1\r\n" + b"X: 1\r\n" * 200,
    ],
)
async def test_a_hopeless_head_is_answered_at_once(tmp_path: Path, hopeless: bytes) -> None:
    async with scene(tmp_path, document(), head_timeout=300.0) as gate:
        reader, writer = await asyncio.open_connection(*gate.running.listening[0])
        writer.write(hopeless)
        async with asyncio.timeout(10):
            answer = await reader.read()
        writer.close()
        assert answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 505 ")), answer


CHAT_BODY = json.dumps(CHAT).encode()
COMMON = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%b" % (
    len(CHAT_BODY),
    CHAT_BODY,
)
IN_CHUNKS = (
    b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n"
    % (len(CHAT_BODY), CHAT_BODY)
)
TOLD_TO_GO_ON = COMMON.replace(b"Host", b"Upgrade: none\r\nHost")
VALID = {"common": COMMON, "in chunks": IN_CHUNKS, "upgrade": TOLD_TO_GO_ON}
BAD = {
    "garbage": b"garbage\r\n\r\n",
    "no end": b"\x16\x03\x01",
    "two lengths": b"POST /api/chat HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
    "bad chunk": b"POST /api/chat HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
    "bare LF": b"GET / HTTP/1.1\r\nHost: localhost\n\r\n",
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD.keys())
@pytest.mark.parametrize("valid", VALID.values(), ids=VALID.keys())
@pytest.mark.parametrize("many", [1, 3, 40])
async def test_valid_requests_before_a_malformed_one_are_answered(
    tmp_path: Path, valid: bytes, bad: bytes, many: int
) -> None:
    """In one piece, in their order, and the malformed one last."""
    served = 0

    async def counts(request: Received) -> None:
        nonlocal served
        served += 1
        await request.answer(b'{"choices":[%d]}' % served)

    async with engine(counts) as vllm, scene(tmp_path, document(backend("vllm", vllm.url))) as gate:
        await gate.until_ready(True)
        reader, writer = await asyncio.open_connection(*gate.running.listening[0])
        writer.write(valid * many + bad)
        async with asyncio.timeout(30):
            answer = await reader.read()
        writer.close()
        assert answer.count(b"HTTP/1.1 200 ") == many, answer[:2000]
        places = [answer.index(b'{"choices":[%d]}' % (number + 1)) for number in range(many)]
        assert places == sorted(places)
        assert answer.count(b"HTTP/1.1 400 ") == 1
        assert answer.index(b"HTTP/1.1 400 ") > places[-1]
        assert len(vllm.received) == many


@pytest.mark.parametrize("valid", VALID.values(), ids=VALID.keys())
async def test_requests_are_answered_in_their_order_at_whichever_door(tmp_path: Path, valid: bytes) -> None:
    async def names(request: Received) -> None:
        await request.answer(b'{"choices":["%b"]}' % request.headers["x-request-id"].encode())

    async with engine(names) as vllm, scene(tmp_path, document(backend("vllm", vllm.url))) as gate:
        await gate.until_ready(True)
        reader, writer = await asyncio.open_connection(*gate.running.listening[0])
        mixed = [COMMON, valid, COMMON, IN_CHUNKS, TOLD_TO_GO_ON, COMMON]
        sent = [one.replace(b"Host", b"X-Request-Id: %d\r\nHost" % number) for number, one in enumerate(mixed)]
        sent[-1] = sent[-1].replace(b"Host", b"Connection: close\r\nHost")
        writer.write(b"".join(sent))
        async with asyncio.timeout(30):
            answer = await reader.read()
        writer.close()
        places = [answer.index(b'{"choices":["%d"]}' % number) for number in range(len(mixed))]
        assert places == sorted(places)
