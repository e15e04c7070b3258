"""What the simulated vLLM does beyond shapes: leaving clients, choices, tools, thinking, keys, planned failures."""

import asyncio
import json
from typing import Any

import pytest
from aiohttp import ClientConnectionError, ClientSession

from . import serving

_FLAGS = ("--served-model-name", "m", "--max-model-len", "2048")
_TOOLS = (*_FLAGS, "--enable-auto-tool-choice", "--tool-call-parser", "hermes")
_WEATHER: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
_ASK = {"role": "user", "content": "Weather in Paris?"}
_SLOW = {"FAKE_VLLM_DECODE_TOKENS_PER_SECOND": "20"}


async def _chat(session: ClientSession, **body: Any) -> Any:
    async with session.post("/v1/chat/completions", json={"messages": [_ASK], **body}) as response:
        return await response.json()


@pytest.mark.parametrize("stream", [True, False])
async def test_a_client_that_leaves_stops_the_generation_at_once(*, stream: bool) -> None:
    async with serving.vllm(*_FLAGS, **_SLOW) as (session, state):
        body = {"messages": [_ASK], "max_tokens": 1000, "ignore_eos": True, "stream": stream}
        async with asyncio.TaskGroup() as tasks:
            asking = tasks.create_task(_read(session, body), name="client")
            await serving.until(lambda: state.engine.batch.running, "the request runs")
            asking.cancel()
        left = state.now()
        await serving.until(lambda: not state.engine.batch.running, "the request is gone")
        assert state.now() - left < 1.0  # a few milliseconds; the whole answer would take 50 s


async def _read(session: ClientSession, body: dict[str, Any]) -> None:
    async with session.post("/v1/chat/completions", json=body) as response:
        await response.read()


async def test_requests_share_the_batch() -> None:
    async with serving.vllm(*_FLAGS, **_SLOW) as (session, state), asyncio.TaskGroup() as tasks:
        asking = [
            tasks.create_task(_chat(session, max_tokens=1000, ignore_eos=True), name=f"client {number}")
            for number in range(16)
        ]
        await serving.until(lambda: len(state.engine.batch.running) == 16, "16 requests run")
        for task in asking:
            task.cancel()


async def test_the_same_request_gets_the_same_answer() -> None:
    async with serving.vllm(*_FLAGS) as (session, _):
        answers = [(await _chat(session, seed=7))["choices"][0]["message"]["content"] for _ in range(2)]
        other = (await _chat(session, seed=8))["choices"][0]["message"]["content"]
    assert answers[0] == answers[1] != other


async def test_streamed_choices_are_told_apart_and_complete() -> None:
    async with serving.vllm(*_FLAGS) as (session, _):
        whole = await _chat(session, n=2)
        said = ["", ""]
        ends = []
        async with session.post("/v1/chat/completions", json={"messages": [_ASK], "n": 2, "stream": True}) as response:
            async for line in response.content:
                if line.startswith(b"data: {"):
                    (choice,) = json.loads(line[6:])["choices"]
                    said[choice["index"]] += choice["delta"].get("content", "")
                    ends += [choice["finish_reason"]] if choice["finish_reason"] else []
    assert said == [choice["message"]["content"] for choice in whole["choices"]]
    assert ends == ["stop", "stop"]


async def test_tools_are_called_until_they_have_answered() -> None:
    async with serving.vllm(*_TOOLS) as (session, _):
        first = (await _chat(session, tools=[_WEATHER]))["choices"][0]
        (call,) = first["message"]["tool_calls"]
        assert first["finish_reason"] == "tool_calls"
        assert json.loads(call["function"]["arguments"]) == {"city": "Paris"}
        answered = [_ASK, first["message"], {"role": "tool", "tool_call_id": call["id"], "content": "18 degrees"}]
        second = (await _chat(session, tools=[_WEATHER], messages=answered))["choices"][0]
    assert second["finish_reason"] == "stop"
    assert "18 degrees" in second["message"]["content"]


async def test_a_named_tool_is_called() -> None:
    choice = {"type": "function", "function": {"name": "get_weather"}}
    async with serving.vllm(*_TOOLS) as (session, _):
        answer = (await _chat(session, tools=[_WEATHER], tool_choice=choice))["choices"][0]
    assert answer["message"]["tool_calls"][0]["function"]["name"] == "get_weather"


@pytest.mark.parametrize(
    ("fields", "thinks"),
    [
        ({}, True),
        ({"chat_template_kwargs": {"enable_thinking": False}}, False),
        ({"reasoning_effort": "none"}, False),
        ({"reasoning_effort": "low"}, True),
        ({"include_reasoning": False}, False),
    ],
)
async def test_thinking_can_be_switched_off(fields: dict[str, Any], *, thinks: bool) -> None:
    async with serving.vllm(*_FLAGS, "--reasoning-parser", "qwen3") as (session, _):
        message = (await _chat(session, **fields))["choices"][0]["message"]
    assert (message["reasoning"] is not None) is thinks


async def test_structured_output_follows_the_schema() -> None:
    schema = {"type": "object", "properties": {"ok": {"type": "boolean"}, "n": {"enum": [1, 2]}}, "required": ["ok"]}
    wanted = {"type": "json_schema", "json_schema": {"name": "r", "schema": schema}}
    async with serving.vllm(*_FLAGS) as (session, _):
        content = (await _chat(session, response_format=wanted))["choices"][0]["message"]["content"]
    assert json.loads(content) == {"ok": False, "n": 1}


async def test_the_callers_request_id_is_adopted() -> None:
    headers = {"X-Request-Id": "router-abc-123"}
    async with (
        serving.vllm(*_FLAGS, "--enable-request-id-headers") as (session, _),
        session.post("/v1/chat/completions", json={"messages": [_ASK]}, headers=headers) as response,
    ):
        assert (await response.json())["id"] == "chatcmpl-router-abc-123"
        assert response.headers["X-Request-Id"] == "router-abc-123"


async def test_the_key_opens_the_guarded_paths() -> None:
    async with serving.vllm(*_FLAGS, "--api-key", "secret") as (session, _):
        for key, want in (("secret", 200), ("wrong", 401)):
            async with session.get("/v1/models", headers={"Authorization": f"Bearer {key}"}) as response:
                assert response.status == want


async def test_planned_failures_break_the_first_requests() -> None:
    async with serving.vllm(*_FLAGS, FAKE_VLLM_FAIL_BEFORE_FIRST_BYTE="1") as (session, _):
        with pytest.raises(ClientConnectionError):
            await _chat(session)
        assert (await _chat(session))["choices"]


async def test_known_prefixes_are_found_in_the_cache() -> None:
    long = {"role": "system", "content": "Be brief. " * 100}
    async with serving.vllm(*_FLAGS) as (session, state):
        await _chat(session, messages=[long, _ASK])
        await _chat(session, messages=[long, {"role": "user", "content": "Something else?"}])
    exposed = state.metrics.expose()
    hits = next(line for line in exposed.splitlines() if line.startswith("vllm:prefix_cache_hits_total"))
    assert float(hits.rsplit(" ", 1)[1]) > 250


@pytest.mark.parametrize("thinking", [True, False])
async def test_anthropic_messages_carry_tools_and_thinking(*, thinking: bool) -> None:
    body = {
        "max_tokens": 200,
        "messages": [_ASK],
        "tools": [{"name": "get_weather", "input_schema": _WEATHER["function"]["parameters"]}],
        "thinking": {"type": "enabled" if thinking else "disabled"},
    }
    async with serving.vllm(*_TOOLS, "--reasoning-parser", "qwen3") as (session, _):
        async with session.post("/v1/messages", json=body) as response:
            whole = await response.json()
        async with session.post("/v1/messages", json={**body, "stream": True}) as response:
            events = [json.loads(line[6:]) async for line in response.content if line.startswith(b"data: ")]
        async with session.post("/v1/messages/count_tokens", json=body) as response:
            counted = await response.json()
    kinds = [block["type"] for block in whole["content"]]
    assert kinds == (["thinking"] if thinking else []) + ["tool_use"]
    assert whole["content"][-1]["input"] == {"city": "Paris"}
    assert whole["stop_reason"] == "tool_use"
    assert [event["content_block"]["type"] for event in events if event["type"] == "content_block_start"] == kinds
    assert counted == {"input_tokens": whole["usage"]["input_tokens"]}


async def test_quiet_streams_are_kept_alive() -> None:
    flags = (*_FLAGS, "--sse-keep-alive-interval", "0.01")
    body = {"messages": [_ASK], "stream": True, "max_tokens": 3}
    async with (
        serving.vllm(*flags, FAKE_VLLM_DECODE_TOKENS_PER_SECOND="20") as (session, _),
        session.post("/v1/chat/completions", json=body) as response,
    ):
        said = (await response.text()).split("\n\n")
    assert ": keep-alive" in said
    assert said[-2] == "data: [DONE]"


_ADAPTED = (*_FLAGS, "--enable-lora", "--lora-modules", "sql=example/sql", "law:8b=/adapters/law", "--max-loras", "2")


async def test_adapters_answer_to_their_names() -> None:
    async with serving.vllm(*_ADAPTED) as (session, _):
        async with session.get("/v1/models") as response:
            listed = {one["id"]: (one["root"], one["parent"]) for one in (await response.json())["data"]}
        assert listed["sql"] == ("example/sql", "m")
        assert listed["law:8b"] == ("/adapters/law", "m")
        assert (await _chat(session, model="law:8b", max_tokens=2))["model"] == "law:8b"
        assert (await _chat(session, model="m", max_tokens=2))["model"] == "m"
        assert (await _chat(session, model="tax", max_tokens=2))["error"]["code"] == 404


def _shown(url: str, kind: str = "image_url") -> list[dict[str, Any]]:
    return [{"role": "user", "content": [{"type": kind, kind: {"url": url}}]}]


@pytest.mark.parametrize(
    ("url", "flags", "says"),
    [
        ("data:image/png;base64,iVBORw0KGgo=", ("--allowed-media-domains", "none.invalid"), ""),
        ("http://169.254.169.254/latest", (), ""),
        ("http://images.example.com/a.png", ("--allowed-media-domains", "a.b", "images.example.com"), ""),
        ("http://169.254.169.254/latest", ("--allowed-media-domains", "none.invalid"), "one of the allowed domains"),
        ("http://images.example.com@10.0.0.1/", ("--allowed-media-domains", "images.example.com"), "domain: 10.0.0.1"),
        ("http://sub.images.example.com/", ("--allowed-media-domains", "images.example.com"), "one of the allowed"),
        ("file:///etc/passwd", ("--allowed-media-domains", "none.invalid"), "Cannot load local files without"),
        ("file:///data/a.png", ("--allowed-local-media-path", "/data"), ""),
        ("ftp://a/b", (), "must be either a HTTP, data or file URL"),
    ],
)
@pytest.mark.parametrize("kind", ["image_url", "video_url", "audio_url"])
async def test_media_are_fetched_from_allowed_domains_alone(
    url: str, flags: tuple[str, ...], says: str, kind: str
) -> None:
    async with serving.vllm(*_FLAGS, *flags, model="google/gemma-3-4b-it") as (session, _):
        body = {"messages": _shown(url, kind), "max_tokens": 2}
        async with session.post("/v1/chat/completions", json=body) as response:
            told = await response.json()
        assert (response.status, says in told.get("error", {}).get("message", "")) == (400 if says else 200, True)


@pytest.mark.parametrize(
    ("field", "at_limit", "beyond"),
    [
        ("temperature", 2, 2.1),
        ("presence_penalty", -2, -2.1),
        ("frequency_penalty", 2, 3),
        ("min_p", 1, 1.1),
        ("min_p", 0, -0.1),
        ("repetition_penalty", 0.1, 0),
        ("top_k", -1, -2),
        ("seed", (1 << 63) - 1, 1 << 63),
        ("stop", ["1", "2", "3", "4"], ["1", "2", "3", "4", "5"]),
        ("stop", ["1"], [""]),
        ("max_tokens", 1, 0),
    ],
)
async def test_limits_of_parameters(field: str, at_limit: object, beyond: object) -> None:
    async with serving.vllm("--served-model-name", "m") as (session, _):
        assert "error" not in await _chat(session, **{"max_tokens": 4, field: at_limit})
        if field != "max_tokens":  # 0 is as good as absent here
            assert (await _chat(session, **{"max_tokens": 4, field: beyond}))["error"]["code"] == 400


async def test_a_prompt_that_fills_the_context_leaves_no_token() -> None:
    async with serving.vllm("--served-model-name", "m", "--max-model-len", "64") as (session, _):
        fits = {"prompt": "a " * 62, "max_tokens": None}  # 63 tokens
        async with session.post("/v1/completions", json=fits) as response:
            assert (await response.json())["usage"]["completion_tokens"] == 1
        async with session.post("/v1/completions", json={**fits, "prompt": "a " * 63}) as response:
            told = (await response.json())["error"]["message"]
        assert told.startswith("max_tokens must be at least 1, got 0.")


@pytest.mark.parametrize("schema", [{"type": "nonsense"}, {"$ref": "#/$defs/x"}, {"items": {"enum": []}}])
async def test_a_schema_that_cannot_be_compiled_is_refused_in_the_stream(schema: dict[str, Any]) -> None:
    wanted = {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}}
    async with serving.vllm("--served-model-name", "m") as (session, _):
        assert (await _chat(session, response_format=wanted))["error"]["code"] == 400
        body = {"messages": [_ASK], "stream": True, "response_format": wanted}
        async with session.post("/v1/chat/completions", json=body) as response:
            told = await response.text()
        assert (response.status, '"code": 400' in told, told.endswith("data: [DONE]\n\n")) == (200, True, True)
