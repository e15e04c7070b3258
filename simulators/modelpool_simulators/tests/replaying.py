"""Send a recorded request to a simulated engine and compare what comes back."""

from __future__ import annotations

import json
from dataclasses import dataclass

from aiohttp import ClientSession

from modelpool_simulators.recordings import Recording

from . import shapes


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back."""

    status: int
    headers: list[str]
    content_type: str | None
    body: bytes


async def replay(session: ClientSession, recording: Recording, headers: dict[str, str] | None = None) -> Answer:
    """Send the recorded request; a body that was cut is written out in full length again."""
    request = recording.request
    sent = {**request.headers, **(headers or {})}
    skip = ("Content-Type",) if "Content-Type" not in sent else ()
    body = _whole(request.body) if request.cut else request.body
    async with session.request(
        request.method, request.path, data=body or None, headers=sent, skip_auto_headers=skip
    ) as response:
        return Answer(
            status=response.status,
            headers=shapes.of_headers(response.headers),
            content_type=response.headers.get("Content-Type"),
            body=await response.read(),
        )


def compare(recording: Recording, answer: Answer) -> None:
    """Assert that status, headers, content type and shape of the body are as recorded."""
    want = recording.response
    assert answer.status == want.status, answer.body
    assert answer.content_type == want.header("content-type")
    assert answer.headers == shapes.of_headers(want.headers)
    if recording.request.method != "HEAD":
        assert shapes.of_body(answer.body, answer.content_type) == shapes.of_body(want.body, answer.content_type)


def _whole(beginning: bytes) -> bytes:
    """Complete a cut body: all of them are one message of 'hello world' 3000 times."""
    model = beginning.decode().split('"model":"', 1)[1].split('"', 1)[0]
    content = "hello world " * 3000
    return json.dumps({"model": model, "messages": [{"role": "user", "content": content}]}).encode()
