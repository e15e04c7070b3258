"""The simulated vLLM answers every recorded request in the recorded shape.

Each recording is one test. `_SERVERS` says how the recorded server was started where it was not the usual way;
`_DIFFERENT` lists what does not conform, with the reason. Metrics are compared by name, kind and labels in
`test_vllm_metrics`.
"""

from __future__ import annotations

import asyncio

import pytest

from modelpool_simulators import recordings

from . import replaying, serving

pytestmark = pytest.mark.conformance

_USUAL = ("--served-model-name", "qwen3:8b", "--max-model-len", "2048")
_TOOLS = ("--enable-auto-tool-choice", "--tool-call-parser", "hermes", "--max-model-len", "2048")
_IDS = ("--enable-request-id-headers",)
_EMBEDS = ("--served-model-name", "embed:tiny", "--runner", "pooling", "--max-model-len", "2048")
_SERVERS = {
    "07-load": (*_USUAL, *_IDS),
    "18b-chat-tools-auto": ("--served-model-name", "scripted-tool", *_TOOLS),
    "18c-chat-tools-auto-stream": ("--served-model-name", "scripted-tool", *_TOOLS),
    "19c-chat-tools-required-stream": ("--served-model-name", "qwen3:8b", *_TOOLS, *_IDS),
    "24-chat-reasoning-parser": ("--served-model-name", "scripted-think", "--reasoning-parser", "qwen3"),
    "25-chat-reasoning-parser-stream": ("--served-model-name", "scripted-think", "--reasoning-parser", "qwen3"),
    "26-chat-thinking-off": ("--served-model-name", "scripted-think", "--reasoning-parser", "qwen3"),
    "72-api-key-missing-401": (*_USUAL, "--api-key", "secret"),
    "73-api-key-health-open": (*_USUAL, "--api-key", "secret"),
    "74-api-key-models-401": (*_USUAL, "--api-key", "secret"),
    "80-ngram-completion": (
        "--served-model-name",
        "qwen3:8b-ngram",
        "--speculative-config",
        '{"method":"ngram","num_speculative_tokens":3,"prompt_lookup_max":4}',
    ),
    "82-draft-completion": (
        "--served-model-name",
        "qwen3:8b-draft",
        "--speculative-config",
        '{"method":"draft_model","model":"/models/tiny-draft","num_speculative_tokens":3}',
    ),
    "86-embeddings": _EMBEDS,
    "87-embeddings-base64": _EMBEDS,
    "88-embeddings-dimensions": _EMBEDS,
    "89-chat-on-pooling": _EMBEDS,
    "89b-models-on-pooling": _EMBEDS,
}
_DIFFERENT: dict[str, str] = {}
_METRICS = ("metrics-before", "metrics-after", "ngram-metrics", "draft-metrics")
_RECORDINGS = [
    name
    for name in (*recordings.recorded("vllm"), *recordings.recorded("vllm/scripted-chat"))
    if not name.removesuffix(".txt").endswith((*_METRICS, "overload-503"))
]


@pytest.mark.parametrize("name", _RECORDINGS)
async def test_answer_has_the_recorded_shape(name: str, request: pytest.FixtureRequest) -> None:
    short = name.rsplit("/", 1)[-1].removesuffix(".txt")
    if name in _DIFFERENT:
        request.applymarker(pytest.mark.xfail(reason=_DIFFERENT[name]))
    recording = recordings.load(name)
    async with serving.vllm(*_SERVERS.get(short, _USUAL)) as (session, _):
        replaying.compare(recording, await replaying.replay(session, recording))


@pytest.mark.parametrize("name", ["vllm/71-overload-503.txt"])
async def test_full_queue_answers_503(name: str) -> None:
    recording = recordings.load(name)
    flags = (*_USUAL, "--max-num-queued-reqs", "1", "--max-num-seqs", "1")
    async with (
        serving.vllm(*flags, FAKE_VLLM_DECODE_TOKENS_PER_SECOND="5") as (session, state),
        asyncio.TaskGroup() as tasks,
    ):
        batch = state.engine.batch
        running = tasks.create_task(replaying.replay(session, recording))
        await serving.until(lambda: batch.running, "one request runs")
        waiting = tasks.create_task(replaying.replay(session, recording))
        await serving.until(lambda: batch.waiting, "one request waits")
        replaying.compare(recording, await replaying.replay(session, recording))
        running.cancel()
        waiting.cancel()


def test_every_recording_is_replayed() -> None:
    assert len(_RECORDINGS) > 90
    assert set(_DIFFERENT) <= set(_RECORDINGS)
