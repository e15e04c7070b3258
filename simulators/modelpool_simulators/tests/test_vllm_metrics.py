"""The /metrics of the simulated vLLM: the recorded names, kinds, labels and buckets, and true values."""

import re
from collections.abc import Iterator

import pytest

from modelpool_simulators import recordings

from . import serving

_SAMPLE = re.compile(r"(?P<name>[a-z_:]+)\{(?P<labels>.*)\} (?P<value>\S+)")
_FLAGS = ("--served-model-name", "qwen3:8b", "--max-model-len", "2048")
_HELLO = {"model": "qwen3:8b", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 8}


def _speculating(name: str) -> tuple[str, ...]:
    return ("--served-model-name", name, "--max-model-len", "2048", "--speculative-config")


def _series(exposed: str) -> Iterator[tuple[str, frozenset[tuple[str, str]]]]:
    """Yield every vllm series with its labels; those of `cache_config_info` are the configuration, not compared."""
    for match in map(_SAMPLE.fullmatch, exposed.splitlines()):
        if match and match["name"].startswith("vllm:") and match["name"] != "vllm:cache_config_info":
            yield match["name"], frozenset(re.findall(r'(\w+)="([^"]*)"', match["labels"]))


def _value(exposed: str, series: str) -> float:
    return next(float(line.rsplit(" ", 1)[1]) for line in exposed.splitlines() if line.startswith(series))


@pytest.mark.parametrize(
    ("recording", "flags"),
    [
        ("05-metrics-before", _FLAGS),
        ("06-metrics-after", _FLAGS),
        ("scripted-chat/05-metrics-before", _FLAGS),
        ("scripted-chat/06-metrics-after", _FLAGS),
        ("81-ngram-metrics", (*_speculating("qwen3:8b-ngram"), '{"method":"ngram","num_speculative_tokens":3}')),
        ("83-draft-metrics", (*_speculating("qwen3:8b-draft"), '{"model":"/models/d","num_speculative_tokens":3}')),
    ],
)
async def test_every_recorded_series_is_there(recording: str, flags: tuple[str, ...]) -> None:
    recorded = recordings.load(f"vllm/{recording}.txt").response
    async with serving.vllm(*flags) as (session, _), session.get("/metrics") as response:
        exposed = await response.text()
        assert response.headers["Content-Type"] == recorded.header("Content-Type")
    assert set(_series(exposed)) == set(_series(recorded.body.decode()))


async def test_kinds_are_as_recorded() -> None:
    recorded = recordings.load("vllm/06-metrics-after.txt").response.body.decode()
    async with serving.vllm(*_FLAGS) as (session, _), session.get("/metrics") as response:
        exposed = await response.text()
    kinds = re.compile(r"^# TYPE vllm:.*$", re.MULTILINE)
    assert set(kinds.findall(exposed)) == set(kinds.findall(recorded))


async def test_values_follow_the_requests() -> None:
    async with serving.vllm(*_FLAGS) as (session, _):
        async with session.post("/v1/chat/completions", json=_HELLO) as response:
            usage = (await response.json())["usage"]
        async with session.get("/metrics") as response:
            exposed = await response.text()
    assert _value(exposed, "vllm:prompt_tokens_total") == usage["prompt_tokens"]
    assert _value(exposed, "vllm:generation_tokens_total") == usage["completion_tokens"] == 8
    assert _value(exposed, 'vllm:request_success_total{engine="0",finished_reason="length"') == 1
    assert _value(exposed, "vllm:e2e_request_latency_seconds_count") == 1
    assert _value(exposed, "vllm:num_requests_running") == 0


async def test_gauges_show_running_and_waiting_requests() -> None:
    slow = {"FAKE_VLLM_DECODE_TOKENS_PER_SECOND": "5"}
    async with serving.vllm(*_FLAGS, "--max-num-seqs", "1", **slow) as (session, state):
        body = {**_HELLO, "stream": True}
        async with session.post("/v1/chat/completions", json=body), session.post("/v1/chat/completions", json=body):
            await serving.until(lambda: state.engine.batch.waiting, "the second request waits")
            async with session.get("/metrics") as response:
                exposed = await response.text()
    assert _value(exposed, "vllm:num_requests_running") == 1
    assert _value(exposed, "vllm:num_requests_waiting{") == 1
    assert _value(exposed, "vllm:kv_cache_usage_perc") > 0
