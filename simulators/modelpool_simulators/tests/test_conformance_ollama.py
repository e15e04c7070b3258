"""The simulated Ollama answers every recorded request in the recorded shape.

Each recording is one test on a server of its own. `_BEFORE` says which recorded requests must have been made before;
`_DIFFERENT` lists what does not conform, with the reason.
"""

from __future__ import annotations

import dataclasses

import pytest

from modelpool_simulators import recordings
from modelpool_simulators.recordings import Recording

from . import replaying, serving

pytestmark = pytest.mark.conformance

_MODELS = {
    "05b": "embed:tiny",
    "37": "embed:tiny,qwen3:8b",
    "38": "embed:tiny",
    "39": "embed:tiny,qwen3:8b",
    "4": "plain,scripted-tool-p,scripted-tool,scripted-think",
}
"""Models on the recorded server, by the beginning of the recording's name; else qwen3:8b alone."""
_BEFORE = {
    "04-ps": ["09-load-empty-prompt"],
    "28-ps-loaded": ["27-chat-keepalive-30s"],
    "85-copy": ["82-create-from-stream"],
    "86-tags-after": ["82-create-from-stream", "83-create-from-nostream", "85-copy"],
    "87-show-derived": ["82-create-from-stream"],
    "88-delete": ["82-create-from-stream", "85-copy"],
    "89-delete-again-404": ["82-create-from-stream", "85-copy", "88-delete"],
    "92-ps-after-unload": ["09-load-empty-prompt", "90-unload-generate"],
}
_HEADERS = {
    "71-host-header-403": {"Host": "models.example.org"},
    "72-cors-preflight": {"Origin": "http://localhost:3000", "Access-Control-Request-Method": "POST"},
    "73-cors-bad-origin": {"Origin": "http://models.example.org"},
}
_REPLIES = {
    "25-chat-tools": "The recorded weights called no tool.",
    "45c-err-tools-not-supported": "Hello! I am a tiny test model.",
    "46-tools-stream": '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Paris"}}\n</tool_call>',
}
"""Texts of the recorded models that answered differently from what a sensible model would."""
_DIFFERENT = {"41b-think-false": "the recorded weights think whatever they are told; here `think: false` is obeyed"}
_RECORDINGS = recordings.recorded("ollama")


@pytest.mark.parametrize("name", _RECORDINGS)
async def test_answer_has_the_recorded_shape(name: str, request: pytest.FixtureRequest) -> None:
    short = name.rsplit("/", 1)[-1].removesuffix(".txt")
    if short in _DIFFERENT:
        request.applymarker(pytest.mark.xfail(reason=_DIFFERENT[short]))
    models = next((models for beginning, models in _MODELS.items() if short.startswith(beginning)), "qwen3:8b")
    environment = {"FAKE_OLLAMA_PRELOADED": models, "OLLAMA_CONTEXT_LENGTH": "2048", "FAKE_OLLAMA_PULL_FAILS": "nope"}
    if short < "40":
        environment["FAKE_OLLAMA_THOUGHT"] = ""  # the recorded model did not think
    if short in _REPLIES:
        environment["FAKE_OLLAMA_REPLY"] = _REPLIES[short]
    async with serving.ollama(**environment) as (session, state):
        for earlier in _BEFORE.get(short, []):
            await replaying.replay(session, recordings.load(f"ollama/{earlier}.txt"))
        recording = recordings.load(name)
        if short == "80-blob-head-present":
            recording = _for(recording, state.store.all()[0].blob)
        replaying.compare(recording, await replaying.replay(session, recording, _HEADERS.get(short)))


def _for(recording: Recording, blob: str) -> Recording:
    """Ask for a blob that is there."""
    request = dataclasses.replace(recording.request, path=f"/api/blobs/sha256:{blob}")
    return dataclasses.replace(recording, request=request)


def test_every_recording_is_replayed() -> None:
    assert len(_RECORDINGS) > 90
    assert {f"ollama/{name}.txt" for name in _DIFFERENT} <= set(_RECORDINGS)
