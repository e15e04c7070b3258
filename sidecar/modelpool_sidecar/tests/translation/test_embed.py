import dataclasses
import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelpool_sidecar.dialects.answer import Answer
from modelpool_sidecar.dialects.errors import EngineError
from modelpool_sidecar.http.errors import BadRequestError
from modelpool_sidecar.translation import Backend, Translation, Usage

from ..dialects import recordings
from .asking import BACKEND, DISPATCHED, STARTED, TIMINGS, answer, exchange

EMBED, SINGLE = Translation.EMBED, Translation.EMBEDDING
NOW = DISPATCHED + 1_000


def sent(call: Translation, body: Any) -> Any:
    found = exchange(call, body)
    assert (found.path, found.stream) == ("/v1/embeddings", False)
    return json.loads(found.body)


def test_request() -> None:
    base = {"model": BACKEND.model, "encoding_format": "float"}
    assert sent(EMBED, {"model": "e", "input": "a"}) == {**base, "input": ["a"], "truncate_prompt_tokens": -1}
    asked = {"model": "e", "input": ["a", "b"], "truncate": False, "dimensions": 4}
    assert sent(EMBED, asked) == {**base, "input": ["a", "b"]}
    assert sent(SINGLE, {"model": "e", "prompt": "a"}) == {**base, "input": "a"}


def test_nothing_to_embed_needs_no_engine() -> None:
    recorded = recordings.load("ollama/39c-embed-empty-input")
    assert answer(EMBED, recorded.request).body == recorded.body
    assert answer(EMBED, {"model": "e", "input": ""}).body == b'{"model":"e","embeddings":[]}'
    assert answer(SINGLE, {"model": "e"}).body == b'{"embedding":[]}'


@pytest.mark.parametrize("value", [5, {"a": 1}, [1], ["a", 1], True])
def test_what_is_no_text_is_refused(value: Any) -> None:
    with pytest.raises(BadRequestError, match="invalid input type"):
        exchange(EMBED, {"model": "e", "input": value})


def test_answer_has_every_field_of_ollamas() -> None:
    ours, theirs = recordings.load("vllm/86-embeddings"), recordings.load("ollama/38-embed")
    reply = exchange(EMBED, theirs.request).open(TIMINGS)
    half = len(ours.body) // 2
    assert reply.feed(ours.body[:half], NOW) == b"" == reply.feed(ours.body[half:], NOW)
    got = reply.answer(NOW)
    assert recordings.shape(json.loads(got.body)) == recordings.shape(theirs.document)
    document = json.loads(got.body)
    assert len(document["embeddings"]) == 2
    assert document["prompt_eval_count"] == ours.document["usage"]["prompt_tokens"]
    assert (document["total_duration"], document["load_duration"]) == (NOW - STARTED, DISPATCHED - STARTED)
    for vector in document["embeddings"]:
        assert math.hypot(*vector) == pytest.approx(1, abs=1e-3)
    assert isinstance(reply.usage, Usage)


def test_single_answer_has_the_older_shape() -> None:
    ours, theirs = recordings.load("vllm/86-embeddings"), recordings.load("ollama/39-embeddings-legacy")
    reply = exchange(SINGLE, theirs.request).open(TIMINGS)
    reply.feed(ours.body, NOW)
    got = json.loads(reply.answer(NOW).body)
    assert recordings.shape(got) == recordings.shape(theirs.document)
    assert got["embedding"] == ours.document["data"][0]["embedding"]


def test_vectors_are_put_in_order_and_normalised() -> None:
    reply = exchange(EMBED, {"model": "e", "input": ["a", "b", "c"]}).open(TIMINGS)
    data = [{"index": 1, "embedding": [3, 4]}, {"index": 2, "embedding": [0, 0]}, {"index": 0, "embedding": [1, 0]}]
    reply.feed(json.dumps({"data": data}).encode(), NOW)
    document = json.loads(reply.answer(NOW).body)
    assert document["embeddings"] == [[1, 0], [pytest.approx(0.6), pytest.approx(0.8)], [0, 0]]
    assert "prompt_eval_count" not in document


@pytest.mark.parametrize("body", [b"", b"nonsense", b'{"data":[{"embedding":"aGk="}]}', b"{}"])
def test_what_is_no_embedding_is_the_engines_fault(body: bytes) -> None:
    reply = exchange(EMBED, {"model": "e", "input": "a"}).open(TIMINGS)
    reply.feed(body, NOW)
    with pytest.raises(EngineError, match="no embedding"):
        reply.answer(NOW)


def test_a_generating_model_refuses_as_ollama_does() -> None:
    ours, theirs = (
        recordings.load("vllm/63-err-embeddings-on-generate-model"),
        recordings.load("ollama/39d-embed-on-generate-model-501"),
    )
    got = exchange(EMBED, theirs.request).open(TIMINGS).refused(ours.status, ours.body)
    assert (got.status, got.body, got.content_type) == (theirs.status, theirs.body, theirs.content_type)


def embedded(asked: dict[str, Any], data: list[list[float]], *, tokens: int = 2, backend: Backend = BACKEND) -> Answer:
    reply = exchange(EMBED, {"model": "e", "input": "a", **asked}, backend).open(TIMINGS)
    vectors = [{"index": index, "embedding": vector} for index, vector in enumerate(data)]
    reply.feed(json.dumps({"data": vectors, "usage": {"prompt_tokens": tokens}}).encode(), NOW)
    return reply.answer(NOW)


@given(
    vector=st.lists(st.floats(-1, 1).filter(lambda value: value == 0 or abs(value) > 1e-6), min_size=1, max_size=16),
    dimensions=st.integers(-1, 20),
)
def test_vectors_of_any_model_are_cut_as_ollama_cuts_them(vector: list[float], dimensions: int) -> None:
    (got,) = json.loads(embedded({"dimensions": dimensions}, [vector]).body)["embeddings"]
    kept = vector[:dimensions] if 0 < dimensions < len(vector) else vector
    assert len(got) == len(kept)
    length = math.hypot(*kept)
    assert got == pytest.approx([value / length if length else 0 for value in kept], abs=2e-3)


def test_dimensions_are_no_affair_of_the_engine() -> None:
    """It refuses those that are the model's own, and all of a model that was not trained for fewer."""
    assert "dimensions" not in sent(EMBED, {"model": "e", "input": "a", "dimensions": 384})


LONG = dataclasses.replace(BACKEND, context_length=512)


@pytest.mark.parametrize(
    ("options", "truncated", "warned"),
    [
        ({}, -1, False),
        ({"num_ctx": None}, -1, False),
        ({"num_ctx": 512}, -1, False),
        ({"num_ctx": 2048}, -1, True),
        ({"num_ctx": 511}, 511, False),
        ({"num_ctx": 8.9}, 8, False),
        ({"num_ctx": 1}, 4, False),
    ],
)
def test_texts_are_cut_to_the_context_that_is_asked_for(options: dict[str, Any], truncated: int, warned: bool) -> None:
    found = exchange(EMBED, {"model": "e", "input": ["a", "b"], "options": options}, LONG)
    assert json.loads(found.body)["truncate_prompt_tokens"] == truncated
    assert bool(found.warnings) is warned


def test_a_context_of_the_wrong_type_is_refused_as_by_ollama() -> None:
    with pytest.raises(BadRequestError, match='option "num_ctx" must be of type integer'):
        exchange(EMBED, {"model": "e", "input": "a", "options": {"num_ctx": "many"}})


@pytest.mark.parametrize(
    ("texts", "tokens", "refused"),
    [("a", 8, False), ("a", 9, True), (["a", "b"], 16, False), (["a", "b"], 17, True)],
)
def test_a_text_beyond_the_context_is_refused_when_it_must_not_be_cut(texts: Any, tokens: int, refused: bool) -> None:
    asked = {"input": texts, "truncate": False, "options": {"num_ctx": 8}}
    got = embedded(asked, [[1.0]] * len(texts), tokens=tokens, backend=LONG)
    assert (got.status == 400) is refused
    if refused:
        assert json.loads(got.body) == {"error": "the input length exceeds the context length"}
    found = exchange(EMBED, {"model": "e", **asked}, LONG)
    assert "truncate_prompt_tokens" not in json.loads(found.body)
    assert bool(found.warnings) is isinstance(texts, list), "of several only the sum is known"


def test_the_older_call_says_that_its_context_is_another() -> None:
    found = exchange(SINGLE, {"model": "e", "prompt": "a", "options": {"num_ctx": 8}}, LONG)
    assert found.warnings == ("num_ctx is 8, the model is served with 512 tokens",)
