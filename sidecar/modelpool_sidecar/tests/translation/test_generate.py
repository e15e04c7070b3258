import json
from typing import Any

import pytest

from modelpool_sidecar.http.errors import BadRequestError
from modelpool_sidecar.translation import Backend, Translation

from ..dialects import recordings
from .asking import answer, asked, exchange, prompt

GENERATE = Translation.GENERATE


def test_a_prompt_is_a_chat_of_one_turn() -> None:
    assert exchange(GENERATE, prompt()).path == "/v1/chat/completions"
    assert asked(GENERATE, prompt()) == {"messages": [{"role": "user", "content": "hi"}]}


def test_system_images_and_the_rest_go_along() -> None:
    sent = asked(
        GENERATE,
        prompt(
            system="Be terse.", images=["iVBORw0KGgo="], think=False, format="json", options={"seed": 1}, logprobs=True
        ),
    )
    system, user = sent.pop("messages")
    assert system == {"role": "system", "content": "Be terse."}
    assert [part["type"] for part in user["content"]] == ["text", "image_url"]
    assert sent == {
        "seed": 1,
        "response_format": {"type": "json_object"},
        "chat_template_kwargs": {"enable_thinking": False},
        "logprobs": True,
        "top_logprobs": 0,
    }


@pytest.mark.parametrize(
    ("fields", "want"),
    [
        ({"raw": True}, {"prompt": "hi", "max_tokens": 2038}),
        ({"suffix": "!"}, {"prompt": "hi", "max_tokens": 2038, "suffix": "!"}),
        ({"raw": True, "options": {"num_predict": 4}}, {"prompt": "hi", "max_tokens": 4}),
        ({"raw": True, "logprobs": True, "top_logprobs": 2}, {"prompt": "hi", "max_tokens": 2038, "logprobs": 2}),
    ],
)
def test_raw_prompts_are_completions(fields: dict[str, Any], want: dict[str, Any]) -> None:
    assert exchange(GENERATE, prompt(**fields)).path == "/v1/completions"
    assert asked(GENERATE, prompt(**fields)) == want


@pytest.mark.parametrize(
    ("prompt_bytes", "context_length", "want"),
    [
        (100, 8192, 8084),
        (6136, 8192, 2048),
        (6137, 8192, 2048),
        (50_000, 8192, 2048),
        (100, None, 1940),
        (9_000, None, 512),
    ],
)
def test_a_raw_prompt_without_a_limit_gets_what_is_sure_to_fit(
    prompt_bytes: int, context_length: int | None, want: int
) -> None:
    """Two bytes for one character: the bytes count, not the characters."""
    body = prompt(raw=True) | {"prompt": "é" * (prompt_bytes // 2) + "x" * (prompt_bytes % 2)}
    backend = Backend(model="m", context_length=context_length)
    assert asked(GENERATE, body, backend)["max_tokens"] == want
    assert len(exchange(GENERATE, body, backend).warnings) == 1
    assert exchange(GENERATE, body | {"options": {"num_predict": 4}}, backend).warnings == ()


def test_what_a_raw_prompt_cannot_carry() -> None:
    for field in ("system", "template"):
        with pytest.raises(BadRequestError, match="raw mode does not support template, system, or context"):
            exchange(GENERATE, prompt(raw=True, **{field: "x"}))
    assert "images" in exchange(GENERATE, prompt(raw=True, images=["iVBORw0KGgo="])).warnings[-1]


def test_template_is_refused_and_context_is_left_out_with_a_word() -> None:
    with pytest.raises(BadRequestError, match="cannot replace the template"):
        exchange(GENERATE, prompt(template="{{ .Prompt }}"))
    assert exchange(GENERATE, prompt(template="", context=[])).warnings == ()
    assert len(exchange(GENERATE, prompt(context=[1, 2])).warnings) == 1
    assert "context" not in asked(GENERATE, prompt(context=[1, 2]))


@pytest.mark.parametrize("name", ["09-load-empty-prompt", "90-unload-generate"])
def test_load_and_unload_need_no_engine(name: str) -> None:
    recorded = recordings.load(f"ollama/{name}")
    got = answer(GENERATE, recorded.request)
    want = {**recorded.document, "created_at": "2026-11-22T14:20:31.123456789Z"}
    assert list(json.loads(got.body).items()) == list(want.items())


@pytest.mark.parametrize(("keep_alive", "want"), [(0, "unload"), ("0s", "unload"), ("5m", "load"), (-1, "load")])
def test_unload_is_a_keep_alive_of_nothing(keep_alive: Any, want: str) -> None:
    got = answer(GENERATE, {"model": "m", "keep_alive": keep_alive})
    assert json.loads(got.body)["done_reason"] == want


def test_an_embedding_model_does_not_generate() -> None:
    with pytest.raises(BadRequestError, match='"qwen3:8b" does not support generate'):
        exchange(GENERATE, prompt(), Backend(model="m", capabilities=frozenset({"embedding"})))
