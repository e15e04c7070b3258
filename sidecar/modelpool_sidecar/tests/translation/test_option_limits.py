"""Options at, below and beyond every limit: the status that Ollama gives, and what it then does."""

import json
from typing import Any

import pytest

from modelpool_sidecar.http.errors import BadRequestError
from modelpool_sidecar.translation import Translation, options

from .asking import asked, chat, exchange

INT64 = 1 << 63
FLOAT32 = 3.4028234663852886e38
TOLD, SILENT = True, False

TAKEN: list[tuple[str, Any, dict[str, Any], bool]] = [
    ("temperature", 0, {"temperature": 0}, SILENT),
    ("temperature", -0.5, {"temperature": 0}, SILENT),  # llama.cpp: the best token
    ("temperature", 1.9, {"temperature": 1.9}, SILENT),
    ("temperature", 2, {"temperature": 2}, SILENT),
    ("temperature", 2.1, {"temperature": 2}, TOLD),
    ("temperature", 1e30, {"temperature": 2}, TOLD),
    ("presence_penalty", -2, {"presence_penalty": -2}, SILENT),
    ("presence_penalty", -2.5, {"presence_penalty": -2}, TOLD),
    ("presence_penalty", 2, {"presence_penalty": 2}, SILENT),
    ("presence_penalty", 3, {"presence_penalty": 2}, TOLD),
    ("frequency_penalty", -2, {"frequency_penalty": -2}, SILENT),
    ("frequency_penalty", -9, {"frequency_penalty": -2}, TOLD),
    ("frequency_penalty", 2, {"frequency_penalty": 2}, SILENT),
    ("frequency_penalty", 2.01, {"frequency_penalty": 2}, TOLD),
    ("repeat_penalty", 0, {}, SILENT),
    ("repeat_penalty", -1, {}, SILENT),
    ("repeat_penalty", 0.01, {"repetition_penalty": 0.01}, SILENT),
    ("repeat_penalty", 50, {"repetition_penalty": 50}, SILENT),
    ("min_p", -0.1, {"min_p": 0}, SILENT),  # off
    ("min_p", 0, {"min_p": 0}, SILENT),
    ("min_p", 1, {"min_p": 1}, SILENT),
    ("min_p", 1.5, {"min_p": 1}, SILENT),  # the best token, as at 1
    ("top_p", -1, {"top_p": 1e-6}, SILENT),
    ("top_p", 0, {"top_p": 1e-6}, SILENT),
    ("top_p", 1, {"top_p": 1}, SILENT),
    ("top_p", 1.1, {"top_p": 1}, SILENT),
    ("top_k", -5, {"top_k": -1}, SILENT),
    ("top_k", 0, {"top_k": -1}, SILENT),
    ("top_k", 1, {"top_k": 1}, SILENT),
    ("top_k", 1 << 40, {"top_k": (1 << 31) - 1}, SILENT),
    ("top_k", 1e30, {"top_k": -1}, SILENT),  # Go makes the least integer of it
    ("seed", 0, {"seed": 0}, SILENT),
    ("seed", -1, {}, SILENT),
    ("seed", -2, {"seed": 0xFFFFFFFE}, SILENT),
    ("seed", (1 << 32) - 1, {}, SILENT),  # the lowest 32 bits are those of -1
    ("seed", 1 << 32, {"seed": 0}, SILENT),
    ("seed", INT64 - 1, {"seed": 0}, SILENT),  # 2 ** 63 as a float, and so the least integer
    ("seed", INT64, {"seed": 0}, SILENT),
    ("seed", -INT64, {"seed": 0}, SILENT),
    ("seed", 1e300, {"seed": 0}, SILENT),
    ("num_predict", -1, {}, SILENT),
    ("num_predict", -2, {}, SILENT),
    ("num_predict", 1, {"max_tokens": 1}, SILENT),
    ("num_predict", 1.99, {"max_tokens": 1}, SILENT),
    ("num_predict", 1e30, {}, SILENT),
    ("stop", [], {}, SILENT),
    ("stop", [""], {}, SILENT),
    ("stop", ["a", "b", "c", "d"], {"stop": ["a", "b", "c", "d"]}, SILENT),
]
INFINITE = "failed to marshal completion request: json: unsupported value: {}Inf"
NO_FLOATS: list[Any] = ["0.5", True, [1], {}]
NO_INTEGERS: list[Any] = ["7", False, [7], {}]
NO_STRINGS: list[Any] = ["a", 1, {}, True]
REFUSED: list[tuple[str, Any, int, str]] = [
    *(("temperature", wrong, 500, "must be of type float32") for wrong in NO_FLOATS),
    *(("seed", wrong, 500, "must be of type integer") for wrong in NO_INTEGERS),
    *(("stop", wrong, 500, "must be of type array") for wrong in NO_STRINGS),
    ("stop", ["a", None], 500, "must be of an array of strings"),
    *((name, "1", 500, "must be of type") for name in ("top_k", "top_p", "min_p", "num_predict", "num_ctx")),
    ("temperature", 1e39, 500, INFINITE.format("+")),
    ("min_p", -1e39, 500, INFINITE.format("-")),
    ("typical_p", 1e300, 500, INFINITE.format("+")),
    ("seed", 10**400, 400, "cannot unmarshal number"),
    ("temperature", 10**400, 400, "cannot unmarshal number"),
]


@pytest.mark.parametrize(("name", "value", "want", "told"), TAKEN, ids=lambda value: str(value)[:24])
def test_what_ollama_takes_is_taken(name: str, value: Any, want: dict[str, Any], told: bool) -> None:
    body = chat(options={name: value})
    sent = asked(Translation.CHAT, body)
    sent.pop("messages")
    assert sent == want
    warnings = exchange(Translation.CHAT, body).warnings
    assert bool(warnings) is told, warnings
    assert all(name in one for one in warnings)


@pytest.mark.parametrize(("name", "value", "status", "words"), REFUSED, ids=lambda value: str(value)[:24])
def test_what_ollama_refuses_is_refused_as_it_does(name: str, value: Any, status: int, words: str) -> None:
    with pytest.raises(BadRequestError) as caught:
        exchange(Translation.CHAT, chat(options={name: value}))
    assert (caught.value.status, words in caught.value.message) == (status, True), caught.value.message


def test_a_float_of_32_bits_is_the_limit() -> None:
    assert options.sampling({"typical_p": FLOAT32}, None)[0] == {}
    assert json.loads(exchange(Translation.CHAT, chat(options={"repeat_penalty": FLOAT32})).body)


def test_a_number_that_no_float_holds_is_refused() -> None:
    with pytest.raises(BadRequestError) as caught:
        exchange(Translation.CHAT, b'{"model":"m","messages":[{"role":"user"}],"options":{"seed":1e400}}')
    assert caught.value.status == 400


@pytest.mark.parametrize("count", [5, 20, 1024])
def test_more_stops_than_the_engine_takes_are_kept_from_it(count: int) -> None:
    made = json.loads(exchange(Translation.CHAT, chat(options={"stop": [f"s{one}" for one in range(count)]})).body)
    assert "stop" not in made
    assert made["stream_options"] == {"include_usage": True, "continuous_usage_stats": True}


def test_stops_without_number_are_refused() -> None:
    with pytest.raises(BadRequestError, match="more than 1024"):
        exchange(Translation.CHAT, chat(options={"stop": [f"s{one}" for one in range(1025)]}))
