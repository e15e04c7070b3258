"""The same questions to an Ollama and, through the gateway, to a vLLM. Both are simulated, with their limits."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from ..translation.test_option_limits import REFUSED, TAKEN
from . import processes
from .processes import Program

VLLM, OLLAMA = "qwen3:8b", "cogito:8b"
CONTEXT = 512
CALL = {"function": {"name": "f", "arguments": {"a": 1}}}


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    folder = tmp_path_factory.mktemp("as-ollama")
    flags = ("--max-model-len", str(CONTEXT), "--enable-auto-tool-choice", "--tool-call-parser", "hermes")
    with (
        processes.vllm(folder, VLLM, *flags) as vllm,
        processes.ollama(folder, OLLAMA, OLLAMA_CONTEXT_LENGTH=str(CONTEXT)) as engine,
    ):
        models = [
            {
                "name": name,
                "capabilities": ["completion", "tools"],
                "backends": [{"engine": kind, "url": url, "model": name, "maxConcurrency": 4}],
            }
            for name, kind, url in ((VLLM, "vllm", vllm.url), (OLLAMA, "ollama", engine.url))
        ]
        routes = {"version": 1, "pool": {"namespace": "llm", "name": "agentic"}, "models": models}
        with processes.gateway(folder, routes) as program:
            yield program


def ask(gate: Program, model: str, path: str = "/api/chat", **body: Any) -> tuple[int, Any, dict[str, str]]:
    data = json.dumps({"model": model, "messages": [{"role": "user", "content": "hi"}], "stream": False, **body})
    request = urllib.request.Request(gate.url + path, data.encode(), {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.status, json.loads(response.read()), dict(response.headers)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read()), dict(error.headers)


OPTIONS = [(name, value, 200) for name, value, *_ in TAKEN]
OPTIONS += [(name, value, status) for name, value, status, words in REFUSED if "Inf" not in words and status == 500]


@pytest.mark.parametrize(("name", "value", "status"), OPTIONS, ids=lambda value: str(value)[:24])
@pytest.mark.parametrize("path", ["/api/chat", "/api/generate"])
def test_an_option_is_answered_with_the_same_status(
    gate: Program, path: str, name: str, value: Any, status: int
) -> None:
    got = [ask(gate, model, path, prompt="hi", options={name: value}) for model in (VLLM, OLLAMA)]
    assert [one[0] for one in got] == [status, status], got
    if status != 200:
        assert got[0][1] == got[1][1]


@pytest.mark.parametrize("count", [4, 5, 20])
@pytest.mark.parametrize("stream", [True, False])
def test_any_number_of_stops_ends_the_answer(gate: Program, count: int, stream: bool) -> None:
    stops = [f"never {number}" for number in range(count - 1)] + ["wrote"]
    for model in (VLLM, OLLAMA):
        status, told, _ = ask(gate, model, options={"stop": stops})
        assert (status, told["message"]["content"], told["done_reason"]) == (200, "You ", "stop")
        assert told["eval_count"] == 2 or model == OLLAMA  # which has thought before


def history(turns: int) -> list[dict[str, Any]]:
    """So many questions with their answers, and a last question."""
    said: list[dict[str, Any]] = [{"role": "system", "content": "Be terse."}]
    for turn in range(turns):
        said.append({"role": "user", "content": f"Question {turn}: " + "why is the sky blue " * 3})
        if turn % 3 == 0:
            said.append({"role": "assistant", "content": "", "tool_calls": [CALL, CALL]})
            said += [{"role": "tool", "content": "42 " * 5, "tool_name": "f"}] * 2
        said.append({"role": "assistant", "content": f"Answer {turn}: " + "because of the air " * 3})
    return [*said, {"role": "user", "content": "And at night?"}]


def test_a_conversation_of_forty_turns_is_answered_by_both_each_time(gate: Program) -> None:
    for turns in range(0, 41, 4):
        for model in (VLLM, OLLAMA):
            status, told, headers = ask(gate, model, messages=history(turns), options={"num_predict": 20})
            assert status == 200, (turns, model, told)
            assert told["message"]["content"] or told["message"]["thinking"]
            assert told["prompt_eval_count"] <= CONTEXT
            if model == VLLM:
                assert ("were left out" in headers.get("X-ModelPool-Warning", "")) is (turns >= 8), (turns, headers)


def test_untruncated_and_in_other_dialects_it_is_refused(gate: Program) -> None:
    for model in (VLLM, OLLAMA):
        status, told, _ = ask(gate, model, messages=history(40), truncate=False)
        inner = json.loads(told["error"])["error"]
        assert (status, inner["type"], inner["n_ctx"]) == (400, "exceed_context_size_error", CONTEXT)
    for path in ("/v1/chat/completions", "/v1/messages"):
        plain = [{"role": "user", "content": "why is the sky blue " * 200}]
        assert ask(gate, VLLM, path, messages=plain, max_tokens=5)[0] == 400


def test_a_bound_beyond_the_room_is_no_refusal(gate: Program) -> None:
    for num_predict in (400, CONTEXT - 1, CONTEXT, 4000):
        for model in (VLLM, OLLAMA):
            status, told, _ = ask(gate, model, messages=history(6), options={"num_predict": num_predict})
            assert (status, told["done"]) == (200, True), (model, told)


SCHEMAS: list[dict[str, Any]] = [
    {"type": "nonsense"},
    {"type": "object", "properties": {"a": {"$ref": "#/$defs/nowhere"}}},
    {"type": "object", "properties": {"a": {"enum": []}}},
]


@pytest.mark.parametrize("schema", SCHEMAS)
@pytest.mark.parametrize("stream", [True, False])
def test_a_bad_schema_is_the_callers_fault(gate: Program, schema: dict[str, Any], stream: bool) -> None:
    status, told, _ = ask(gate, VLLM, format=schema, stream=stream)
    assert (status, told["error"].startswith("invalid JSON schema in format")) == (400, True)
