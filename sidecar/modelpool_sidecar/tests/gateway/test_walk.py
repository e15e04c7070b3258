"""The page about the architecture names the modules that a request passes, and they are few.

A request is traced whose head has been seen before, on a connection that is kept, answered by a stream: as nearly all
are.
"""

import re
import sys
from pathlib import Path
from types import FrameType

import pytest

from ..compiled import patches_what_is_compiled
from .scenes import CHAT, Scene, backend, document, scene
from .scripted import Received, engine

PAGE = Path(__file__).parents[4] / "docs" / "concepts" / "architecture.md"
PACKAGE = "modelpool_sidecar."
MOST = {"/v1/chat/completions": 30, "/api/chat": 40}
ONLY = {"/v1/chat/completions": "untranslated", "/api/chat": "translated"}
WATCHING = ("discovery.", "routing.health", "serving.silent_engines")
"""A probe may be due meanwhile, and what it tells is taken down."""
SOMETIMES = {"telemetry.series"}
"""Where times are entered that fall into other buckets than those of the request before."""


async def stream(request: Received) -> None:
    await request.begin()
    for delta, reason in (("hi", "null"), ("ho", '"stop"')):
        choice = f'{{"index":0,"delta":{{"content":"{delta}"}},"finish_reason":{reason}}}'
        await request.chunk(f'data: {{"id":"1","model":"qwen3:8b","choices":[{choice}]}}\n\n'.encode())
    await request.chunk(b"data: [DONE]\n\n")
    await request.end()


async def traced(gate: Scene, path: str) -> set[str]:
    """The gateway's modules that one request passes, without those that watch engines meanwhile."""
    passed: set[str] = set()

    def note(frame: FrameType, event: str, _: object) -> None:
        name = frame.f_globals.get("__name__", "")
        caller = frame.f_back.f_globals.get("__name__", "") if frame.f_back is not None else ""
        if caller.startswith(PACKAGE + "discovery."):  # a probe, which has its turn meanwhile
            return
        if event == "call" and name.startswith(PACKAGE) and ".tests." not in name:
            passed.add(name.removeprefix(PACKAGE))

    sys.setprofile(note)
    try:
        async with gate.post(path, CHAT | {"stream": True}) as response:
            assert (await response.read()).strip()
    finally:
        sys.setprofile(None)
    return {name for name in passed if not name.startswith(WATCHING)}


def documented(only: str) -> set[str]:
    """What the table of the page names, for requests that are translated or not."""
    rows = re.findall(r"^\| `([a-z_.]+)` \|.*?\| ?(\w*) ?\|$", PAGE.read_text(), re.MULTILINE)
    return {name for name, which in rows if which in ("", only)}


@patches_what_is_compiled
@pytest.mark.parametrize("path", MOST)
async def test_a_request_passes_the_modules_that_the_page_names(tmp_path: Path, path: str) -> None:
    async with engine(stream) as vllm, scene(tmp_path, document(backend("vllm", vllm.url))) as gate:
        await gate.until_ready(True)
        passed: set[str] = set()
        for number in range(4):
            found = await traced(gate, path)
            passed |= found if number else set()  # the first one's head is new
        assert len(passed | SOMETIMES) <= MOST[path], sorted(passed)
        assert passed - SOMETIMES == documented(ONLY[path]) - SOMETIMES
