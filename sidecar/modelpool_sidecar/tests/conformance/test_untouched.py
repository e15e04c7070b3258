"""Where caller and engine speak one language, not a byte changes: every recorded call, put through the gateway."""

import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from ..dialects import recordings
from .stage import CAPABILITIES, Stage, load, stage, whole_request

pytestmark = pytest.mark.conformance
on_stage = pytest.mark.asyncio(loop_scope="module")

INFERENCE = ("/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/responses", "/v1/messages")
REFUSED = ("69-err-image-input", "70-err-images", "45b-err-think-not-supported")
"""The model of the recording lacks what is asked for, so no engine is."""
ENGINE_FAILED = (
    "77-engine-core-killed", "76-sigterm-in-flight", "75-drain-shutdown-timeout", "71-overload-503",
    "72-api-key-missing-401",
)  # fmt: skip


def _asked(name: str) -> str:
    """The model that a recorded request names, as the stage's engines serve it; none when it names another."""
    found = re.search(rb'"model": ?"([^"]*)"', load(name).request)
    model = found[1].decode() if found else ""
    return model if model in CAPABILITIES else ""


CALLS = [
    f"{folder}/{name}"
    for folder, paths in (
        ("vllm", (*INFERENCE, "/tokenize", "/detokenize")),
        ("vllm/scripted-chat", (*INFERENCE, "/tokenize", "/detokenize")),
        ("ollama", (*INFERENCE, "/api/chat", "/api/generate", "/api/embed", "/api/embeddings")),
    )
    for name in recordings.names(folder)
    if name not in ENGINE_FAILED + REFUSED and load(f"{folder}/{name}").path in paths and _asked(f"{folder}/{name}")
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def staged(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    async with stage(tmp_path_factory.mktemp("untouched")) as made:
        yield made


@on_stage
@pytest.mark.parametrize("name", CALLS)
async def test_bytes_pass_both_ways(staged: Stage, name: str) -> None:
    recorded = load(name)
    staged.plays(recorded)
    engine = staged.ollama if name.startswith("ollama") else staged.vllm
    sent = whole_request(recorded)
    model = _asked(name).encode()
    if engine is staged.ollama:
        sent = re.sub(rb'("model": ?")' + re.escape(model), rb"\1ollama/" + model, sent)
    async with staged.gate.post(recorded.path, sent) as response:
        body = await response.read()
        kind = response.headers["Content-Type"]
    assert (response.status, kind) == (recorded.status, recorded.content_type)
    want = whole_request(recorded)
    got = engine.received[-1]
    assert (got.path, got.body) == (recorded.path, want)
    # The one thing that may change is the name, back to what was asked for.
    assert re.sub(rb'"model":"ollama/', b'"model":"', body) == recorded.body


def test_there_is_much_to_compare() -> None:
    assert len(CALLS) > 90
