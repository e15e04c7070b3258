"""What is found in large bodies block by block is what is found in small ones value by value."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelpool_sidecar.dialects import distant_keys, json_structure, model_field
from modelpool_sidecar.http.errors import BadRequestError

from .cutting import QUICK

STRINGS = st.text(st.sampled_from('ab"\\,:[]{}é\n')) | st.just("model") | st.just("MODEL")
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | STRINGS,
    lambda inner: st.lists(inner) | st.dictionaries(STRINGS, inner),
    max_leaves=12,
)
BLOCKS = st.integers(1, 40)


def counted(value: Any) -> int:
    """Values, keys and elements, and one more for what is empty."""
    if isinstance(value, dict):
        return 1 + (sum(1 + counted(inner) for inner in value.values()) or 1)
    if isinstance(value, list):
        return 1 + (sum(map(counted, value)) or 1)
    return 1


@given(value=VALUES, spaced=st.booleans(), plain=st.booleans(), block=BLOCKS)
@QUICK
def test_values_are_counted_exactly(value: Any, spaced: bool, plain: bool, block: int) -> None:
    text = json.dumps(value, separators=None if spaced else (",", ":"), ensure_ascii=plain).encode()
    want = counted(value)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_structure, "_BLOCK_BYTES", block)
        assert not json_structure.has_more_values(text, want)
        assert json_structure.has_more_values(text, want - 1) == (len(text) > want - 1)
        assert json_structure.values_at_most(text) >= want


@given(body=st.dictionaries(STRINGS, VALUES), name=STRINGS, after=VALUES, block=BLOCKS, escaped=st.booleans())
@QUICK
def test_the_models_name_is_found_as_in_a_small_body(
    body: dict[str, Any], name: str, after: Any, block: int, escaped: bool
) -> None:
    text = json.dumps({**body, "MODEL": "x", "model": name, "zz": after})
    if escaped:
        text = text.replace('"model"', '"m\\u006fdel"')
    data = text.encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_structure, "_BLOCK_BYTES", block)
        patch.setattr(distant_keys, "_BLOCK_BYTES", block)
        try:
            found = list(distant_keys.model_spans(data))
        except BadRequestError as refused:
            assert str(refused) == "the model must be a string"
            assert any(isinstance(value, list | dict) for key, value in body.items() if key.lower() == "model")
            return
    assert found == list(model_field._model_spans(data))


@pytest.mark.parametrize("run", range(6))
def test_a_run_of_backslashes_may_lie_on_any_border(run: int) -> None:
    for at in range(70):
        text = json.dumps({"a": "x" * at + "\\" * run + '",', "b": [1, 2]}).encode()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(json_structure, "_BLOCK_BYTES", 16)
            assert not json_structure.has_more_values(text, 7)
            assert json_structure.has_more_values(text, 6)


def test_long_texts_with_many_commas_are_one_value_each() -> None:
    prompt = json.dumps(
        {"model": "m", "messages": [{"role": "user", "content": 'a, b: [c] {"d"}, ' * 240_000}]}
    ).encode()
    assert len(prompt) > 4_000_000
    assert not json_structure.has_more_values(prompt, 20)


def test_the_name_in_a_large_body_is_cheap_to_refuse() -> None:
    many = b'{"model":"m",' + b",".join([b'"model":1'] * 20_000) + b"}"
    with pytest.raises(BadRequestError, match="too many keys named model"):
        model_field.replace_model(many, "x")
    for value in (
        b'"' + b"x" * 20_000 + b'"',
        b"1" * 20_000,
        b'{"a":' + b" " * 20_000 + b"1}",
        b"[" + b"1," * 9000 + b"1]",
    ):
        with pytest.raises(BadRequestError, match="the model must be a string"):
            model_field.replace_model(b'{"MODEL":' + value + b',"model":"m"}', "x")
