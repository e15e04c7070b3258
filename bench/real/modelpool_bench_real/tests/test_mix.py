"""The small mix is the recorded one, and weights can be told apart."""

import pytest

from modelpool_bench_real import mix
from modelpool_bench_replay import pipeline as pipelines
from modelpool_bench_replay.pipeline import Kind


def test_the_calls_and_their_order_stay() -> None:
    recorded = pipelines.read()
    steps = mix.scaled(recorded)
    assert [step.name for step in steps] == [step.name for step in recorded.steps]
    assert pipelines.together(steps) == pipelines.together(recorded.steps)
    assert max(step.tokens_in + step.tokens_out for step in steps) < 2048
    assert sum(step.seconds for step in steps if step.kind is Kind.WAIT) == 0


def test_renamed_weights_differ_in_the_name_alone() -> None:
    weights = b"GGUF....general.name" + (8).to_bytes(4, "little") + (4).to_bytes(8, "little") + b"Tinyrest"
    first, second = mix.renamed(weights, 1), mix.renamed(weights, 2)
    assert first != second
    assert len(first) == len(weights)
    assert first.endswith(b"---1rest")
    with pytest.raises(ValueError, match="not found"):
        mix.renamed(b"GGUF", 1)
