"""Ollama's recorded calls, put to the gateway with a vLLM behind it that plays its recorded answers.

Every field and type of Ollama's recorded answer must be there, in its order, and nothing besides.
"""

import dataclasses
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from ..dialects import recordings
from ..dialects.recordings import Recorded
from . import shapes
from .calls import LEFT_OUT, ROWS, Row
from .stage import Stage, load, stage, whole_request

pytestmark = pytest.mark.conformance
on_stage = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def staged(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    async with stage(tmp_path_factory.mktemp("translated")) as made:
        yield made


@on_stage
@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.ollama}{' by ' if row.vllm else ''}{row.vllm}")
async def test_answer_is_as_ollamas(staged: Stage, row: Row) -> None:
    want = load(f"ollama/{row.ollama}")
    if row.vllm:
        staged.plays(load(f"vllm/{row.vllm}"))
    method = recordings.method(f"ollama/{row.ollama}")
    body = whole_request(want)
    headers = {**({"Content-Type": "application/json"} if body else {}), **row.headers}
    address = staged.gate.url + want.path
    async with staged.gate.session.request(method, address, data=body or None, headers=headers) as response:
        got = dataclasses.replace(
            want,
            status=response.status,
            content_type=response.headers.get("Content-Type", ""),
            body=await response.read(),
        )
        names = {name.lower() for name in response.headers if not name.lower().startswith("x-modelpool-")}
    assert got.status == (row.status or want.status), got.body
    if row.status:
        assert method == "HEAD" or isinstance(json.loads(got.body)["error"], str)
        return
    assert got.content_type == want.content_type
    assert names - set(shapes.OURS) == recordings.header_names(f"ollama/{row.ollama}") - set(shapes.OURS)
    if method == "HEAD":
        return
    if row.text:
        assert got.body == want.body
    _compare(row, got, want)


def _compare(row: Row, got: Recorded, want: Recorded) -> None:
    ignored = [name[1:] for name in row.differs]
    pair = [shapes.stripped(one.body, one.content_type, ignored) for one in (got, want)]
    assert shapes.of(pair[0], got.content_type) == shapes.of(pair[1], want.content_type)
    documents = [json.loads(line) for line in want.body.splitlines() if line] if ignored else []
    there = {place for document in documents for place in shapes.fields(document)}
    for name in ignored:
        pattern = name.removesuffix(".*")
        assert pattern in there, f"{name} is listed as a difference and is none"


@on_stage
async def test_durations_add_up_and_counts_are_the_engines(staged: Stage) -> None:
    staged.plays(load("vllm/12-chat-stream-usage"))
    usage = next(
        json.loads(line[6:])["usage"]
        for line in load("vllm/12-chat-stream-usage").body.splitlines()
        if b'"usage":{' in line
    )
    async with staged.gate.post("/api/chat", load("ollama/21-chat").request) as response:
        told = json.loads(await response.read())
    parts = told["load_duration"] + told["prompt_eval_duration"] + told["eval_duration"]
    assert parts == told["total_duration"]
    assert (told["prompt_eval_count"], told["eval_count"]) == (usage["prompt_tokens"], usage["completion_tokens"])


@on_stage
async def test_zero_is_absent(staged: Stage) -> None:
    """Go's `omitempty`: a count or a duration of nothing is not there."""
    async with staged.gate.post("/api/generate", {"model": "qwen3:8b"}) as response:
        assert set(json.loads(await response.read())) == {"model", "created_at", "response", "done", "done_reason"}


def test_every_recording_of_ollamas_own_api_is_compared() -> None:
    native = {name for name in recordings.names("ollama") if not load(f"ollama/{name}").path.startswith("/v1")}
    compared = {row.ollama for row in ROWS}
    assert compared <= native
    assert native - compared == set(LEFT_OUT)
    assert not compared & set(LEFT_OUT)
    assert Path(recordings.ROOT, "vllm").is_dir()
