"""What a user is told of a pool that can be planned."""

from typing import Any

import pytest

from modelpool_operator.planning.changes.notes import notes_on
from modelpool_operator.tests.planning.pools import ollama, pool_of, vllm

TOOLS = {"capabilities": ["completion", "tools"]}
THINKING = {"capabilities": ["completion", "thinking"]}

BEYOND = (
    "a: `contextLength` 42100 is beyond the 40960 tokens that the model was trained for: "
    "vLLM refuses to start, unless `args` stretch the model (`--hf-overrides`)"
)

CASES: dict[str, tuple[dict[str, Any], dict[str, Any], tuple[str, ...]]] = {
    "nothing to say": (vllm("a", 0.5), {}, ()),
    "tools without a parser": (
        vllm("a", 0.5, **TOOLS),
        {},
        ("a: has the capability 'tools' without `toolCallParser`: vLLM finds no calls in its answers",),
    ),
    "tools with a parser": (vllm("a", 0.5, toolCallParser="hermes", **TOOLS), {}, ()),
    "tools with a parser among the arguments": (vllm("a", 0.5, args=["--tool-call-parser=x"], **TOOLS), {}, ()),
    "thoughts with a parser among the pool's arguments": (
        vllm("a", 0.5, **THINKING),
        {"vllm": {"args": ["--reasoning-parser", "qwen3"]}},
        (),
    ),
    "thoughts without a parser": (
        vllm("a", 0.5, **THINKING),
        {},
        ("a: has the capability 'thinking' without `reasoningParser`: vLLM does not split off its thoughts",),
    ),
    "more context than trained for": (
        vllm("a", 0.5, source="hf://Qwen/Qwen3-8B-AWQ", contextLength=42100),
        {},
        (BEYOND,),
    ),
    "as much context as trained for": (vllm("a", 0.5, source="hf://Qwen/Qwen3-8B-AWQ", contextLength=40960), {}, ()),
    "more context than trained for, by arguments": (
        vllm("a", 0.5, source="hf://Qwen/Qwen3-8B-AWQ", contextLength=42100, args=["--hf-overrides={}"]),
        {},
        (),
    ),
    "more context than trained for, by the environment": (
        vllm("a", 0.5, source="hf://Qwen/Qwen3-8B-AWQ", contextLength=42100),
        {"vllm": {"env": [{"name": "VLLM_ALLOW_LONG_MAX_MODEL_LEN", "value": "1"}]}},
        (),
    ),
    "Ollama knows its models": (ollama("a", **TOOLS), {}, ()),
    "replicas": (
        vllm("a", 0.5, replicas=2),
        {},
        ("a: its replicas stand on 2 nodes, so the cache must be a ReadWriteMany volume",),
    ),
}


@pytest.mark.parametrize(("model", "spec", "want"), CASES.values(), ids=CASES.keys())
def test_notes(model: dict[str, Any], spec: dict[str, Any], want: tuple[str, ...]) -> None:
    assert notes_on(pool_of(model, **spec)) == want
